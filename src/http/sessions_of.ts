import { describe } from "../util/describe.ts";

/** The sessions of what `connect()` gave: with anything else, the first request would fail and not the start. */
export function sessionsOf<T>(redis: { readonly sessions: T }): T {
  const sessions = redis?.sessions as { forRequest?: unknown } | undefined;
  if (typeof sessions?.forRequest === "function") return redis.sessions;
  throw new TypeError(`Cannot make a middleware with sessions: wanted what connect() gave, got ${describe(redis)}`);
}
