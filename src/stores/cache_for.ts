import type { Cache } from "../cache/cache.ts";
import { describe } from "../util/describe.ts";

/**
 * The part of a cache that a store has for itself.
 *
 * @throws {TypeError} If there is no cache.
 */
export function cacheFor(redis: { readonly cache: Cache }, namespace: string, what: string): Cache {
  if (typeof redis?.cache?.namespace === "function") return redis.cache.namespace(namespace);
  throw new TypeError(`Cannot make a store for ${what}: wanted what connect() gave, got ${describe(redis)}`);
}
