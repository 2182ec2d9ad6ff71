import { LRUCache } from "lru-cache";

/**
 * A cache of the values used last, at most so many. It grows with what is in it: `LRUCache` with `max` reserves room
 * for all of them at once, which for 100,000 stops the process for tens of milliseconds.
 */
export function growingLru<V extends NonNullable<unknown>>(
  max: number,
  options: { readonly ttl?: number } = {},
): LRUCache<string, V> {
  // It looks at the clock each time: else it would remember what it said by a timer that nobody can end.
  return new LRUCache<string, V>({ ...options, maxSize: max, sizeCalculation: () => 1, ttlResolution: 0 });
}
