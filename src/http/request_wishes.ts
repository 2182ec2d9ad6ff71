import { parseCacheControl, secondsOf } from "../web/cache_control.ts";

/** What a request wishes of caches (RFC 9111, section 5.2.1). */
export interface RequestWishes {
  /** It wants nothing to be kept. */
  readonly noStore: boolean;
  /** It wants what is made for it. */
  readonly noCache: boolean;
  /** It wants nothing to be made. */
  readonly onlyIfCached: boolean;
  /** The most seconds that a response may be old. */
  readonly maxAge: number;
  /** The seconds for which a response has to be fresh yet. */
  readonly minFresh: number;
  /** The seconds for which a response may have been stale. */
  readonly maxStale: number;
}

/** The wishes of a request that has none. */
export const NO_WISHES: RequestWishes = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAge: Infinity,
  minFresh: 0,
  maxStale: 0,
};

/** What a request wishes of caches. */
export function wishesOf({ headers }: Request): RequestWishes {
  const header = headers.get("cache-control");
  if (header === null) {
    // What came before `Cache-Control` (RFC 9111, section 5.4).
    return /\bno-cache\b/i.test(headers.get("pragma") ?? "") ? { ...NO_WISHES, noCache: true } : NO_WISHES;
  }
  const directives = parseCacheControl(header);
  const maxAge = secondsOf(directives, "max-age") ?? Infinity;
  return {
    noStore: directives.has("no-store"),
    noCache: directives.has("no-cache") || maxAge === 0,
    onlyIfCached: directives.has("only-if-cached"),
    maxAge,
    minFresh: secondsOf(directives, "min-fresh") ?? 0,
    maxStale: directives.get("max-stale") === true ? Infinity : secondsOf(directives, "max-stale") ?? 0,
  };
}
