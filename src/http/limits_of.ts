import { describe } from "../util/describe.ts";

/** The rate limits of what `connect()` gave: with anything else, the first request would fail and not the start. */
export function limitsOf<T>(redis: { readonly rateLimit: T }): T {
  const limits = redis?.rateLimit as { gate?: unknown } | undefined;
  if (typeof limits?.gate === "function") return redis.rateLimit;
  throw new TypeError(`Cannot make a middleware with rate limits: wanted what connect() gave, got ${describe(redis)}`);
}
