/**
 * Larder as middleware for Hono.
 *
 * @example Keep responses
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { cacheResponse } from "@larder/larder/hono";
 * import { Hono } from "hono";
 *
 * const redis = await connect();
 * const app = new Hono();
 * app.use("/products/*", cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * ```
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import { cacheResponse as cached, type CacheResponseOptions } from "./cache_response.ts";

/** The part of Hono's context that is used. */
export interface HonoContextLike {
  /** The request. */
  readonly req: { readonly raw: Request };
  /** The response. */
  get res(): Response;
  set res(response: Response | undefined);
}

/** A middleware of Hono. */
export type HonoMiddleware = (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | void>;

/**
 * Makes a middleware that keeps responses in the cache, as {@linkcode cached} of `@larder/larder/http` does.
 *
 * @param redis What `connect()` gave, or a cache.
 * @param options How long, under which tags, for whom.
 * @returns The middleware.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function cacheResponse(
  redis: { readonly cache: Cache } | Cache,
  options: CacheResponseOptions = {},
): HonoMiddleware {
  const middleware = cached(redis, options);
  return async (context, next) => {
    let ran = false;
    const response = await middleware(context.req.raw, async () => {
      ran = true;
      await next();
      return context.res;
    });
    if (!ran) return response;
    context.res = undefined; // or its headers would be merged into the next
    context.res = response;
  };
}

export type { CacheResponseOptions };
