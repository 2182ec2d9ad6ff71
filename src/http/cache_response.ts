import type { Cache } from "../cache/cache.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import { describe } from "../util/describe.ts";
import { assertRequest } from "../web/fetch_request.ts";
import { assertResponse } from "../web/own_response.ts";
import { ResponseCache } from "./response_cache.ts";
import type { CacheResponseOptions } from "./response_options.ts";

export type { CacheResponseOptions } from "./response_options.ts";

/** Makes a response for a request. */
export type Next = (request: Request) => Response | Promise<Response>;

/**
 * Answers a request, or has it answered. What the server tells of the connection is needed to know proxies by their
 * addresses.
 */
export type Middleware = (request: Request, next: Next, info?: ConnectionInfo) => Promise<Response>;

/**
 * Makes a middleware that keeps responses in the cache, as a shared cache does by RFC 9111.
 *
 * Kept are responses to `GET` with status 200, 203, 204, 300, 301 or 308 (and 302, 303, 307, 404, 405, 410, 414 where
 * they say how long), without `Set-Cookie`, whose `Cache-Control` does not say `no-store`, `no-cache` or `private`; up
 * to 16 variants by their `Vary`. All who ask for the same at the same time share one call of the handler, across
 * processes. The request that the handler is given for it has no visitor: no cookie, no credential, no condition, no
 * range, and a signal of its own, since it also makes a response anew when nobody waits. Visitors with `Cookie` or
 * `Authorization` are given the handler's own answer, and of what is kept only what says `public` or `s-maxage`. A
 * response for which a session was looked at is for its visitor.
 *
 * `HEAD`, a range of bytes, and `If-None-Match` and `If-Modified-Since` are answered from what is kept. What has a
 * validator is made fresh by a conditional request to the handler. A successful `POST`, `PUT`, `PATCH` or `DELETE`
 * through the middleware takes what is kept of its URL along, for every key and variant. `X-Cache` and `Cache-Status`
 * (RFC 9211) say what happened.
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
  const cache = new ResponseCache(redis, options);
  return async (request, next, connection) => {
    assertRequest(request);
    if (typeof next !== "function") {
      throw new TypeError(
        `Cannot answer the request: wanted a function as what makes the response, got ${describe(next)}`,
      );
    }
    const ask = async (asked: Request) => assertResponse(await next(asked));
    return await cache.answer(request, { next: () => ask(request), load: ask, connection });
  };
}
