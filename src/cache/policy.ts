import { describe } from "../describe.ts";
import { type Duration, toMilliseconds } from "../duration.ts";
import type { LifetimeOptions } from "./options.ts";
import type { Lifetime } from "./store.ts";

/** The lifetime options in milliseconds, all given. `Infinity` = for ever. */
export interface Policy {
  /** How long a value is fresh. */
  readonly ttl: number;
  /** How long it is served beyond that while it is refreshed. */
  readonly staleWhileRevalidate: number;
  /** How long it is served beyond its freshness when the loader fails. */
  readonly staleIfError: number;
  /** By what share the ttl is shortened, at most. */
  readonly jitter: number;
}

const DEFAULTS: Policy = { ttl: 3_600_000, staleWhileRevalidate: 0, staleIfError: 0, jitter: 0 };

/**
 * Checks lifetime options and fills in what is not given.
 *
 * @throws {TypeError} If one has the wrong shape.
 * @throws {RangeError} If one is out of range.
 */
export function policyOf(options: LifetimeOptions, defaults: Policy = DEFAULTS): Policy {
  const { ttl, staleWhileRevalidate, staleIfError, jitter } = options;
  if (
    ttl === undefined && staleWhileRevalidate === undefined && staleIfError === undefined && jitter === undefined
  ) return defaults;
  return {
    ttl: ttl === undefined ? defaults.ttl : ttlOf(ttl),
    staleWhileRevalidate: staleWhileRevalidate === undefined
      ? defaults.staleWhileRevalidate
      : toMilliseconds(staleWhileRevalidate, "staleWhileRevalidate"),
    staleIfError: staleIfError === undefined ? defaults.staleIfError : toMilliseconds(staleIfError, "staleIfError"),
    jitter: jitter === undefined ? defaults.jitter : share(jitter, "jitter"),
  };
}

/** A ttl in milliseconds; 0, which means for ever, becomes `Infinity`. */
export function ttlOf(ttl: Duration): number {
  return toMilliseconds(ttl, "ttl") || Infinity;
}

/** How long an entry written now is what. */
export function lifetimeOf(policy: Policy, random: () => number = Math.random): Lifetime {
  const { ttl, staleWhileRevalidate, staleIfError, jitter } = policy;
  if (ttl === Infinity) return { fresh: Infinity, stale: Infinity, error: Infinity };
  // Only ever earlier: nobody is served what is older than they said.
  const fresh = jitter === 0 ? ttl : Math.max(1, Math.round(ttl * (1 - jitter * random())));
  const stale = fresh + staleWhileRevalidate;
  return { fresh, stale, error: Math.max(stale, fresh + staleIfError) };
}

function share(value: unknown, what: string): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use "${what}": wanted a number from 0 to 1, got ${describe(value)}`);
  }
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`Cannot use "${what}": wanted a number from 0 to 1, got ${describe(value)}`);
  }
  return value;
}
