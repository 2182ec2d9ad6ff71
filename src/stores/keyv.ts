import type { Cache } from "../cache/cache.ts";
import { escapeGlob } from "../util/glob.ts";
import { cacheFor } from "./cache_for.ts";
import { lifetimeOf } from "./lifetime.ts";

/** A store as Keyv 5 and 6 want it, and with Keyv 5 cache-manager. */
export interface KeyvStore {
  /** What Keyv reads. */
  readonly opts: { readonly dialect: string; readonly url: string };
  /** The namespace, which Keyv sets. */
  namespace?: string | undefined;
  /** Reads. */
  get(key: string): Promise<unknown>;
  /** Reads several. */
  getMany(keys: string[]): Promise<unknown[]>;
  /** Stores, for so many milliseconds; without a number for ever. */
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  /** Takes away. */
  delete(key: string): Promise<boolean>;
  /** Takes several away. */
  deleteMany(keys: string[]): Promise<boolean>;
  /** Takes all of the namespace away. */
  clear(): Promise<void>;
  /** Whether it is there. */
  has(key: string): Promise<boolean>;
  /** All that is there. */
  iterator(namespace?: string): AsyncGenerator<[string, unknown], void>;
  /** Listens; nothing is told here, as failures are events of `connect()`. */
  on(event: string, listener: (...args: unknown[]) => void): KeyvStore;
}

/**
 * Makes a store for Keyv out of a cache: what is stored has a part of the keys of its own. Each `Keyv` of a
 * namespace wants a store of its own: Keyv 5 does not say whose `clear()` it is, and it is that of the last one.
 *
 * @param redis What `connect()` gave.
 * @returns The store, as in `new Keyv({ store: keyvStore(redis), namespace: "users" })`.
 * @throws {TypeError} If there is no cache.
 */
export function keyvStore(redis: { readonly cache: Cache }): KeyvStore {
  const cache = cacheFor(redis, "keyv", "Keyv");
  const patternOf = (namespace: string | undefined) => namespace ? `${escapeGlob(namespace)}:*` : "*";
  // Functions that are not async, Keyv 6 takes for those of a Map.
  const store: KeyvStore = {
    opts: { dialect: "redis", url: "" },
    async get(key) {
      return await cache.get(key);
    },
    async getMany(keys) {
      const found = await cache.getMany(keys);
      return keys.map((key) => found.get(key));
    },
    async set(key, value, ttl) {
      const lasts = ttl === 0 ? undefined : lifetimeOf(ttl, 1); // for Keyv 6, what lasts for 0 ms is over
      if (lasts !== undefined) return await cache.set(key, value, { ttl: lasts });
      await cache.delete(key);
      return true;
    },
    async delete(key) {
      return await cache.delete(key);
    },
    async deleteMany(keys) {
      return (await Promise.all(keys.map((key) => cache.delete(key)))).some(Boolean);
    },
    async clear() {
      if (store.namespace) await cache.invalidateByPattern(patternOf(store.namespace));
      else await cache.clear();
    },
    async has(key) {
      return await cache.has(key);
    },
    async *iterator(namespace) {
      for await (const entry of cache.inspect(patternOf(namespace), { values: true })) yield [entry.key, entry.value];
    },
    on: () => store,
  };
  return store;
}
