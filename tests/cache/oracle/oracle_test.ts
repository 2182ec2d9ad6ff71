// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { EFFORT } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { READERS, Truth } from "./oracle_truth.ts";
import type { Job, Report } from "./oracle_worker.ts";

const ignore = !RedisServer.controllable;
/**
 * Hits that a run judges at least: with `TEST_EFFORT=10`, 10,000, and all that makes trouble goes on for as much
 * longer.
 */
const HITS = 1000 * EFFORT;
/** How often each key is invalidated meanwhile at least: hits may come so fast that there was nothing to judge. */
const INVALIDATED = 20 * EFFORT;
/** How often the same trouble is made. */
const rounds = (count: number): number => Math.ceil(count * EFFORT);

/** Runs one process of the oracle until it is told to stop. */
async function run(job: Job): Promise<Report> {
  const root = new URL("../../../", import.meta.url).pathname;
  // The processes use the same client as this one.
  const standIn = import.meta.resolve("@db/redis").startsWith("file:");
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-lock", "--no-check", "--allow-all", "--config", `${root}deno.json`],
      ...(standIn ? ["--import-map", `${root}tests/offline/import_map.json`] : []),
      `${root}tests/cache/oracle/oracle_worker.ts`,
      JSON.stringify(job),
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`The ${job.role} ended with code ${code}: ${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout));
}

/**
 * Lets a writer and twelve readers in three processes work on a server while `trouble` is made, and sums up what they
 * saw.
 */
async function judge(
  server: RedisServer,
  what: string,
  options: { trouble?: () => Promise<void>; broken?: boolean; through?: TcpProxy } = {},
): Promise<Report> {
  using truth = Truth.create();
  const jobs: Job[] = ["writer", ...Array<"reader">(READERS).fill("reader")].map((role, i) => ({
    role: role as Job["role"],
    reader: i - 1,
    // Who writes must not depend on what happens to who reads.
    url: role === "reader" ? options.through?.url ?? server.url : server.url,
    truth: truth.path,
    broken: options.broken ?? false,
  }));
  const running = Promise.all(jobs.map(run));
  running.catch(() => truth.stop());
  try {
    while (truth.hits === 0 && !truth.stopped) await delay(5);
    await options.trouble?.();
    while ((truth.hits < HITS || truth.rounds < INVALIDATED) && !truth.stopped) await delay(5);
  } finally {
    truth.stop();
    await running.catch(() => {});
    Deno.removeSync(truth.path);
  }
  const reports = await running;
  const sum: Report = { hits: 0, loads: 0, stale: [], invalidations: {}, errors: [] };
  for (const report of reports) {
    sum.hits += report.hits;
    sum.loads += report.loads;
    sum.stale.push(...report.stale);
    sum.errors.push(...report.errors);
    Object.assign(sum.invalidations, report.invalidations);
  }
  const kinds = Object.entries(sum.invalidations).map(([kind, count]) => `${count} by ${kind}`).join(", ");
  console.log(`${what}: ${sum.stale.length} stale of ${sum.hits} hits; ${sum.loads} loads; invalidations: ${kinds}`);
  return sum;
}

function assertCoherent(report: Report): void {
  assertEquals(report.stale, []);
  assertEquals(report.errors, []);
  assertGreaterOrEqual(report.hits, HITS);
  assertEquals(Object.keys(report.invalidations).sort(), ["clear", "key", "pattern", "set", "tag"]);
}

Deno.test({
  name: "Cache serves nothing older than the last acknowledged invalidation, in any process",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    assertCoherent(await judge(server, "in peace"));
  },
});

Deno.test({
  name: "The oracle finds a cache that serves what it remembers",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const report = await judge(server, "a broken cache", { broken: true });
    assertGreater(report.stale.length, HITS / 100);
  },
});

Deno.test({
  name: "Cache serves nothing old while scripts, records and connections are taken away",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const trouble = async () => {
      for (let round = 0; round < rounds(2); round++) {
        for (
          const command of [
            ["SCRIPT", "FLUSH"],
            ["DEL", "{oracle}:ledger"],
            ["CLIENT", "KILL", "TYPE", "normal"],
            ["FLUSHALL"],
          ]
        ) {
          await server.cli(...command);
          await delay(60);
        }
      }
    };
    assertCoherent(await judge(server, "scripts, records and connections taken away", { trouble }));
  },
});

Deno.test({
  name: "Cache serves nothing old while the network of those who read is slow, silent and cut",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using through = TcpProxy.start(server);
    const trouble = async () => {
      for (let round = 0; round < rounds(2); round++) {
        through.delay = 40;
        await delay(150);
        through.cut();
        through.delay = 0;
        await delay(100);
        through.freeze();
        await delay(250);
        through.thaw();
        await delay(150);
      }
    };
    assertCoherent(await judge(server, "a network that is slow, silent and cut", { trouble, through }));
  },
});

Deno.test({
  name: "Cache serves nothing old while the server evicts entries and records",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { "maxmemory-policy": "allkeys-random" } });
    let evicted = 0;
    const trouble = async () => {
      const used = Number(/used_memory:(\d+)/.exec(String(await server.cli("INFO", "memory")))![1]);
      await server.cli("CONFIG", "SET", "maxmemory", used + 300_000);
      for (let i = 0; i < 150; i++) {
        await server.cli("SET", `filler:${i}`, "x".repeat(5000)).catch(() => {}); // more than can be evicted at once
        await delay(10);
      }
      evicted = Number(/evicted_keys:(\d+)/.exec(String(await server.cli("INFO", "stats")))![1]);
      await server.cli("CONFIG", "SET", "maxmemory", 0);
    };
    const report = await judge(server, "entries and records evicted", { trouble });
    console.log(`evicted: ${evicted}`);
    assertGreater(evicted, 100);
    assertCoherent(report);
  },
});

for (
  const [what, config] of Object.entries({
    "an old snapshot": { save: "3600 1000000" },
    "its append-only file": { appendonly: "yes", appendfsync: "everysec" },
  })
) {
  Deno.test({
    name: `Cache serves nothing old after the server was killed and came back with ${what}`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start({ config });
      const trouble = async () => {
        for (let round = 0; round < rounds(2); round++) {
          // The snapshot has entries and leases; what was invalidated after it, the server forgets.
          if ("save" in config) await server.cli("SAVE");
          await delay(150);
          await server.kill();
          await server.restart();
          await delay(250);
        }
      };
      assertCoherent(await judge(server, `killed, back with ${what}`, { trouble }));
    },
  });
}
