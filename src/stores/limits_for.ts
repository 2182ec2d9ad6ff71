import type { PresetOptions } from "../rate_limit/presets.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { describe } from "../util/describe.ts";

/** Different limits of one store. */
const MOST = 1000;

/**
 * The limits that a store has for itself, each defined when it is first counted by.
 *
 * @throws {TypeError} If there are no limits.
 */
export function limitsFor<Names extends string>(
  redis: { readonly rateLimit: RateLimiter<Names> },
  what: string,
): (name: string, options: PresetOptions) => RateLimiter<string> {
  if (typeof redis?.rateLimit?.define !== "function") {
    throw new TypeError(`Cannot make a store for ${what}: wanted what connect() gave, got ${describe(redis)}`);
  }
  const limiter = redis.rateLimit as unknown as RateLimiter<string>;
  const defined = new Set<string>();
  return (name, options) => {
    if (!defined.has(name)) {
      if (defined.size >= MOST) throw new RangeError(`Cannot count calls: wanted at most ${MOST} different limits`);
      limiter.define(name, options);
      defined.add(name);
    }
    return limiter;
  };
}
