import { MAX_MILLISECONDS } from "../util/duration.ts";

/**
 * How long a value is kept by a number of another library, which takes each: none, 0, `Infinity` and what is longer
 * than anything here means for ever; what is below 0 is over already.
 *
 * @param ttl The number.
 * @param unit Its unit in milliseconds.
 * @returns For the cache: a string, 0 for ever, or undefined for what is over.
 */
export function lifetimeOf(ttl: number | null | undefined, unit: 1 | 1000): string | 0 | undefined {
  if (!ttl || Number.isNaN(Number(ttl))) return 0;
  if (ttl < 0) return undefined;
  const milliseconds = Math.ceil(ttl * unit);
  return milliseconds > MAX_MILLISECONDS ? 0 : `${milliseconds}ms`;
}
