import type { RedisServer } from "../../tests/support/redis_server.ts";
import { openLarder } from "../peers/larder.ts";
import { fill } from "../readers.ts";
import { median } from "../row.ts";
import type { Scenario } from "../scenario.ts";
import { KEYS, NAMES } from "../workload.ts";

const CALLERS = 64;
const READS = 20_000;

/** What a hit costs the server in all its commands, beside a plain `MGET` of the same keys, as its counters tell. */
export const SERVER_COST: Scenario = {
  name: "server-cost",
  async run({ server, rounds }) {
    await using larder = await openLarder(server.url);
    await fill([larder]);
    await larder.invalidateByTag("another");
    const keys = NAMES.map((name) => `{larder-bench}:c:${name}`);
    const { client } = larder.larder;
    const mget = async (i: number) => {
      const reply = await client.sendCommand("MGET", keys.slice(i % (KEYS - CALLERS), i % (KEYS - CALLERS) + CALLERS));
      if (!Array.isArray(reply) || reply.includes(null)) throw new Error("It is not there");
    };
    const hits = (i: number) => Promise.all(Array.from({ length: CALLERS }, (_, j) => larder.read(i + j)));
    for (let i = 0; i < READS; i += CALLERS) await hits(i);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < Math.min(rounds, 7); round++) {
      ours.push(await costOf(server, hits));
      theirs.push(await costOf(server, mget));
    }
    return [{
      work: `server time per hit, 3 tags, ${CALLERS} callers`,
      ours: { value: median(ours), unit: "µs" },
      peer: { name: "MGET of the same keys", figure: { value: median(theirs), unit: "µs" } },
      ratio: median(ours.map((value, i) => theirs[i]! / value)),
      goal: { of: "ratio", least: 0.5 },
    }];
  },
};

/** Microseconds that the server spent in commands, for each key. */
async function costOf(server: RedisServer, run: (i: number) => Promise<unknown>): Promise<number> {
  await server.cli("CONFIG", "RESETSTAT");
  for (let i = 0; i < READS; i += CALLERS) await run(i);
  const stats = String(await server.cli("INFO", "commandstats"));
  let microseconds = 0;
  for (const [, name, usec] of stats.matchAll(/cmdstat_([^:]+):calls=\d+,usec=(\d+)/g)) {
    // What a script runs is counted with the script, and by itself.
    if (!/^(config|info|ping)/.test(name!)) microseconds += Number(usec);
  }
  return microseconds / READS;
}
