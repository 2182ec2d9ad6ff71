import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const READS = import.meta.resolve("../contenders/reads.ts");
const LEAST = 2_000_000;
const COPIES = ", copies";

/** Hits on the copies that a process keeps of what is in Redis (L1), one caller. */
export const LOCAL_HIT: Scenario = {
  name: "local-hit",
  async run({ server, rounds }) {
    const names = ["get", "getOrSet", "bentocache getOrSet"];
    const found = await inProcesses(READS, names.map((name) => name + COPIES), [server.url], { callers: 1, rounds });
    const rates = new Map([...found].map(([name, some]) => [name.slice(0, -COPIES.length), some]));
    return compare("L1 hit, 3 tags, 1 caller", rates, ["get", "getOrSet"]).map((row) => (
      { ...row, goal: { of: "ours", least: LEAST } }
    ));
  },
};
