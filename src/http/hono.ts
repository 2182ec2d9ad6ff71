/**
 * Larder as middleware for Hono.
 *
 * @example Limits, sessions, and responses that are kept
 * ```ts
 * import { connect } from "@larder/larder";
 * import { cacheResponse, health, rateLimit, session, type SessionEnv, sessionOf } from "@larder/larder/hono";
 * import { Hono } from "hono";
 *
 * const redis = await connect();
 * const app = new Hono<SessionEnv<typeof redis>>(); // so that sessionOf() knows the data
 * app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
 * app.use("/products/*", cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * app.use("/account/*", session(redis));
 * app.get("/health", health(redis));
 * app.get("/account/me", async (c) => c.json(await sessionOf(c).get() ?? null));
 * app.get("/products/:id", (c) => c.json({ id: c.req.param("id") }));
 * Deno.serve(app.fetch);
 *
 * // GET /products/1 → 200
 * // GET /account/me → 200
 * // GET /health → 200
 * ```
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import type { Larder } from "../connect/larder.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import type { GateOptions, Rules } from "../rate_limit/guard.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { assertOptions } from "../util/option_names.ts";
import { sessionsOf } from "./sessions_of.ts";
import { limitsOf } from "./limits_of.ts";
import type { RequestSession } from "../sessions/request_session.ts";
import type { SessionData } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { REQUEST, type RequestSessionOptions } from "../sessions/with_session.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { hasCheckedVisitor, restOf } from "./hono_rest.ts";
import type { HonoContextLike } from "./hono_context.ts";
import { healthHandler, type HealthHandlerOptions } from "./health.ts";
import { type Measured, metricsHandler, type MetricsHandlerOptions } from "./metrics.ts";
import { ResponseCache } from "./response_cache.ts";

export { idempotent } from "./hono_idempotent.ts";
export type { IdempotencyOptions } from "./idempotency.ts";
export type { HonoContextLike } from "./hono_context.ts";

/** A middleware of Hono. */
export type HonoMiddleware = (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | void>;

/**
 * Makes a middleware that keeps responses in the cache, as
 * [`cacheResponse()`](https://jsr.io/@larder/larder/doc/http/~/cacheResponse) of `@larder/larder/http` does.
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
  const cache = new ResponseCache(redis, options);
  const middleware: HonoMiddleware = async (context, next) => {
    let ran = false;
    const rest = restOf(context, middleware);
    const behind = async (request?: Request) => {
      ran = true;
      const { req } = context;
      const { raw } = req;
      // What is made for all is not told of the visitor.
      if (request) req.raw = request;
      try {
        await next();
      } finally {
        req.raw = raw;
      }
      return context.res;
    };
    const response = await cache.answer(context.req.raw, {
      next: () => behind(),
      load: (request, foreground) =>
        rest ? rest(request, (own) => passSession(context, own, foreground)) : behind(request),
      once: !rest,
      personal: hasCheckedVisitor(context),
      connection: connectionOf(context),
    });
    // What middleware in front set by `c.header()` is told with what Hono makes itself only.
    if (!ran) return context.newResponse?.(response.body, response) ?? response;
    replace(context, response);
  };
  return middleware;
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
  const gate = limitsOf(redis).gate(rules, options);
  return async (context, next) => {
    const { response, apply } = await gate.decide(context.req.raw, connectionOf(context), { path: context.req.path });
    if (response) return response;
    await next();
    replace(context, apply(context.res));
  };
}

/** A handler of Hono. */
export type HonoHandler = (context: HonoContextLike) => Promise<Response>;

/**
 * Makes a handler for `/health`:
 * [`healthHandler()`](https://jsr.io/@larder/larder/doc/http/~/healthHandler) of `@larder/larder/http` for Hono.
 *
 * @param redis What `connect()` gave.
 * @param options Who is told details, and how old an answer may be.
 * @returns The handler, as in `app.get("/health", health(redis))`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function health(redis: Pick<Larder, "health">, options: HealthHandlerOptions = {}): HonoHandler {
  const handler = healthHandler(redis, options);
  return (context) => handler(context.req.raw, connectionOf(context));
}

/**
 * Makes a handler for `/metrics`:
 * [`metricsHandler()`](https://jsr.io/@larder/larder/doc/http/~/metricsHandler) of `@larder/larder/http` for Hono.
 *
 * @param redis What `connect()` gave.
 * @param options Who is answered.
 * @returns The handler, as in `app.get("/metrics", metrics(redis))`.
 * @throws {TypeError} If an option is not as it should be.
 */
export function metrics(redis: Measured, options: MetricsHandlerOptions = {}): HonoHandler {
  const handler = metricsHandler(redis, options);
  return (context) => handler(context.req.raw);
}

/** Whose sessions, and that of a request: a `RequestSession`, of whatever data. */
interface Placed {
  readonly sessions: object;
  readonly session: unknown;
}

/**
 * By context, for middleware may put another request in it, and by request, for apps that are mounted have a context of
 * their own.
 */
const placed = new WeakMap<HonoContextLike | Request, Placed>();

/**
 * Makes a middleware that gives each request its session, for {@linkcode sessionOf}, and takes care of the cookie:
 * `redis.sessions.withSession()` for Hono. Errors are Hono's affair: whatever its `onError` answers carries the cookie.
 *
 * @param redis What `connect()` gave.
 * @param options Whether reading counts as use, who tells the address of the client.
 * @returns The middleware.
 * @throws {TypeError} If there is no such option.
 */
export function session<Data extends object>(
  redis: { readonly sessions: Sessions<Data> },
  options: RequestSessionOptions<ConnectionInfo | undefined> = {},
): HonoMiddleware {
  const sessions = sessionsOf(redis);
  assertOptions(options, REQUEST, "make a middleware with sessions");
  return async (context, next) => {
    if (placed.get(context)?.sessions === sessions) return await next(); // one is enough
    const handler = sessions.withSession<ConnectionInfo | undefined>(async (request, session) => {
      placed.set(context, { sessions, session });
      placed.set(request, { sessions, session });
      await next();
      return context.res;
    }, options);
    replace(context, await handler(context.req.raw, connectionOf(context)));
  };
}

/** Gives the context of a load the session that it may see: the visitor's while he waits for it, else nobody's. */
function passSession(context: HonoContextLike, own: HonoContextLike, foreground: boolean): void {
  const here = placed.get(context) ?? placed.get(context.req.raw);
  if (!here) return;
  const { sessions } = here;
  placed.set(own, foreground ? here : { sessions, session: (sessions as Sessions).forRequest(own.req.raw) });
}

/**
 * What an app of Hono with sessions has in its context, for the types alone: with it {@linkcode sessionOf} knows the
 * data.
 *
 * @typeParam Redis What `connect()` gave, as in `new Hono<SessionEnv<typeof redis>>()`.
 */
export interface SessionEnv<Redis extends { readonly sessions: unknown }> {
  /** Nothing is there. */
  Variables: SessionVariables<Redis["sessions"] extends Sessions<infer Data> ? Data : SessionData>;
}

/**
 * Carries the type of the data of sessions, and nothing else.
 *
 * @typeParam Data The fields of the data.
 */
export interface SessionVariables<Data extends object> {
  /** Never there. */
  readonly "~session"?: RequestSession<Data>;
}

/**
 * The session of a request. It is read when it is first asked for.
 *
 * The type of its data is that of the app, see {@linkcode SessionEnv}, or of `redis`.
 *
 * @typeParam Data The fields of its data.
 * @param context Hono's context.
 * @param redis What `connect()` gave, which says the type of the data.
 * @returns The session of the request.
 * @throws {TypeError} If there is no {@linkcode session} in front of the handler.
 */
export function sessionOf<Data extends object = SessionData>(
  context: HonoContextLike & { readonly var?: SessionVariables<Data> | object },
  _redis?: { readonly sessions: Sessions<Data> },
): RequestSession<Data> {
  const { session } = placed.get(context) ?? placed.get(context.req.raw) ?? {};
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
  return typeof env === "object" && env !== null ? env : undefined;
}

export type { CacheResponseOptions, HealthHandlerOptions, Measured, MetricsHandlerOptions, RequestSessionOptions };
