import type { Cache } from "../cache/cache.ts";
import { describe } from "../util/describe.ts";

/**
 * The cache of what `connect()` gave, or the cache that was given.
 *
 * @throws {TypeError} If it is neither.
 */
export function cacheOf(redis: { readonly cache: Cache } | Cache): Cache {
  const cache = (redis as { cache?: Cache } | undefined)?.cache ?? redis as Cache;
  if (typeof cache?.getOrSet === "function") return cache;
  throw new TypeError(`Cannot cache responses: wanted what connect() gave, or a cache, got ${describe(redis)}`);
}
