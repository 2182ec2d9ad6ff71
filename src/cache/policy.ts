import { describe } from "../util/describe.ts";
import { type Duration, TIME_TO_LIVE, toMilliseconds } from "../util/duration.ts";
import { LEASE, TIMER } from "./option_ranges.ts";
import type { LifetimeOptions, LoadOptions } from "./options.ts";
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
  return toMilliseconds(ttl, "ttl", TIME_TO_LIVE) || Infinity;
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

/** How loaders are run, in milliseconds. */
export interface LoadPolicy {
  /** How long a lease lasts. */
  readonly lease: number;
  /** When an older value is served instead. */
  readonly timeout: number | undefined;
  /** When a caller gets an error. */
  readonly hardTimeout: number | undefined;
  /** How eagerly fresh values are refreshed. */
  readonly beta: number;
  /** How long before their end they are. */
  readonly refreshAhead: number;
  /** When a caller loads although somebody else does; 0 = never. */
  readonly waitTimeout: number | undefined;
  /** Whether a value that cannot be stored is handed out all the same. */
  readonly unstorable: "serve" | "throw";
}

const LOADS: LoadPolicy = {
  lease: 10_000,
  timeout: undefined,
  hardTimeout: undefined,
  beta: 0,
  refreshAhead: 0,
  waitTimeout: undefined,
  unstorable: "serve",
};

/**
 * Checks options of loads and fills in what is not given.
 *
 * @throws {TypeError} If one has the wrong shape.
 * @throws {RangeError} If one is out of range.
 */
export function loadPolicyOf(options: LoadOptions, defaults: LoadPolicy = LOADS): LoadPolicy {
  const { lease, timeout, hardTimeout, beta, refreshAhead, waitTimeout, unstorable } = options;
  if (
    lease === undefined && timeout === undefined && hardTimeout === undefined && beta === undefined &&
    refreshAhead === undefined && waitTimeout === undefined && unstorable === undefined
  ) return defaults;
  return {
    lease: lease === undefined ? defaults.lease : toMilliseconds(lease, "lease", LEASE),
    timeout: timeout === undefined ? defaults.timeout : toMilliseconds(timeout, "timeout", TIMER),
    hardTimeout: hardTimeout === undefined
      ? defaults.hardTimeout
      : toMilliseconds(hardTimeout, "hardTimeout", TIMER) || undefined,
    beta: beta === undefined ? defaults.beta : eagerness(beta),
    refreshAhead: refreshAhead === undefined ? defaults.refreshAhead : toMilliseconds(refreshAhead, "refreshAhead"),
    waitTimeout: waitTimeout === undefined ? defaults.waitTimeout : toMilliseconds(waitTimeout, "waitTimeout", TIMER),
    unstorable: unstorable === undefined ? defaults.unstorable : fate(unstorable),
  };
}

/**
 * How long before the end of its freshness a value of such a ttl is refreshed: one that is always due would be loaded
 * by each read.
 */
export function capped(refreshAhead: number, ttl: number): number {
  return refreshAhead < ttl ? refreshAhead : Math.floor(ttl / 2);
}

/**
 * Whether a fresh value is to be refreshed before its time.
 *
 * @param policy How eagerly.
 * @param left Milliseconds that it is still fresh.
 * @param loadTime Milliseconds that its loader took.
 */
export function isEarly(
  policy: LoadPolicy,
  left: number,
  loadTime: number,
  random: () => number = Math.random,
): boolean {
  if (policy.refreshAhead > 0 && left <= policy.refreshAhead) return true;
  return policy.beta > 0 && -Math.log(1 - random()) * loadTime * policy.beta >= left;
}

function fate(value: unknown): "serve" | "throw" {
  if (value === "serve" || value === "throw") return value;
  throw new TypeError(`Cannot use "unstorable": wanted "serve" or "throw", got ${describe(value)}`);
}

function eagerness(value: unknown): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use "beta": wanted a number of at least 0, got ${describe(value)}`);
  }
  if (!(value >= 0 && value < Infinity)) {
    throw new RangeError(`Cannot use "beta": wanted a number of at least 0, got ${describe(value)}`);
  }
  return value;
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
