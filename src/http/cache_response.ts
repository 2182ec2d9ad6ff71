import type { Cache } from "../cache/cache.ts";
import type { Duration } from "../duration.ts";
import { cacheOf, ResponseCache } from "./response_cache.ts";

/** Options of {@linkcode cacheResponse}. */
export interface CacheResponseOptions {
  /**
   * How long a response is fresh that does not say it itself by `s-maxage`, `max-age` or `Expires`: seconds, a string such as `"5m"`,
   * 0 = for ever; `"response"` = it is not kept.
   *
   * @default {"1m"}
   */
  ttl?: Duration | "response" | undefined;
  /**
   * How long after that it is served while it is made anew behind the scenes, unless the response forbids to be served stale.
   *
   * @default {what the response says by `stale-while-revalidate` (RFC 5861), else 0}
   */
  staleWhileRevalidate?: Duration | undefined;
  /**
   * How long after the end of its freshness it is served when the handler throws, answers 5xx or does not answer, unless the response
   * forbids to be served stale.
   *
   * @default {what the response says by `stale-if-error` (RFC 5861), else 0}
   */
  staleIfError?: Duration | undefined;
  /** Names by which responses can be invalidated together, or a function that gives them; at most 63. @default {[]} */
  tags?: readonly string[] | ((request: Request, response: Response) => readonly string[]) | undefined;
  /**
   * Headers of the request on which each response depends, beside those that it names in its `Vary`. `Forwarded` and `X-Forwarded-…` reach
   * the handler of a shared response only where they are named here. Who the visitor is, is for `key`.
   *
   * @default {[]}
   */
  vary?: readonly string[] | undefined;
  /**
   * What a response depends on beside its URL, such as the user: text, or `undefined` = do not cache this one. With it, you say that
   * requests with `Cookie` or `Authorization` may share a response when they share a key, and the handler is given both.
   * `{ replace: text }` takes the place of the URL: then all URLs with that text share one response.
   */
  key?: ((request: Request) => string | { readonly replace: string } | undefined) | undefined;
  /**
   * Headers beside `Cookie` and `Authorization` that say who the visitor is, as in `["x-api-key"]`. Who sends one is given no response
   * that is not said to be `public`, and leaves none for others.
   *
   * @default {[]}
   */
  personal?: readonly string[] | undefined;
  /** Names of cookies that mean nobody, with `*` for what varies, as in `["_ga*"]`. @default {[]} */
  ignoreCookies?: readonly string[] | undefined;
  /** Names of parameters of the query that mean nothing to the handler, which does not see them, as in `["utm_*"]`. @default {[]} */
  ignoreQuery?: readonly string[] | undefined;
  /** Whether `Cache-Control` and `Pragma` of a request are ignored, so that nobody can make the handler work. @default {false} */
  ignoreRequestCacheControl?: boolean | undefined;
  /**
   * The longest body that is kept, in bytes; longer ones go through.
   *
   * @default {1_048_576} (1 MiB), or what fits into a value of the cache
   */
  maxBytes?: number | undefined;
  /**
   * How long the handler may take for a shared response: then its own caller gets 504, and who waits besides asks the handler himself;
   * 0 = for ever.
   *
   * @default {"30s"}
   */
  timeout?: Duration | undefined;
}

/** Makes a response for a request. */
export type Next = (request: Request) => Response | Promise<Response>;

/** Answers a request, or has it answered. */
export type Middleware = (request: Request, next: Next) => Promise<Response>;

/**
 * Makes a middleware that keeps responses in the cache, as a shared cache does by RFC 9111.
 *
 * Kept are responses to `GET` with status 200, 203, 204, 300, 301 or 308 (and 302, 303, 307, 404, 405, 410, 414 where they say how long),
 * without `Set-Cookie`, whose `Cache-Control` does not say `no-store`, `no-cache` or `private`; up to 16 variants by their `Vary`.
 * All who ask for the same at the same time share one call of the handler, across processes. The request that the handler is given for
 * it has no visitor: no cookie, no credential, no condition, no range, and a signal of its own, since it also makes a response
 * anew when nobody waits. Visitors with `Cookie` or `Authorization` are given the handler's own answer, and of what is kept only
 * what says `public` or `s-maxage`. A response for which a session was looked at is for its visitor.
 *
 * `HEAD`, a range of bytes, and `If-None-Match` and `If-Modified-Since` are answered from what is kept. What has a validator is made
 * fresh by a conditional request to the handler. A successful `POST`, `PUT`, `PATCH` or `DELETE` through the middleware takes what is
 * kept of its URL along, for every key and variant. `X-Cache` and `Cache-Status` (RFC 9211) say what happened.
 *
 * @param redis What `connect()` gave, or a cache.
 * @param options How long, under which tags, for whom.
 * @returns The middleware: `(request, next) => response`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 *
 * @example Around a handler
 * ```ts
 * import { connect } from "@larder/larder";
 * import { cacheResponse } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const cached = cacheResponse(redis, { ttl: "5m", tags: ["pages"] });
 * let made = 0;
 * const page = () => new Response(`page ${++made}`);
 *
 * const request = new Request("http://localhost/about");
 * assert.equal(await (await cached(request, page)).text(), "page 1");
 * const again = await cached(request, page);
 * assert.deepEqual([await again.text(), again.headers.get("x-cache")], ["page 1", "HIT"]);
 *
 * await redis.cache.invalidateByTag("pages");
 * assert.equal(await (await cached(request, page)).text(), "page 2");
 * ```
 */
export function cacheResponse(
  redis: { readonly cache: Cache } | Cache,
  options: CacheResponseOptions = {},
): Middleware {
  const cache = new ResponseCache(cacheOf(redis), options);
  return (request, next) => cache.answer(request, { next: () => next(request), load: next });
}
