import { describe } from "../util/describe.ts";
import { type DurationLimits, toMilliseconds } from "../util/duration.ts";
import { assertOptions } from "../util/option_names.ts";
import type { HeaderStyle } from "./headers.ts";
import { LIMITS } from "./option_names.ts";
import type { RateLimitOptions } from "./options.ts";

/** How long a check may take. */
export const LIMIT_TIMEOUT: DurationLimits = { min: 1, max: 60_000 };

/** What the option `localShare` may be. */
export const LOCAL_SHARE = {
  wanted: "a number above 0, up to 1",
  fits: (share: unknown): share is number => typeof share === "number" && share > 0 && share <= 1,
} as const;

/** What is not about a single limit, checked and complete. */
export interface Settings {
  readonly style: HeaderStyle;
  readonly localShare: number;
  readonly maxDenials: number;
}

/**
 * Checks options and fills in what is not given.
 *
 * @throws {TypeError | RangeError} If one cannot be used.
 */
export function settingsOf(options: RateLimitOptions): Settings {
  assertOptions(options, LIMITS, "open rate limits");
  const { localShare = 0.5, maxDenials = 10_000, legacyHeaders = "epoch", exposeHeaders = false } = options;
  if (!LOCAL_SHARE.fits(localShare)) {
    throw new RangeError(`Cannot use "localShare": wanted ${LOCAL_SHARE.wanted}, got ${describe(localShare)}`);
  }
  if (!Number.isSafeInteger(maxDenials) || maxDenials < 0) {
    throw new RangeError(`Cannot use "maxDenials": wanted a whole number of at least 0, got ${describe(maxDenials)}`);
  }
  if (legacyHeaders !== false && legacyHeaders !== "epoch" && legacyHeaders !== "delta") {
    const got = describe(legacyHeaders);
    throw new TypeError(`Cannot use "legacyHeaders": wanted "epoch", "delta" or false, got ${got}`);
  }
  if (typeof exposeHeaders !== "boolean") {
    throw new TypeError(`Cannot use "exposeHeaders": wanted a boolean, got ${describe(exposeHeaders)}`);
  }
  return { style: { legacy: legacyHeaders, expose: exposeHeaders }, localShare, maxDenials };
}

/** The milliseconds of the option `timeout`, where it was given. */
export function limitTimeout(options: RateLimitOptions): number | undefined {
  if (options.timeout === undefined) return undefined;
  return toMilliseconds(options.timeout, "rateLimit.timeout", LIMIT_TIMEOUT);
}
