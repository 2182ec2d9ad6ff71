import { type Directives, parseCacheControl, parseTargeted, secondsOf } from "../web/cache_control.ts";
import { parseHttpDate } from "../web/http_date.ts";
import { isHeaderName } from "../web/header_name.ts";
import { isOfVisitor } from "./load_request.ts";
import type { ResponsePolicy } from "./response_policy.ts";

/** How a response may be kept. */
export interface Freshness {
  /** Seconds that it is fresh from now; `Infinity` = for ever. */
  readonly ttl: number;
  /** Seconds that it was old when it came. */
  readonly age: number;
  /** Seconds after that for which it is served while it is made anew. */
  readonly staleWhileRevalidate: number;
  /** Seconds after that for which it is served when it cannot be made anew. */
  readonly staleIfError: number;
  /** Whether it says that it is for whoever asks, with whatever cookie. */
  readonly open: boolean;
  /** Whether it forbids to be served stale. */
  readonly strict: boolean;
  /** Names of the headers of the request on which it says to depend. */
  readonly vary: readonly string[];
}

/** Responses that may be kept although they do not say how long (RFC 9110, section 15.1), errors left out. */
const KEPT = new Set([200, 203, 204, 300, 301, 308]);
/** Responses that are kept where they say how long. */
const KEPT_IF_SAID = new Set([302, 303, 307, 404, 405, 410, 414]);
/** Longest that a response may say it is fresh, in seconds: a year (RFC 9111, section 1.2.2, leaves it open). */
const YEAR = 31_536_000;

/** How a response may be kept; `undefined` where it may not. */
export function freshnessOf({ status, headers }: Response, policy: ResponsePolicy): Freshness | undefined {
  if (headers.has("set-cookie")) return undefined;
  if (/^\s*text\/event-stream/i.test(headers.get("content-type") ?? "")) return undefined;
  const vary = varyOf(headers);
  // What a load was not given cannot tell its responses apart.
  if (vary.some((name) => name === "*" || !isHeaderName(name) || isOfVisitor(name, policy))) return undefined;
  const targeted = parseTargeted(headers.get("cdn-cache-control"));
  const directives = targeted ?? parseCacheControl(headers.get("cache-control"));
  if (["no-store", "no-cache", "private"].some((name) => directives.has(name))) return undefined;
  const said = saidOf(directives) ?? (targeted ? undefined : expiryOf(headers));
  if (
    said === undefined ? policy.ttl === undefined || !KEPT.has(status) : !KEPT.has(status) && !KEPT_IF_SAID.has(status)
  ) {
    return undefined;
  }
  const age = ageOf(headers);
  const ttl = said === undefined ? policy.ttl! : Math.min(said, YEAR) - age;
  if (ttl <= 0) return undefined;
  const shared = directives.has("s-maxage");
  // RFC 9111, section 4.2.4: these forbid a stale response, whatever anybody else wishes.
  const strict = shared || directives.has("must-revalidate") || directives.has("proxy-revalidate");
  return {
    ttl,
    age,
    staleWhileRevalidate: strict
      ? 0
      : policy.staleWhileRevalidate ?? secondsOf(directives, "stale-while-revalidate") ?? 0,
    staleIfError: strict ? 0 : policy.staleIfError ?? secondsOf(directives, "stale-if-error") ?? 0,
    open: shared || directives.has("public"),
    strict,
    vary,
  };
}

/** Names in `Vary`, in lower case, sorted. */
export function varyOf(headers: Headers): string[] {
  const names = (headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
  return [...new Set(names)].sort();
}

/**
 * Seconds that a response was old when it came (RFC 9111, section 5.1): the first that is said; what makes no sense is
 * nothing.
 */
function ageOf(headers: Headers): number {
  const first = (headers.get("age") ?? "").split(",")[0]!.trim();
  return /^\d+$/.test(first) ? Number(first) : 0;
}

/** Seconds for which a response says to be fresh for caches that many share. */
function saidOf(directives: Directives): number | undefined {
  return secondsOf(directives, "s-maxage") ?? secondsOf(directives, "max-age");
}

function expiryOf(headers: Headers): number | undefined {
  const text = headers.get("expires");
  if (text === null) return undefined;
  const expires = parseHttpDate(text);
  if (expires === undefined) return 0; // "0" and its like stand for the past
  return Math.floor((expires - (parseHttpDate(headers.get("date")) ?? Date.now())) / 1000);
}
