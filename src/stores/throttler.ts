import { createHash } from "node:crypto";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { limitsFor } from "./limits_for.ts";

/** The most calls and milliseconds that limits have here: what is more, as `Infinity`, is as much. */
const MOST = 1_000_000_000;
const LONGEST = 366 * 86_400_000;

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

/**
 * Makes a storage for `@nestjs/throttler`: no window ever has more calls than its limit, in all processes together.
 * Who is refused is let in again as soon as the window has room, as what is refused does not count; with a
 * `blockDuration` longer than the window, when that is over.
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
  const limits = limitsFor(redis, "throttler");
  return {
    async increment(key, givenTtl, givenLimit, givenBlock, throttlerName) {
      const ttl = Math.min(givenTtl, LONGEST);
      const blockDuration = Math.min(givenBlock, LONGEST);
      const limit = Math.min(Math.floor(givenLimit), MOST);
      if (ttl <= 0) return { totalHits: 1, timeToExpire: 0, isBlocked: false, timeToBlockExpire: 0 };
      if (limit <= 0) return refusal(0, ttl / 1000, Math.max(ttl, blockDuration) / 1000); // nobody is let in
      const named = nameOf(throttlerName);
      const name = `THROTTLER-${named}-${limit}-${ttl}`;
      const limiter = limits(name, { limit, window: `${ttl}ms` });
      const block = blockDuration > ttl ? `THROTTLER-BLOCK-${named}-${blockDuration}` : undefined;
      if (block) {
        limits(block, { limit: 1, window: `${blockDuration}ms`, algorithm: "fixed-window" });
        const { remaining, resetAfter } = await limiter.peek(block, key);
        if (remaining === 0) return refusal(limit, resetAfter, resetAfter);
      }
      const { allowed, limit: most, remaining, resetAfter, retryAfter } = await limiter.check(name, key);
      if (!allowed) {
        const over = block ? (await limiter.check(block, key)).resetAfter : retryAfter;
        return refusal(limit, resetAfter, over);
      }
      return {
        totalHits: most - remaining, // of a part of the limit in an outage
        timeToExpire: Math.ceil(resetAfter),
        isBlocked: false,
        timeToBlockExpire: 0,
      };
    },
  };
}

/** As limits are named here: of a throttler of another name, a digest. */
function nameOf(throttlerName: string): string {
  if (/^[\w.-]{0,16}$/.test(throttlerName)) return throttlerName;
  return createHash("sha256").update(throttlerName).digest("base64url").slice(0, 16);
}

function refusal(limit: number, resetAfter: number, over: number): ThrottlerRecord {
  return {
    totalHits: limit + 1,
    timeToExpire: Math.ceil(resetAfter),
    isBlocked: true,
    timeToBlockExpire: Math.ceil(over),
  };
}
