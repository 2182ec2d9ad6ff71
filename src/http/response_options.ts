import type { TrustProxy } from "../rate_limit/address.ts";
import type { Duration } from "../util/duration.ts";

/** Options of `cacheResponse()`. */
export interface CacheResponseOptions {
  /**
   * How long a response is fresh that does not say it itself by `s-maxage`, `max-age` or `Expires`: seconds, a string
   * such as `"5m"`, 0 = for ever; `"response"` = it is not kept.
   *
   * @default {"1m"}
   */
  ttl?: Duration | "response" | undefined;
  /**
   * How long after that it is served while it is made anew behind the scenes, unless the response forbids to be served
   * stale.
   *
   * @default {what the response says by `stale-while-revalidate` (RFC 5861), else 0}
   */
  staleWhileRevalidate?: Duration | undefined;
  /**
   * How long after the end of its freshness it is served when the handler throws, answers 5xx or does not answer,
   * unless the response forbids to be served stale.
   *
   * @default {what the response says by `stale-if-error` (RFC 5861), else 0}
   */
  staleIfError?: Duration | undefined;
  /** Names by which responses can be invalidated together, or a function that gives them; at most 63. @default {[]} */
  tags?: readonly string[] | ((request: Request, response: Response) => readonly string[]) | undefined;
  /**
   * Headers of the request on which each response depends, beside those that it names in its `Vary`. `Forwarded` and
   * `X-Forwarded-…` reach the handler of a shared response only where they are named here. Who the visitor is, is for
   * `key`.
   *
   * @default {[]}
   */
  vary?: readonly string[] | undefined;
  /**
   * What a response depends on beside its URL, such as the user: text, or `undefined` = do not cache this one. With it,
   * you say that requests with `Cookie` or `Authorization` may share a response when they share a key, and the handler
   * is given both. `{ replace: text }` takes the place of the URL: then all URLs with that text share one response, and
   * a change of any of them takes it along, so it should give the same text for the same visitor and URL whatever the
   * method. A response for which a session was looked at is not kept, whatever the key.
   */
  key?: ((request: Request) => string | { readonly replace: string } | undefined) | undefined;
  /**
   * Headers beside `Cookie` and `Authorization` that say who the visitor is, as in `["x-api-key"]`. Who sends one is
   * given no response that is not said to be `public`, and leaves none for others.
   *
   * @default {[]}
   */
  personal?: readonly string[] | undefined;
  /** Names of cookies that mean nobody, with `*` for what varies, as in `["_ga*"]`. @default {[]} */
  ignoreCookies?: readonly string[] | undefined;
  /**
   * Names of parameters of the query that mean nothing to the handler, which does not see them, as in `["utm_*"]`.
   * @default {[]}
   */
  ignoreQuery?: readonly string[] | undefined;
  /**
   * Whether `Cache-Control` and `Pragma` of a request are ignored, so that nobody can make the handler work. @default
   * {false}
   */
  ignoreRequestCacheControl?: boolean | undefined;
  /**
   * The longest body that is kept, in bytes; longer ones go through.
   *
   * @default {1_048_576} (1 MiB), or what fits into a value of the cache
   */
  maxBytes?: number | undefined;
  /**
   * How long the handler may take for a shared response: then its own caller gets 504, and who waits besides asks the
   * handler himself; 0 = for ever.
   *
   * @default {"30s"}
   */
  timeout?: Duration | undefined;
  /**
   * Which proxies in front are believed when they say by `X-Forwarded-Proto` or `Forwarded` that their client has used
   * `https`: then that is the scheme of what is kept, and the handler of a shared response is told it too. Proxies that
   * are known by their addresses are found by what the server tells of the connection, see
   * [`Middleware`](https://jsr.io/@larder/larder/doc/http/~/Middleware). What others write into these headers changes
   * nothing.
   *
   * @default {`rateLimit.trustProxy` of `connect()`}
   */
  trustProxy?: TrustProxy | undefined;
}
