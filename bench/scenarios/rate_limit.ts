import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const LIMITS = import.meta.resolve("../contenders/limits.ts");
const PEER = "rate-limiter-flexible consume";

/** Calls that are allowed, each counted in Redis, by limits of both kinds that are the default. */
export const RATE_LIMIT: Scenario = {
  name: "rate-limit",
  async run({ server, rounds }) {
    const ours = ["exact, 100/h", "sliding-window, 10,000/h", "gcra, 10,000/h"];
    const rates = await inProcesses(LIMITS, [...ours, PEER], [server.url], { callers: 64, rounds });
    return compare("rate limit check, 64 callers", rates, ours, { [PEER]: 2.2 });
  },
};
