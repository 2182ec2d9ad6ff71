/**
 * Larder as middleware for Hono.
 *
 * @example Limits, sessions, and responses that are kept
 * ```ts
 * import { connect } from "@larder/larder";
 * import { cacheResponse, rateLimit, session, sessionOf } from "@larder/larder/hono";
 * import { Hono } from "hono";
 *
 * const redis = await connect();
 * const app = new Hono();
 * app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
 * app.use("/products/*", cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * app.use("/account/*", session(redis));
 * app.get("/account/me", async (c) => c.json(await sessionOf(c).get() ?? null));
 * app.get("/products/:id", (c) => c.json({ id: c.req.param("id") }));
 * Deno.serve(app.fetch);
 *
 * // GET /products/1 → 200
 * // GET /account/me → 200
 * ```
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import type { GateOptions, Rules } from "../rate_limit/guard.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import type { RequestSession } from "../sessions/request_session.ts";
import type { SessionData } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { cacheResponse as cached, type CacheResponseOptions } from "./cache_response.ts";

/** The part of Hono's context that is used. */
export interface HonoContextLike {
  /** The request. */
  readonly req: { readonly raw: Request };
  /** What the server tells of the connection, as `Deno.serve` does. */
  readonly env?: unknown;
  /** The response. */
  res: Response;
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
    replace(context, response);
  };
}

/**
 * Makes a middleware that limits requests: `redis.rateLimit.guard()` for Hono.
 *
 * @param redis What `connect()` gave.
 * @param rules Which limits hold where.
 * @param options Who the user is, what to do about refusals.
 * @returns The middleware.
 * @throws {TypeError} If a rule makes no sense or names a limit that there is not.
 */
export function rateLimit<Names extends string>(
  redis: { readonly rateLimit: RateLimiter<Names> },
  rules: Rules<NoInfer<Names>>,
  options: GateOptions = {},
): HonoMiddleware {
  const gate = redis.rateLimit.gate(rules, options);
  return async (context, next) => {
    const { response, apply } = await gate.decide(context.req.raw, connectionOf(context));
    if (response) return response;
    await next();
    replace(context, apply(context.res));
  };
}

/** Each is a `RequestSession`, of whatever data. */
const sessions = new WeakMap<Request, unknown>();

/**
 * Makes a middleware that gives each request its session, for {@linkcode sessionOf}, and takes care of the cookie:
 * `redis.sessions.withSession()` for Hono.
 *
 * @param redis What `connect()` gave.
 * @returns The middleware.
 */
export function session<Data extends object>(redis: { readonly sessions: Sessions<Data> }): HonoMiddleware {
  return async (context, next) => {
    const handler = redis.sessions.withSession<ConnectionInfo | undefined>(async (request, session) => {
      sessions.set(request, session);
      await next();
      return context.res;
    });
    replace(context, await handler(context.req.raw, connectionOf(context)));
  };
}

/**
 * The session of a request. It is read when it is first asked for.
 *
 * @typeParam Data The fields of its data.
 * @param context Hono's context.
 * @returns The session of the request.
 * @throws {TypeError} If there is no {@linkcode session} in front of the handler.
 */
export function sessionOf<Data extends object = SessionData>(context: HonoContextLike): RequestSession<Data> {
  const session = sessions.get(context.req.raw);
  if (session) return session as RequestSession<Data>;
  throw new TypeError("Cannot tell the session of the request: wanted session() in front of the handler, got none");
}

function replace(context: HonoContextLike, response: Response): void {
  if (response === context.res) return;
  // Hono would merge the headers of the one before into the next.
  context.res = undefined as unknown as Response;
  context.res = response;
}

function connectionOf({ env }: HonoContextLike): ConnectionInfo | undefined {
  return typeof env === "object" && env !== null && "remoteAddr" in env ? env as ConnectionInfo : undefined;
}

export type { CacheResponseOptions };
