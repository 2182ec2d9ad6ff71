import { connect } from "../../mod.ts";
import type { Contenders } from "../contender_processes.ts";
import type { Run } from "../drive.ts";

/** Over how many identities the calls are spread. */
const IDENTITIES = 10_000;
const IDS = Array.from({ length: 100_000 }, (_, i) => `203.0.113.${i}`);

/** Calls that are allowed and counted, at a URL. */
export const CONTENDERS: Contenders = {
  // Each identity has 100 calls: there are enough of them for a run.
  "exact, 100/h": (url) => checking(url, "EXACT", 100_000),
  "sliding-window, 10,000/h": (url) => checking(url, "SLIDING", IDENTITIES),
  "gcra, 10,000/h": (url) => checking(url, "GCRA", IDENTITIES),
  async "rate-limiter-flexible consume"(url) {
    const { openFlexible } = await import("../peers/rate_limiter_flexible.ts");
    const flexible = await openFlexible(url, 10_000, 3600);
    return (i) => flexible.consume(IDS[i % IDENTITIES]!);
  },
};

async function checking(url: string, name: "EXACT" | "SLIDING" | "GCRA", identities: number): Promise<Run> {
  const redis = await connect({
    url,
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
  return async (i) => {
    const { allowed } = await rateLimit.check(name, IDS[i % identities]!);
    if (!allowed) throw new Error("It is not allowed");
  };
}
