import { inProcesses } from "../contender_processes.ts";
import { OTHER_READERS } from "../peers/all.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const READS = import.meta.resolve("../contenders/reads.ts");
/** What is aimed at with 64 callers. */
const GOALS = {
  "@db/redis get": 20,
  "bentocache getOrSet": 15,
  "ioredis auto-pipelined get + parse": 1.5,
  "node-redis get + parse": 1.5,
};

/** Hits with three tags, another tag having been invalidated since, as in any service that runs. */
export const READ_HIT_64: Scenario = readHit("read-hit-64", 64, GOALS, {
  "@db/redis get": 20,
  "node-redis get + parse": 1.3,
});
/** The same by one caller, where each command waits for the one before. */
export const READ_HIT_1: Scenario = readHit("read-hit-1", 1, { "node-redis get + parse": 0.9 });
/** The same by many. */
export const READ_HIT_256: Scenario = readHit("read-hit-256", 256, { "node-redis get + parse": 1.4 });
/** The same by few. */
export const READ_HIT_8: Scenario = readHit("read-hit-8", 8, { "node-redis get + parse": 1 });

/** Hits by a process that was started after the invalidation, and has the server look each tag up. */
export const READ_HIT_INVALIDATED: Scenario = {
  name: "read-hit-invalidated",
  async run({ server, rounds }) {
    const later = ["get, started later", "getOrSet, started later"];
    const peers = ["bentocache getOrSet", "node-redis get + parse"];
    const names = ["get", ...later, ...peers];
    const rates = await inProcesses(READS, names, [server.url], { callers: 64, rounds });
    rates.delete("get"); // it has filled the cache
    return compare("read hit, 64 callers, another tag was invalidated", rates, later);
  },
};

function readHit(
  name: string,
  callers: number,
  goals: Record<string, number> = {},
  goalsOfLoads: Record<string, number> = goals,
): Scenario {
  return {
    name,
    async run({ server, rounds }) {
      const names = ["get", "getOrSet", ...OTHER_READERS];
      const rates = await inProcesses(READS, names, [server.url], { callers, rounds });
      const work = `read hit, 3 tags, ${callers} ${callers === 1 ? "caller" : "callers"}`;
      const without = (name: string) => new Map([...rates].filter(([other]) => other !== name));
      return [
        ...compare(work, without("getOrSet"), ["get"], goals),
        ...compare(work, without("get"), ["getOrSet"], goalsOfLoads),
      ];
    },
  };
}
