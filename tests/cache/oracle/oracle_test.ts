// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { EFFORT } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { Crew, type CrewJob } from "./crew.ts";
import type { Job, Report } from "./oracle_worker.ts";

type OracleCrew = Crew<Omit<Job, keyof CrewJob>, Report>;

/**
 * Hits that a run judges at least: with `TEST_EFFORT=10`, 10,000, and all that makes trouble goes on for as much
 * longer.
 */
const HITS = 1000 * EFFORT;
/** How often each key is invalidated meanwhile at least: hits may come so fast that there was nothing to judge. */
const INVALIDATED = 20 * EFFORT;
/** How often the same trouble is made. */
const rounds = (count: number): number => Math.ceil(count * EFFORT);

/**
 * Lets a writer and twelve readers in three processes work on a server while `trouble` is made, and sums up what they
 * saw.
 */
async function judge(
  crew: OracleCrew,
  server: RedisServer,
  what: string,
  options: { trouble?: () => Promise<void>; broken?: boolean; through?: TcpProxy } = {},
): Promise<Report> {
  const { trouble, broken = false, through = server } = options;
  const reports = await crew.judge(
    // Who writes must not depend on what happens to who reads.
    ({ role }) => ({ url: role === "reader" ? through.url : server.url, broken }),
    ({ hits, rounds }) => hits >= HITS && rounds >= INVALIDATED,
    trouble,
  );
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

/** What happens while they work, each on a server of its own. */
const cases: Record<string, (crew: OracleCrew) => Promise<void>> = {
  async "in peace"(crew) {
    await using server = await RedisServer.start();
    assertCoherent(await judge(crew, server, "in peace"));
  },

  async "a cache that serves what it remembers is found"(crew) {
    await using server = await RedisServer.start();
    const report = await judge(crew, server, "a broken cache", { broken: true });
    assertGreater(report.stale.length, HITS / 100);
  },

  async "scripts, records and connections are taken away"(crew) {
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
    assertCoherent(await judge(crew, server, "scripts, records and connections taken away", { trouble }));
  },

  async "the network of those who read is slow, silent and cut"(crew) {
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
    assertCoherent(await judge(crew, server, "a network that is slow, silent and cut", { trouble, through }));
  },

  async "the server evicts entries and records"(crew) {
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
    const report = await judge(crew, server, "entries and records evicted", { trouble });
    console.log(`evicted: ${evicted}`);
    assertGreater(evicted, 100);
    assertCoherent(report);
  },

  "the server is killed and comes back with an old snapshot": (crew) => killed(crew, { save: "3600 1000000" }),

  "the server is killed and comes back with its append-only file": (crew) =>
    killed(crew, { appendonly: "yes", appendfsync: "everysec" }),
};

async function killed(crew: OracleCrew, config: Record<string, string>): Promise<void> {
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
  assertCoherent(await judge(crew, server, `killed, back with ${Object.keys(config)[0]}`, { trouble }));
}

Deno.test({
  name: "Cache serves nothing older than the last acknowledged invalidation, in any process, whatever happens",
  ignore: !RedisServer.controllable,
  fn: async (t) => {
    await using crew: OracleCrew = new Crew(import.meta.resolve("./oracle_worker.ts"));
    for (const [name, judged] of Object.entries(cases)) await t.step(name, () => judged(crew));
    await crew.end();
  },
});
