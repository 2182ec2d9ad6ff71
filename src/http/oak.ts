/**
 * Larder as middleware for Oak.
 *
 * @example Keep responses
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { cacheResponse } from "@larder/larder/oak";
 * import { Application } from "@oak/oak";
 *
 * const redis = await connect();
 * const app = new Application();
 * app.use(cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * ```
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import { cacheResponse as cached, type CacheResponseOptions } from "./cache_response.ts";

/** The part of Oak's context that is used. */
export interface OakContextLike {
  /** The request. */
  readonly request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: Headers;
    readonly source?: unknown;
  };
  /** The response. */
  readonly response: {
    toDomResponse(): Promise<OakResponseLike>;
    with(body: ReadableStream<Uint8Array> | null, init: { status: number; headers: Headers }): void;
  };
}

/** A response as Oak makes it, on runtimes without `Response` by a library. */
export interface OakResponseLike {
  /** The status. */
  readonly status: number;
  /** The headers. */
  readonly headers: Iterable<[string, string]> & { set(name: string, value: string): void };
  /** Another of the same, which can be read. */
  clone(): { readonly body: unknown };
}

/** A middleware of Oak. */
export type OakMiddleware = (context: OakContextLike, next: () => Promise<unknown>) => Promise<void>;

/** What tells what the cache did. */
const OUTCOME = ["x-cache", "cache-status"];

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
): OakMiddleware {
  const middleware = cached(redis, options);
  return async ({ request, response }, next) => {
    const { method, url, headers, source } = request;
    let made: OakResponseLike | undefined;
    const given = await middleware(
      source instanceof Request ? source : new Request(url, { method, headers }),
      async () => {
        await next();
        made = await response.toDomResponse();
        const { status } = made;
        const bare = [101, 204, 205, 304].includes(status);
        const body = bare ? null : made.clone().body as ReadableStream<Uint8Array> | null;
        return new Response(body, { status, headers: [...made.headers] });
      },
    );
    if (!made) {
      return response.with(given.body, { status: given.status, headers: given.headers });
    }
    // Oak sends what it has made, so that only gets the headers.
    for (const name of OUTCOME) made.headers.set(name, given.headers.get(name) ?? "");
    given.body?.cancel().catch(() => {}); // it ends with the other half, which Oak sends
  };
}

export type { CacheResponseOptions };
