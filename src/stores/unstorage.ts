import type { Cache } from "../cache/cache.ts";
import { escapeGlob } from "../util/glob.ts";
import { cacheFor } from "./cache_for.ts";
import { lifetimeOf } from "./lifetime.ts";

/** A driver as unstorage 1 wants it. */
export interface UnstorageDriver {
  /** Its name. */
  readonly name: string;
  /** Whether it is there. */
  hasItem(key: string): Promise<boolean>;
  /** Reads. */
  getItem(key: string): Promise<string | number | boolean | object | null>;
  /** Stores; `ttl` in seconds, without it for ever. */
  setItem(key: string, value: string, options?: { ttl?: number }): Promise<void>;
  /** Reads bytes. */
  getItemRaw(key: string): Promise<unknown>;
  /** Stores bytes. */
  setItemRaw(key: string, value: unknown, options?: { ttl?: number }): Promise<void>;
  /** Takes away. */
  removeItem(key: string): Promise<void>;
  /** The keys that begin with a base. */
  getKeys(base?: string): Promise<string[]>;
  /** Takes all away whose keys begin with a base. */
  clear(base?: string): Promise<void>;
}

/**
 * Makes a driver for unstorage out of a cache, as of Nitro and Nuxt: what is stored has a part of the keys of its own.
 *
 * @param redis What `connect()` gave.
 * @returns The driver, as in `createStorage({ driver: unstorageDriver(redis) })`.
 * @throws {TypeError} If there is no cache.
 */
export function unstorageDriver(redis: { readonly cache: Cache }): UnstorageDriver {
  const cache = cacheFor(redis, "unstorage", "unstorage");
  const read = async (key: string) => await cache.get<string>(key) ?? null;
  const write = async (key: string, value: unknown, options?: { ttl?: number }) => {
    const ttl = lifetimeOf(options?.ttl, 1000);
    if (ttl === undefined) await cache.invalidate(key);
    else await cache.set(key, value, { ttl });
  };
  return {
    name: "larder",
    hasItem: (key) => cache.has(key),
    getItem: read,
    setItem: write,
    getItemRaw: read,
    setItemRaw: write,
    async removeItem(key) {
      await cache.invalidate(key);
    },
    async getKeys(base = "") {
      const keys: string[] = [];
      for await (const { key } of cache.inspect(`${escapeGlob(base)}*`)) keys.push(key);
      return keys;
    },
    async clear(base = "") {
      if (base === "") await cache.clear();
      else await cache.invalidateByPattern(`${escapeGlob(base)}*`);
    },
  };
}
