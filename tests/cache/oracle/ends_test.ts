// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { connect } from "../../../mod.ts";
import type { Cache } from "../../../src/cache/cache.ts";
import { delay } from "../../../src/util/abort.ts";
import { DenoProcess } from "../../support/deno_process.ts";
import { EFFORT } from "../../support/effort.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { EndsJob, EndsReport } from "./ends_worker.ts";
import { KEYS, READERS, Truth } from "./oracle_truth.ts";
import { group, keys, name as nameOf } from "./oracle_worker.ts";

/** For how long trouble is made, in milliseconds. */
const MILLISECONDS = 4000 * Math.max(1, EFFORT);
/** How much longer where the machine has so much else to do that little was judged. */
const PATIENCE = 60_000;
/**
 * The longest that a caller may wait, in milliseconds: for the lease of a process that was killed, for deadlines, and
 * for its own loader, while the machine has much else to do.
 */
const BOUND = 12_000;

/** Changes sources and invalidates what depends on them; only what is done counts as acknowledged. */
async function write(cache: Cache, truth: Truth): Promise<void> {
  for (let turn = 0; !truth.stopped; turn++) {
    const key = turn % KEYS;
    const changed = turn % 3 === 0 ? [key] : keys.filter((one) => group(one) === group(key));
    const versions = changed.map((one) => truth.bump(one));
    const invalidate = () => turn % 3 === 0 ? cache.invalidate(nameOf(key)) : cache.invalidateByTag(group(key));
    while ((await invalidate()).status !== "done" && !truth.stopped) await delay(5);
    if (truth.stopped) return;
    changed.forEach((one, i) => truth.acknowledge(one, versions[i]!));
    await delay(50 + Math.random() * 200); // what was loaded is read for a while
  }
}

/** What a process saw, or that it has not come to its end. */
async function reportOf(process: DenoProcess): Promise<EndsReport> {
  const timer = Promise.withResolvers<never>();
  const id = setTimeout(() => timer.reject(new Error("A caller waits for ever")), 3 * BOUND);
  return await Promise.race([process.receive<EndsReport>(), timer.promise]).finally(() => clearTimeout(id));
}

/** Without a process that dies, a lease that is not given back would keep others waiting for longer than they may. */
const CASES = [
  { name: "Cache", local: false, killed: true, lease: "1s" },
  { name: "Cache with copies", local: true, killed: true, lease: "1s" },
  { name: "Cache with long leases", local: false, killed: false, lease: "30s" },
];

for (const { name, local, killed, lease } of CASES) {
  Deno.test({
    name: `${name} serves nothing old, and holds nobody up, however loaders end`,
    ignore: !RedisServer.controllable,
    fn: async () => {
      await using server = await RedisServer.start();
      await using through = TcpProxy.start(server);
      await using writer = await connect({ url: server.url, namespace: "oracle" });
      using truth = Truth.create();
      const processes: DenoProcess[] = [];
      const begin = (reader: number): DenoProcess => {
        const job: EndsJob = { reader, url: through.url, truth: truth.path, local, lease };
        const process = DenoProcess.start(import.meta.resolve("./ends_worker.ts"), JSON.stringify(job));
        processes.push(process);
        return process;
      };
      const readers = Array.from({ length: READERS }, (_, reader) => begin(reader));
      let kills = 0;
      const troubles = [
        () => through.cut(), // while loaders run, and when they write
        () => server.cli("CONFIG", "SET", "maxmemory", "1"),
        () => server.cli("CONFIG", "SET", "maxmemory", "0"),
        async () => {
          if (!killed) return;
          const reader = kills++ % READERS;
          await readers[reader]!.kill();
          truth.setHits(reader, 0); // what it saw is lost with it
          readers[reader] = begin(reader);
        },
      ];
      const writing = write(writer.cache, truth);
      let reports: EndsReport[];
      try {
        while (truth.hits === 0) await delay(20);
        const end = performance.now() + (killed ? MILLISECONDS : MILLISECONDS / 2);
        for (
          let turn = 0;
          performance.now() < end || (truth.hits <= 30 && performance.now() < end + PATIENCE);
          turn++
        ) {
          await troubles[turn % troubles.length]!();
          await delay(300 + Math.random() * 200);
        }
        await server.cli("CONFIG", "SET", "maxmemory", "0");
        await delay(1000); // who was begun last has a turn, too
        truth.stop();
        reports = await Promise.all(readers.map(reportOf));
      } finally {
        truth.stop();
        await writing;
        for (const process of processes) await process[Symbol.asyncDispose]();
        Deno.removeSync(truth.path);
      }
      const hits = reports.reduce((sum, report) => sum + report.hits, 0);
      const longest = Math.max(...reports.map((report) => report.longest));
      const stale = reports.flatMap((report) => report.stale);
      const errors = reports.flatMap((report) => report.errors);
      const ends: Record<string, number> = {};
      for (const report of reports) {
        for (const [how, count] of Object.entries(report.ends)) ends[how] = (ends[how] ?? 0) + count;
      }
      console.log(
        `${name}: ${stale.length} stale of ${hits} hits; loads ${JSON.stringify(ends)}; ` +
          `${kills} processes killed; longest wait ${Math.round(longest)} ms`,
      );
      assertEquals([stale, errors], [[], []]);
      assertGreater(hits, 20);
      assertEquals(kills > 0, killed);
      assertEquals(Object.keys(ends).length, 7);
      assertLess(longest, BOUND);
    },
  });
}
