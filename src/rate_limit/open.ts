import type { Config } from "../config.ts";
import type { EventListener } from "../events.ts";
import type { Batch } from "../redis/batch.ts";
import { MemoryLimitStore } from "./memory_store.ts";
import type { PresetName } from "./presets.ts";
import { limitTimeout, RateLimiter } from "./rate_limiter.ts";
import { RedisLimitStore } from "./redis_store.ts";

/** The rate limits of `connect()`: on its Redis, or in this process. */
export function openRateLimiter<Names extends string>(
  batch: Batch | undefined,
  config: Pick<Config, "namespace" | "buckets" | "rateLimit">,
  on: EventListener | undefined,
): RateLimiter<PresetName | Names> {
  const { namespace, buckets, rateLimit } = config;
  const store = batch
    ? new RedisLimitStore(batch, { namespace, buckets, timeout: limitTimeout(rateLimit) })
    : new MemoryLimitStore({ on });
  return new RateLimiter<string>(store, rateLimit, on) as unknown as RateLimiter<PresetName | Names>;
}
