import { ok } from "node:assert/strict";
import { connect } from "../../mod.ts";
import { openFlexible } from "../peers/rate_limiter_flexible.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

/** Over how many identities the calls are spread. */
const IDENTITIES = 10_000;
const IDS = Array.from({ length: IDENTITIES }, (_, i) => `203.0.113.${i}`);
const PEER = "rate-limiter-flexible consume";

/** Calls that are allowed, each counted in Redis, by limits of both kinds that are the default. */
export const RATE_LIMIT: Scenario = {
  name: "rate-limit",
  async run({ server, rounds }) {
    await using redis = await connect({
      url: server.url,
      namespace: "larder-bench",
      commandTimeout: "10s", // what is measured is how long it takes, not when it gives up
      rateLimit: {
        timeout: "10s",
        presets: {
          EXACT: { limit: 100, window: "1h" },
          SLIDING: { limit: 10_000, window: "1h" },
          GCRA: { limit: 10_000, window: "1h", algorithm: "gcra" },
        },
      },
    });
    await redis.ready({ timeout: "10s" });
    const { rateLimit } = redis;
    await using flexible = await openFlexible(server.url, 10_000, 3600);
    const larder = (name: "EXACT" | "SLIDING" | "GCRA") => async (i: number) => {
      const { allowed } = await rateLimit.check(name, IDS[i % IDENTITIES]!);
      ok(allowed);
    };
    const contenders = [
      { name: "exact, 100/h", run: larder("EXACT") },
      { name: "sliding-window, 10,000/h", run: larder("SLIDING") },
      { name: "gcra, 10,000/h", run: larder("GCRA") },
      { name: PEER, run: (i: number) => flexible.consume(IDS[i % IDENTITIES]!) },
    ];
    const rates = await inRounds(contenders, { callers: 64, rounds });
    const ours = contenders.slice(0, 3).map(({ name }) => name);
    return compare("rate limit check, 64 callers", rates, ours, { [PEER]: 2.2 });
  },
};
