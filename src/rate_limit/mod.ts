/**
 * Named rate limits that hold: no preset ever admits more than its limit in any window, whatever the clocks of the
 * processes say and however many ask at once.
 *
 * @example Limit logins
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const attempts = await Promise.all(Array.from({ length: 50 }, () => redis.rateLimit.check("AUTH", "192.0.2.7")));
 * assert.equal(attempts.filter(({ allowed }) => allowed).length, 5);
 * ```
 *
 * @module
 */
export { RateLimiter } from "./rate_limiter.ts";
export type { RateLimitCounts, RateLimitStats } from "./stats.ts";
export type { DecisionSource, RateLimitResult, RateLimitState } from "./result.ts";
export type { Limiter } from "./limiter.ts";
export type { Reservation } from "./reservation.ts";
export type { CheckOptions, LimitEntry, PeekOptions, RateLimitOptions } from "./options.ts";
export type { OutagePolicy, PresetName, PresetOptions } from "./presets.ts";
export {
  addressKey,
  type AddressTeller,
  type ConnectionInfo,
  type SocketLike,
  type TrustProxy,
  type TrustProxyOptions,
} from "./address.ts";
export type {
  DecideOptions,
  FromRequest,
  Gate,
  GateDecision,
  GateOptions,
  LimitBy,
  Refusal,
  Route,
  RouteLimits,
  Rules,
} from "./guard.ts";
export { MemoryLimitStore, type MemoryLimitStoreOptions } from "./memory_store.ts";
export type { Action, Algorithm, LimitStore, Reserved, Rule, Standing, Step } from "./store.ts";
export type { ClosedBy } from "../errors.ts";
export type { Durability } from "../redis/durability.ts";
export type { Replication } from "../redis/replication.ts";
export type { ReplicaWait } from "../redis/wait_for_replicas.ts";
export type { Duration } from "../util/duration.ts";
