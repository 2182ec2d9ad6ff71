/** Times to live that fit most services, in seconds, by what is kept. */
export interface TimesToLive {
  /** Of a login: half an hour after it was last used. */
  readonly SESSION: number;
  /** Of what others answer over the network: 5 minutes, as long as few mind that it is old. */
  readonly EXTERNAL_API: number;
  /** Of what changes with a release or by the day, as pages and styles do: a day. */
  readonly STATIC: number;
  /** The window of a limit: a minute. */
  readonly RATE_LIMIT: number;
  /** Of a token of JWT or OAuth 2, which must not outlive its withdrawal for long: 15 minutes. */
  readonly TOKEN: number;
  /** Of what a database answers, where it has to be fresh: 30 seconds. */
  readonly QUERY: number;
  /** Of counts that add up, as visits of a day do: a week. */
  readonly COUNTER: number;
}

/**
 * Times to live that fit most services, in seconds. Where a value may be somewhat old while it is made anew, add
 * `staleWhileRevalidate`; where it must not be, invalidate it when it changes.
 *
 * @example What a database answers
 * ```ts
 * import { connect, TTL } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * await redis.cache.getOrSet("product:456", () => ({ name: "bread" }), { ttl: TTL.QUERY, tags: ["products"] });
 * assert.equal(Math.round((await redis.cache.ttl("product:456"))!), 30);
 * ```
 */
export const TTL: TimesToLive = Object.freeze({
  SESSION: 30 * 60,
  EXTERNAL_API: 5 * 60,
  STATIC: 24 * 60 * 60,
  RATE_LIMIT: 60,
  TOKEN: 15 * 60,
  QUERY: 30,
  COUNTER: 7 * 24 * 60 * 60,
});
