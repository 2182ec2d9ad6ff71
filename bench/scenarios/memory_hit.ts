import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const READS = import.meta.resolve("../contenders/reads.ts");

/** Hits on the embedded store, one caller: no Redis at all. */
export const MEMORY_HIT: Scenario = {
  name: "memory-hit",
  async run({ rounds }) {
    const names = ["get", "getOrSet", "bentocache getOrSet"];
    const rates = await inProcesses(READS, names, ["memory:"], { callers: 1, rounds });
    return compare("embedded store hit, 3 tags, 1 caller", rates, ["get", "getOrSet"]);
  },
};
