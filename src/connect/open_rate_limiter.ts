import type { Config } from "./config.ts";
import type { EventListener } from "../observe/events.ts";
import type { Batch } from "../redis/batch.ts";
import { MemoryLimitStore } from "../rate_limit/memory_store.ts";
import type { PresetName } from "../rate_limit/presets.ts";
import { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { limitTimeout } from "../rate_limit/settings.ts";
import { RedisLimitStore } from "../rate_limit/redis/store.ts";

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
