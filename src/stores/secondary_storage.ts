import type { Cache } from "../cache/cache.ts";
import { cacheFor } from "./cache_for.ts";

/** A storage as better-auth wants it for sessions and limits. */
export interface SecondaryStorage {
  /** Reads a text. */
  get(key: string): Promise<string | null>;
  /** Stores a text, for so many seconds; without a number for ever. */
  set(key: string, value: string, ttl?: number): Promise<void>;
  /** Takes it away. */
  delete(key: string): Promise<void>;
}

/**
 * Makes a `secondaryStorage` for better-auth out of a cache. A Redis that does not answer is a miss; what is to be
 * taken away is taken away when it is back.
 *
 * @param redis What `connect()` gave.
 * @returns The storage, as in `betterAuth({ secondaryStorage: secondaryStorage(redis) })`.
 * @throws {TypeError} If there is no cache.
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
 * await storage.delete("session:1");
 * assert.equal(await storage.get("session:1"), null);
 * ```
 */
export function secondaryStorage(redis: { readonly cache: Cache }): SecondaryStorage {
  const cache = cacheFor(redis, "auth", "better-auth");
  return {
    async get(key) {
      const text = await cache.get(key);
      return typeof text === "string" ? text : null;
    },
    async set(key, value, ttl = 0) {
      await cache.set(key, value, { ttl });
    },
    async delete(key) {
      await cache.invalidate(key);
    },
  };
}
