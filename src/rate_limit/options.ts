import type { Durability } from "../redis/durability.ts";
import type { Duration } from "../util/duration.ts";
import type { TrustProxy } from "./address.ts";
import type { PresetName, PresetOptions } from "./presets.ts";

/** Options of the rate limits. */
export interface RateLimitOptions<Names extends string = string> {
  /**
   * Named limits beside those that are there, or instead of them where the name is the same. Their names are known to
   * the types.
   *
   * @default {{}}
   */
  presets?: { readonly [Name in Names | PresetName]?: PresetOptions } | undefined;
  /**
   * How long a check waits for Redis before the policy of its preset decides: seconds, or a string, up to one minute.
   * It counts from when the check is written; `commandTimeout` is the longest.
   *
   * @default {"100ms", or three times the round trip that was measured, up to `commandTimeout`}
   */
  timeout?: Duration | undefined;
  /**
   * What share of a limit this process allows by itself while Redis does not answer and the policy is `local`: more
   * than 0, up to 1. With n processes, 1/n keeps the whole at the limit.
   *
   * @default {0.5}
   */
  localShare?: number | undefined;
  /**
   * How many refusals this process remembers, so as to repeat them without asking Redis; 0 = none.
   *
   * @default {10_000}
   */
  maxDenials?: number | undefined;
  /**
   * Which proxies are believed about the address of a client: networks (`["10.0.0.0/8"]`, `"private"`, `"loopback"`),
   * how many proxies there are, or `"any"`. Nobody is believed by default: the address is that of the connection.
   */
  trustProxy?: TrustProxy | undefined;
  /**
   * How many bits of an IPv6 address are one client: from 32, as some providers give to a customer, to 128.
   *
   * @default {64}
   */
  ipv6Prefix?: number | undefined;
  /**
   * Whether to send `X-RateLimit-Limit`, `-Remaining` and `-Reset` too: `epoch` with the reset in seconds since 1970,
   * `delta` in seconds from now, `false` not at all.
   *
   * @default {"epoch"}
   */
  legacyHeaders?: "epoch" | "delta" | false | undefined;
  /**
   * Whether `Access-Control-Expose-Headers` names the headers of the limits, so that scripts of other origins may read
   * them.
   *
   * @default {false}
   */
  exposeHeaders?: boolean | undefined;
  /**
   * Waits until so many replicas have what was counted, after each check that is allowed, and each penalty:
   * `replicated` of the result says whether they had it in time, and `replicas.missed` is the event where they had not.
   * What is refused writes nothing and waits for none. Each call may say it for itself. Needs a client that can open
   * another connection.
   *
   * @default {none}
   */
  durability?: Durability | undefined;
}

/** Options of a look at a limit. */
export interface PeekOptions {
  /** How much it takes of the limit: a whole number from 1 to the limit. @default {1} */
  cost?: number | undefined;
  /** Ends the wait with the signal's reason. What was already sent to Redis counts all the same. */
  signal?: AbortSignal | undefined;
}

/** Options of one check. */
export interface CheckOptions extends PeekOptions {
  /**
   * Waits until so many replicas have what was counted: `replicated` says whether they had it in time.
   *
   * @default {the `durability` of the limits}
   */
  durability?: Durability | undefined;
}

/**
 * One limit of a `checkAll()`: its name, whose, and how much.
 *
 * @example By address and by account
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const both = await redis.rateLimit.checkAll([["DEFAULT", "192.0.2.7"], ["AUTH", "ada@example.com"]]);
 * assert.equal(both.allowed, true);
 * assert.deepEqual(both.results.map(({ name, remaining }) => [name, remaining]), [["DEFAULT", 99], ["AUTH", 4]]);
 * ```
 */
export type LimitEntry<Names extends string = string> = readonly [name: Names, id: string, cost?: number];
