import { inProcesses } from "../contender_processes.ts";
import { delayed } from "../delayed.ts";
import { OTHER_READERS } from "../peers/all.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const READS = import.meta.resolve("../contenders/reads.ts");
const DELAY = 1;
/** One that waits varies less than one that computes, and takes longer. */
const FEW = 7;
const GOALS = { "@db/redis get": 60, "node-redis get + parse": 1 };

/** Hits with three tags over a network that takes a millisecond per direction. */
export const READ_HIT_DELAYED: Scenario = {
  name: "read-hit-delayed",
  async run({ server, rounds }) {
    using far = await delayed(server, DELAY);
    const ours = ["get", "getOrSet"];
    const names = [...ours, ...OTHER_READERS];
    const rates = await inProcesses(READS, names, [far.url], { callers: 64, rounds: Math.min(rounds, FEW) });
    return compare("read hit, 3 tags, 64 callers, 1 ms per direction", rates, ours, GOALS);
  },
};
