import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { describe } from "../util/describe.ts";

/** How a limit stands, as `@nestjs/throttler` wants it: times in seconds. */
export interface ThrottlerRecord {
  /** Calls within the window, the refused one included. */
  readonly totalHits: number;
  /** Until the window is empty. */
  readonly timeToExpire: number;
  /** Whether the call is refused. */
  readonly isBlocked: boolean;
  /** Until one is allowed again. */
  readonly timeToBlockExpire: number;
}

/** A storage as `@nestjs/throttler` wants it. */
export interface ThrottlerStorage {
  /** Counts a call; `ttl` and `blockDuration` are milliseconds. */
  increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord>;
}

/** Different limits of one app. */
const MOST = 1000;

/**
 * Makes a storage for `@nestjs/throttler`: no window ever has more calls than its limit, in all processes together.
 * Who is refused is let in again as soon as the window has room; what is refused does not count, so that a
 * `blockDuration` beyond the window is not heeded.
 *
 * @param redis What `connect()` gave.
 * @returns The storage, as in `ThrottlerModule.forRoot({ throttlers, storage: throttlerStorage(redis) })`.
 * @throws {TypeError} If there are no limits.
 *
 * @example Two calls a minute
 * ```ts
 * import { connect } from "@larder/larder";
 * import { throttlerStorage } from "@larder/larder/stores";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const storage = throttlerStorage(redis);
 * const count = async () => (await storage.increment("10.0.0.1", 60_000, 2, 0, "default")).isBlocked;
 * assert.deepEqual([await count(), await count(), await count()], [false, false, true]);
 * ```
 */
export function throttlerStorage<Names extends string>(
  redis: { readonly rateLimit: RateLimiter<Names> },
): ThrottlerStorage {
  if (typeof redis?.rateLimit?.define !== "function") {
    throw new TypeError(`Cannot make a store for throttler: wanted what connect() gave, got ${describe(redis)}`);
  }
  const limiter = redis.rateLimit as unknown as RateLimiter<string>;
  const defined = new Set<string>();
  return {
    async increment(key, ttl, limit, _blockDuration, throttlerName) {
      const name = `THROTTLER-${throttlerName}-${limit}-${ttl}`;
      if (!defined.has(name)) {
        if (defined.size >= MOST) throw new RangeError(`Cannot count calls: wanted at most ${MOST} different limits`);
        limiter.define(name, { limit, window: `${ttl}ms` });
        defined.add(name);
      }
      const { allowed, remaining, resetAfter, retryAfter } = await limiter.check(name, key);
      return {
        totalHits: allowed ? limit - remaining : limit + 1,
        timeToExpire: Math.ceil(resetAfter),
        isBlocked: !allowed,
        timeToBlockExpire: Math.ceil(retryAfter),
      };
    },
  };
}
