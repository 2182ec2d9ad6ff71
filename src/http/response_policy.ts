import { describe } from "../util/describe.ts";
import { type Duration, TIME_TO_LIVE, toMilliseconds } from "../util/duration.ts";
import { compileGlob } from "../util/glob.ts";
import { assertTags } from "../util/keys.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { TRUST_WANTED, type TrustProxy } from "../rate_limit/address.ts";
import { type SchemeReader, schemeReader } from "../rate_limit/scheme_reader.ts";
import { isHeaderName } from "../web/header_name.ts";

/** Which responses are kept, and how long. */
export interface ResponsePolicy {
  /** Seconds for a response that does not say; `Infinity` = for ever, `undefined` = only those that say. */
  readonly ttl: number | undefined;
  /** Seconds; `undefined` = what the response says. */
  readonly staleWhileRevalidate: number | undefined;
  /** Seconds; `undefined` = what the response says. */
  readonly staleIfError: number | undefined;
  readonly tags: NonNullable<CacheResponseOptions["tags"]>;
  /** Names of headers, in lower case, sorted. */
  readonly vary: readonly string[];
  readonly key: CacheResponseOptions["key"];
  /** Names of headers, in lower case. */
  readonly personal: readonly string[];
  readonly ignoresCookie: (name: string) => boolean;
  readonly ignoresQuery: (name: string) => boolean;
  /** Whether what a request wishes of caches is ignored. */
  readonly deaf: boolean;
  readonly maxBytes: number;
  /** Milliseconds; `Infinity` = for ever. */
  readonly timeout: number;
  /** Tells the scheme by proxies that are named here; `undefined` = those that limits believe. */
  readonly schemeOf: SchemeReader | undefined;
}

const OPTIONS = optionNames<CacheResponseOptions>({
  ttl: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  tags: true,
  vary: true,
  key: true,
  personal: true,
  ignoreCookies: true,
  ignoreQuery: true,
  ignoreRequestCacheControl: true,
  maxBytes: true,
  timeout: true,
  trustProxy: true,
});

const MAX_BYTES = 2 ** 20;
/** Room for the head of a response beside its body. */
const HEAD = 64 * 2 ** 10;
const WHAT = "Cannot cache responses: wanted";

/**
 * Checks the options.
 *
 * @param options What came.
 * @param most The most bytes of one value of the cache.
 * @throws {TypeError | RangeError} If one is not as it should be.
 */
export function responsePolicyOf(options: CacheResponseOptions, most: number): ResponsePolicy {
  assertOptions(options, OPTIONS, "cache responses");
  const { ttl = "1m", staleWhileRevalidate, staleIfError, tags = [], key, timeout = "30s" } = options;
  const { maxBytes = Math.min(MAX_BYTES, Math.max(1, most - HEAD)) } = options;
  const vary = namesOf(options.vary, "vary");
  for (const name of ["cookie", "authorization"]) {
    if (!vary.includes(name)) continue;
    throw new TypeError(`${WHAT} who shares a response to be told by "key", got ${describe(name)} in "vary"`);
  }
  if (key !== undefined && typeof key !== "function") {
    throw new TypeError(`${WHAT} a function as "key", got ${describe(key)}`);
  }
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw new RangeError(`${WHAT} a number of bytes >= 1 as "maxBytes", got ${describe(maxBytes)}`);
  }
  if (options.maxBytes !== undefined && maxBytes > most) {
    throw new RangeError(`${WHAT} "maxBytes" up to that of the cache, ${most}, got ${describe(maxBytes)}`);
  }
  if (typeof tags !== "function") assertTags(tags, "cache responses");
  for (const [name, flag] of Object.entries({ ignoreRequestCacheControl: options.ignoreRequestCacheControl })) {
    if (flag !== undefined && typeof flag !== "boolean") {
      throw new TypeError(`${WHAT} true or false as "${name}", got ${describe(flag)}`);
    }
  }
  return {
    ttl: ttl === "response" ? undefined : toMilliseconds(ttl, "ttl", TIME_TO_LIVE) / 1000 || Infinity,
    staleWhileRevalidate: secondsFor(staleWhileRevalidate, "staleWhileRevalidate"),
    staleIfError: secondsFor(staleIfError, "staleIfError"),
    tags,
    vary,
    key,
    personal: namesOf(options.personal, "personal"),
    ignoresCookie: matcherOf(options.ignoreCookies, "ignoreCookies"),
    ignoresQuery: matcherOf(options.ignoreQuery, "ignoreQuery"),
    deaf: options.ignoreRequestCacheControl === true,
    maxBytes,
    timeout: toMilliseconds(timeout, "timeout") || Infinity,
    schemeOf: schemeReaderFor(options.trustProxy),
  };
}

function schemeReaderFor(trust: TrustProxy | undefined): SchemeReader | undefined {
  if (trust === undefined) return undefined;
  try {
    return schemeReader(trust);
  } catch {
    throw new TypeError(`${WHAT} ${TRUST_WANTED} as "trustProxy", got ${describe(trust)}`);
  }
}

function secondsFor(duration: Duration | undefined, name: string): number | undefined {
  return duration === undefined ? undefined : toMilliseconds(duration, name) / 1000;
}

function namesOf(names: unknown, option: string): string[] {
  if (names === undefined) return [];
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string" || !isHeaderName(name) || name === "*")) {
    throw new TypeError(`${WHAT} names of headers as "${option}", got ${describe(names)}`);
  }
  return [...new Set((names as string[]).map((name) => name.toLowerCase()))].sort();
}

function matcherOf(globs: unknown, option: string): (name: string) => boolean {
  if (globs === undefined) return () => false;
  if (!Array.isArray(globs) || globs.some((glob) => typeof glob !== "string" || glob === "")) {
    throw new TypeError(`${WHAT} names, with * for what varies, as "${option}", got ${describe(globs)}`);
  }
  const matchers = (globs as string[]).map((glob) => compileGlob(glob));
  return (name) => matchers.some((matches) => matches(name));
}
