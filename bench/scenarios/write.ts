import { inProcesses } from "../contender_processes.ts";
import { OTHER_WRITERS } from "../peers/all.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const WRITES = import.meta.resolve("../contenders/writes.ts");

/** Stores with three tags; only Larder and bentocache keep the tags. */
export const WRITE: Scenario = {
  name: "write",
  async run({ server, rounds }) {
    const rates = await inProcesses(WRITES, ["set", ...OTHER_WRITERS], [server.url], { callers: 64, rounds });
    return compare("write, 3 tags, 64 callers", rates, ["set"], { "node-redis stringify + set": 0.6 });
  },
};
