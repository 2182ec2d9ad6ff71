import type { Cache } from "../cache/cache.ts";
import { describe } from "../util/describe.ts";
import type { Duration } from "../util/duration.ts";

/**
 * The part of a cache that a store has for itself.
 *
 * @throws {TypeError} If there is no cache.
 */
export function cacheFor(redis: { readonly cache: Cache }, namespace: string, what: string): Cache {
  if (typeof redis?.cache?.namespace === "function") return redis.cache.namespace(namespace);
  throw new TypeError(`Cannot make a store for ${what}: wanted what connect() gave, got ${describe(redis)}`);
}

/**
 * Reads what a visitor would lose by a miss that is none: the cache takes an outage for one.
 *
 * @throws {Error} If Redis did not answer.
 */
export async function readOrFail(cache: Cache, key: string, what: string): Promise<unknown> {
  const { errors } = cache.stats();
  const value = await cache.get(key);
  if (value === undefined && cache.stats().errors > errors) {
    throw new Error(`Cannot read ${what}: Redis did not answer`);
  }
  return value;
}

/**
 * Stores the same.
 *
 * @throws {Error} If it is not stored.
 */
export async function storeOrFail(
  cache: Cache,
  key: string,
  value: unknown,
  ttl: Duration,
  what: string,
): Promise<void> {
  if (!await cache.set(key, value, { ttl })) throw new Error(`Cannot store ${what}: the cache did not take it`);
}
