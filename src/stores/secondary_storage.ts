import type { Cache } from "../cache/cache.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { cacheFor, readOrFail, storeOrFail } from "./cache_for.ts";
import { lifetimeOf } from "./lifetime.ts";
import { limitsFor } from "./limits_for.ts";

/** A storage as better-auth wants it for sessions, verifications and limits. */
export interface SecondaryStorage {
  /** Reads a text. */
  get(key: string): Promise<string | null>;
  /** Reads a text and takes it away: of all who ask at a time, one is given it. */
  getAndDelete(key: string): Promise<string | null>;
  /** Stores a text, for so many seconds; without a number for ever. */
  set(key: string, value: string, ttl?: number): Promise<void>;
  /** Takes it away. */
  delete(key: string): Promise<void>;
  /** Counts a call of a window that began with the first and lasts so many seconds. Resolves to how many there were. */
  increment(key: string, ttl: number): Promise<number>;
}

/** A text as it is stored; without the text it was taken. */
interface Kept {
  readonly text?: string;
  readonly name?: string;
}

/** How long it is remembered that a text was taken. */
const TAKEN_FOR = "1m";
/** More calls than a window can have. */
const MOST = 1_000_000_000;

/**
 * Makes a `secondaryStorage` for better-auth out of a cache and its limits. While Redis does not answer, reads and
 * writes are errors, since better-auth would take a miss for the end of a session; what is to be taken away is taken
 * away when it is back, and calls are counted by each process until then.
 *
 * @param redis What `connect()` gave.
 * @returns The storage, as in `betterAuth({ secondaryStorage: secondaryStorage(redis) })`.
 * @throws {TypeError} If there is no cache, or there are no limits.
 *
 * @example A text
 * ```ts
 * import { connect } from "@larder/larder";
 * import { secondaryStorage } from "@larder/larder/stores";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const storage = secondaryStorage(redis);
 * await storage.set("session:1", "{}", 60);
 * assert.equal(await storage.get("session:1"), "{}");
 * assert.deepEqual([await storage.getAndDelete("session:1"), await storage.get("session:1")], ["{}", null]);
 * assert.deepEqual([await storage.increment("10.0.0.1", 60), await storage.increment("10.0.0.1", 60)], [1, 2]);
 * ```
 */
export function secondaryStorage<Names extends string>(
  redis: { readonly cache: Cache; readonly rateLimit: RateLimiter<Names> },
): SecondaryStorage {
  const cache = cacheFor(redis, "auth", "better-auth");
  const limits = limitsFor(redis, "better-auth");
  // Each text has a name of its own, which one of all who want it alone can take away: whatever is stored under the
  // key meanwhile is another text.
  const names = cache.namespace("once");
  const read = async (key: string) => {
    const kept = await readOrFail(cache, key, "text of better-auth");
    return typeof kept === "string" ? { text: kept } : kept as Kept | undefined; // of an older release
  };
  /** Notes that a text was taken, unless there is another by now: under the lease of a load. */
  const take = async (key: string, name: string) => {
    await cache.getOrSet<unknown>(key, (load) => {
      if ((load.stale as Kept | undefined)?.name !== name) return load.skip(null);
      load.setTtl(TAKEN_FOR);
      return { name };
    }, { fresh: true });
  };
  return {
    async get(key) {
      return (await read(key))?.text ?? null;
    },
    async getAndDelete(key) {
      const { text, name } = await read(key) ?? {};
      if (text === undefined) return null;
      if (name === undefined) return await cache.delete(key) ? text : null;
      if (!await names.delete(name)) return null;
      await take(key, name);
      return text;
    },
    async set(key, value, ttl) {
      const lasts = lifetimeOf(ttl, 1000);
      if (lasts === undefined) return void await cache.invalidate(key);
      const name = crypto.randomUUID();
      await Promise.all([
        storeOrFail(names, name, 1, lasts, "text of better-auth"),
        storeOrFail(cache, key, { name, text: value }, lasts, "text of better-auth"),
      ]);
    },
    async delete(key) {
      await cache.invalidate(key);
    },
    async increment(key, ttl) {
      const name = `BETTER-AUTH-${ttl}`;
      const limiter = limits(name, { limit: MOST, window: ttl, algorithm: "fixed-window" });
      const { limit, remaining } = await limiter.check(name, key);
      return limit - remaining; // less than MOST in an outage
    },
  };
}
