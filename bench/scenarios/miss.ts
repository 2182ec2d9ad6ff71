import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const MISSES = import.meta.resolve("../contenders/misses.ts");

/** Keys that are not there: each is looked up, loaded and stored. */
export const MISS_256: Scenario = {
  name: "miss-256",
  async run({ server, rounds }) {
    const names = ["getOrSet", "bentocache set after get", "node-redis get, set"];
    const rates = await inProcesses(MISSES, names, [server.url], { callers: 256, rounds });
    return compare("miss, load and store, 256 callers", rates, ["getOrSet"]);
  },
};
