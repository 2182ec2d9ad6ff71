// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { DenoProcess } from "../../support/deno_process.ts";
import { timesAsked } from "../../support/open_cache.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { EFFORT } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import type { LocalJob, LocalReport } from "./local_oracle_worker.ts";
import { READERS, Truth } from "./oracle_truth.ts";

const ignore = !RedisServer.controllable;
/** Hits that each phase judges at least. */
const HITS = 400 * EFFORT;
/** The processes, whose clocks are up to 40 ms apart. */
const PROCESSES = [
  { role: "writer", local: true, skew: -20 },
  { role: "reader", local: true, skew: 20 },
  { role: "reader", local: true, skew: -20 },
  { role: "reader", local: false, skew: 20 },
] as const;

/** A writer and three readers at work. The readers subscribe through a proxy, and two of them keep copies. */
class Oracle implements AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly truth: Truth = Truth.create();
  readonly #processes: DenoProcess[];

  constructor(server: RedisServer, options: { broken?: boolean; quiet?: boolean } = {}) {
    const { broken = false, quiet = false } = options;
    this.server = server;
    this.proxy = TcpProxy.start(server);
    assertEquals(PROCESSES.length, READERS + 1);
    this.#processes = PROCESSES.map((process, i) => {
      const { port } = server;
      const subscribePort = process.role === "reader" ? this.proxy.port : port;
      const job: LocalJob = { ...process, reader: i - 1, port, subscribePort, truth: this.truth.path, broken, quiet };
      return DenoProcess.start(import.meta.resolve("./local_oracle_worker.ts"), JSON.stringify(job));
    });
  }

  /** Makes trouble while the processes go on, and until enough was judged. */
  async phase(what: string, trouble: () => Promise<void>, hits: number = HITS): Promise<void> {
    const before = this.truth.hits;
    await trouble();
    const deadline = performance.now() + 60_000;
    while (this.truth.hits < before + hits) {
      assert(performance.now() < deadline, `${what}: ${this.truth.hits - before} hits only`);
      await delay(5);
    }
    console.log(`${what}: ${this.truth.hits - before} hits`);
  }

  /** Stops the processes and gathers what they saw. */
  async reports(): Promise<LocalReport[]> {
    this.truth.stop();
    return await Promise.all(this.#processes.map((process) => process.receive<LocalReport>()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.truth.stop();
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
    await this.proxy[Symbol.asyncDispose]();
    this.truth[Symbol.dispose]();
    Deno.removeSync(this.truth.path);
  }
}

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

Deno.test({
  name: "No copy is more than 1 s behind, and nothing else is behind at all, whatever goes wrong",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { appendonly: "yes", appendfsync: "everysec" } });
    await using oracle = new Oracle(server);
    const { proxy } = oracle;
    await oracle.phase("in peace", () => delay(500), 5 * HITS);
    // On a busy machine it takes a while until two processes are in touch at a time.
    await until(async () => {
      const [reads, hits] = [await timesAsked(server), oracle.truth.hits];
      await delay(200);
      return await timesAsked(server) - reads < oracle.truth.hits - hits;
    }, "copies are used");
    await oracle.phase("the channel is silent, then lost", async () => {
      for (const silence of [1500, 2200]) {
        proxy.freeze();
        await delay(silence);
        proxy.thaw();
        proxy.cut();
        await delay(400);
      }
    });
    await oracle.phase("the channel is slow", async () => {
      proxy.delay = 150;
      await delay(1000);
      proxy.delay = 0;
    });
    await oracle.phase("scripts, records and connections are taken away", async () => {
      for (let round = 0; round < 2 * EFFORT; round++) {
        for (
          const command of [
            ["SCRIPT", "FLUSH"],
            ["DEL", "{oracle}:ledger"],
            ["CLIENT", "KILL", "TYPE", "pubsub"],
            ["FLUSHALL"],
            ["CLIENT", "KILL", "TYPE", "normal"],
          ]
        ) {
          await server.cli(...command);
          await delay(60);
        }
      }
    });
    await oracle.phase("entries and records are evicted", async () => {
      await server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
      const used = Number(/used_memory:(\d+)/.exec(String(await server.cli("INFO", "memory")))![1]);
      await server.cli("CONFIG", "SET", "maxmemory", used + 300_000);
      for (let i = 0; i < 100; i++) {
        await server.cli("SET", `filler:${i}`, "x".repeat(5000)).catch(() => {}); // more than can be evicted at once
        await delay(10);
      }
      const evicted = Number(/evicted_keys:(\d+)/.exec(String(await server.cli("INFO", "stats")))![1]);
      await server.cli("CONFIG", "SET", "maxmemory", 0);
      assertGreater(evicted, 20);
    });
    await oracle.phase("the server restarts with its data", async () => {
      for (let round = 0; round < 2; round++) {
        await server.restart();
        await delay(400);
      }
    });
    await oracle.phase("the server is killed and comes back with most of its data", async () => {
      for (let round = 0; round < 2; round++) {
        await server.kill();
        await server.restart();
        await delay(400);
      }
    });
    await oracle.phase("the server restarts without its data", async () => {
      for (let round = 0; round < 2; round++) {
        await server.restart({ flush: true });
        await delay(400);
      }
    });
    const reports = await oracle.reports();
    const [copies, none] = [reports.slice(1, 3), reports.slice(3)];
    for (const [what, some] of [["with copies", copies], ["without copies", none]] as const) {
      console.log(
        `${what}: ${sum(some.map(({ stale }) => stale.length))} stale of ${sum(some.map(({ hits }) => hits))} hits; ` +
          `${sum(some.map(({ behind }) => behind))} behind, at most ${
            Math.max(...some.map(({ furthest }) => furthest)).toFixed(0)
          } ms`,
      );
    }
    console.log(`invalidations: ${JSON.stringify(reports[0]!.invalidations)}`);
    for (const { stale, errors } of reports) assertEquals([stale.slice(0, 5), errors.slice(0, 5)], [[], []]);
    assertEquals(Object.keys(reports[0]!.invalidations).sort(), ["clear", "key", "pattern", "tag"]);
    assertGreaterOrEqual(sum(reports.map(({ hits }) => hits)), 8 * HITS);
  },
});

Deno.test({
  name: "The oracle finds copies that are used although nothing is heard of changes",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using oracle = new Oracle(server, { broken: true, quiet: true });
    // On a busy machine little happens in a few seconds.
    const isEnough = () => oracle.truth.hits >= 5000 * EFFORT && oracle.truth.rounds >= 4;
    for (let phase = 0; phase < 16 && !isEnough(); phase++) {
      await oracle.phase("broken copies", () => delay(1000));
    }
    const reports = await oracle.reports();
    const [copies, none] = [reports.slice(1, 3), reports.slice(3)];
    const stale = sum(copies.map(({ stale }) => stale.length));
    console.log(`broken copies: ${stale} stale of ${sum(copies.map(({ hits }) => hits))} hits`);
    assertGreater(stale, 100);
    assertEquals(none[0]!.stale, []);
  },
});
