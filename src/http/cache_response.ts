import type { Cache } from "../cache/cache.ts";
import type { LoaderContext } from "../cache/options.ts";
import { describe } from "../describe.ts";
import type { Duration } from "../duration.ts";
import { answerFrom, mark } from "./cached_answer.ts";
import { keep, keyOf, refusalOf, responsePolicyOf, tagsOf, wishOf } from "./response_policy.ts";
import { badRequest, targetOf } from "./target.ts";
import { watchVisitor } from "./visitor.ts";
import { decodeResponse, encodeResponse } from "./stored_response.ts";

/** Options of {@linkcode cacheResponse}. */
export interface CacheResponseOptions {
  /**
   * How long a response is fresh that does not say it itself by `s-maxage` or `max-age`: seconds, or a string such as `"5m"`.
   *
   * @default {"1m"}
   */
  ttl?: Duration | undefined;
  /** How long after that it is served while it is made anew behind the scenes. @default {0} */
  staleWhileRevalidate?: Duration | undefined;
  /** How long after the end of its freshness it is served when the handler throws or answers 5xx. @default {0} */
  staleIfError?: Duration | undefined;
  /** Names by which responses can be invalidated together, or a function that gives them. @default {[]} */
  tags?: readonly string[] | ((request: Request, response: Response) => readonly string[]) | undefined;
  /**
   * Headers of the request on which the response depends. One that has other names in its `Vary` is not kept.
   *
   * @default {[]}
   */
  vary?: readonly string[] | undefined;
  /**
   * What the response depends on instead of host, path and query, such as the user; `undefined` = do not cache this one. With it,
   * you say that requests with `Cookie` or `Authorization` may share a response when they share a key.
   */
  key?: ((request: Request) => string | undefined) | undefined;
  /** Whether `no-store` and `no-cache` of a request are ignored, so that nobody can make the handler work. @default {false} */
  ignoreRequestCacheControl?: boolean | undefined;
  /** The longest body that is kept, in bytes; longer ones go through. @default {1_048_576} (1 MiB) */
  maxBytes?: number | undefined;
}

/** Makes a response for a request. */
export type Next = (request: Request) => Response | Promise<Response>;

/** Answers a request, or has it answered. */
export type Middleware = (request: Request, next: Next) => Promise<Response>;

/** Seconds for which it is remembered that a response is not to be kept, so that nobody waits for another's. */
const NOT_KEPT_FOR = 5;
const NOT_KEPT = new Uint8Array(0);

/** The handler answered 5xx: an older response is served instead, if there is one. */
class FailedResponseError extends Error {
  override readonly name: string = "FailedResponseError";
}

/**
 * Makes a middleware that keeps responses in the cache.
 *
 * Kept are responses to `GET` with status 200, 203, 204, 300, 301 or 308, without `Set-Cookie`, whose `Cache-Control` does not say
 * `no-store`, `no-cache` or `private`. Requests with `Cookie` or `Authorization` share only what says `public` or `s-maxage`,
 * or what you give a `key`. A response for which the session was looked at is for its visitor, whether `withSession()` is inside of this or
 * around it. All who ask for the same at the same time share one call of the handler, across processes. `X-Cache` and
 * `Cache-Status` (RFC 9211) say what happened; `If-None-Match` and `If-Modified-Since` are answered with 304.
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
  const cache = cacheOf(redis);
  const policy = responsePolicyOf(options);
  return async (request, next) => {
    if (!targetOf(request)) return badRequest();
    const refusal = refusalOf(request);
    const key = refusal === undefined ? await keyOf(request, policy) : undefined;
    if (key === undefined) return mark(await next(request), { fwd: refusal ?? "bypass" });
    const wish = policy.deaf ? undefined : wishOf(request);
    // Whoever is known already is given what is made for nobody else.
    if (watchVisitor(request, ({ isPersonal }) => isPersonal)) return mark(await next(request), { fwd: "bypass" });
    if (wish === "no-store") return mark(await next(request), { fwd: "request" });

    // What is not kept is for its own caller alone.
    let own: Response | undefined;
    let madeAt: number | undefined;
    let waiting = true;
    const load = async (context: LoaderContext<Uint8Array>) => {
      const [response, visitor] = await watchVisitor(
        request,
        async (visitor) => [await next(request), visitor] as const,
      );
      if (response.status >= 500) {
        if (waiting) own = response;
        throw new FailedResponseError(`Cannot keep the response: its status is ${response.status}`);
      }
      const kept = await keep(request, response, policy, visitor);
      if (kept instanceof Response) {
        if (waiting) own = kept;
        context.setTtl(NOT_KEPT_FOR);
        return NOT_KEPT;
      }
      if (waiting) madeAt = kept.storedAt;
      context.setTtl(kept.ttl);
      context.setTags(tagsOf(request, response, policy));
      return encodeResponse(kept);
    };
    let bytes: Uint8Array;
    try {
      if (wish === "no-cache") await cache.delete(key);
      bytes = await cache.getOrSet(key, load, policy.lifetime);
    } catch (error) {
      if (!(error instanceof FailedResponseError)) throw error;
      return mark(own ?? await next(request), { fwd: "uri-miss" });
    } finally {
      waiting = false;
    }
    if (bytes.length === 0) return mark(own ?? await next(request), { fwd: own ? "uri-miss" : "bypass" });
    const stored = decodeResponse(bytes);
    const made = madeAt === stored.storedAt;
    return answerFrom(request, stored, made ? { fwd: "uri-miss", stored: true } : { hit: true });
  };
}

function cacheOf(redis: { readonly cache: Cache } | Cache): Cache {
  const cache = (redis as { cache?: Cache } | undefined)?.cache ?? redis as Cache;
  if (typeof cache?.getOrSet === "function") return cache;
  throw new TypeError(`Cannot cache responses: wanted what connect() gave, or a cache, got ${describe(redis)}`);
}
