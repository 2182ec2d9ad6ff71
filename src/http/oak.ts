/**
 * Larder as middleware for Oak.
 *
 * @example Limits, sessions, and responses that are kept
 * ```ts
 * import { connect } from "@larder/larder";
 * import { cacheResponse, rateLimit, session, sessionOf } from "@larder/larder/oak";
 * import { Application } from "@oak/oak";
 *
 * const redis = await connect();
 * const app = new Application();
 * app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
 * app.use(session(redis));
 * app.use(cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * app.use(async (context) => {
 *   context.response.body = await sessionOf(context).get() ?? "nobody";
 * });
 * await app.listen({ port: 8000 });
 * // GET / → 200
 * ```
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import type { Larder } from "../connect/larder.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import { schemeReader } from "../rate_limit/scheme_reader.ts";
import type { GateOptions, Rules } from "../rate_limit/guard.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import { assertOptions } from "../util/option_names.ts";
import { sessionsOf } from "./sessions_of.ts";
import { limitsOf } from "./limits_of.ts";
import type { RequestSession } from "../sessions/request_session.ts";
import type { SessionData } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { REQUEST, type RequestSessionOptions } from "../sessions/with_session.ts";
import { watchVisitor } from "../web/visitor.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { healthHandler, type HealthHandlerOptions } from "./health.ts";
import { type Measured, metricsHandler, type MetricsHandlerOptions } from "./metrics.ts";
import type { OakContextLike } from "./oak_context.ts";
import { connectionOf, requestOf, urlOf, wantsEvents } from "./oak_request.ts";
import { answerOf, type Application, type Connected, headOf, putInto, take, taking } from "./oak_rest.ts";
import { atEnd, type OakResponseLike } from "./oak_response.ts";
import { ResponseCache } from "./response_cache.ts";
import { badRequest, targetOf } from "../web/target.ts";

export { idempotent } from "./oak_idempotent.ts";
export type { IdempotencyOptions } from "./idempotency.ts";
export type { OakContextLike } from "./oak_context.ts";

/** A middleware of Oak. */
export type OakMiddleware = (context: OakContextLike, next: () => Promise<unknown>) => Promise<void>;

/**
 * A middleware made by a call with a type parameter. Of a plain function type TypeScript would put such a call off in
 * `router.get()`, which then does not know the parameters of its path.
 */
export type OakLimitMiddleware = OakMiddleware & {
  /** The name of the function. */
  readonly name: string;
};

/** How an app with `proxy: true` reads the scheme. */
const believed = schemeReader({ proxies: ["any"], header: "x-forwarded-for" });
/** What tells what the cache did. */
const OUTCOME = ["x-cache", "cache-status"];

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
): OakMiddleware {
  const cache = new ResponseCache(redis, options);
  return async (context, next) => {
    const { response } = context;
    const application = context.app as Application | undefined;
    const taken = takenBy(context);
    if (taken?.by === cache) return await take(context, taken, next);
    let made: OakResponseLike | undefined;
    const behind = async () => {
      await next();
      made = application ? await headOf(response) : await response.toDomResponse();
      const { status } = made;
      const bare = [101, 204, 205, 304].includes(status) || application !== undefined;
      const body = bare ? null : made.clone().body as ReadableStream<Uint8Array> | null;
      return new Response(body, { status, headers: [...made.headers] });
    };
    const given = await cache.answer(requestOf(context), {
      next: behind,
      // Oak takes what is behind a middleware once, so the app answers the request of a load from the start.
      load: async (request, foreground) =>
        application
          ? await answerOf(application, request, cache, foreground ? context.request : undefined)
          : await behind(),
      once: !application,
      personal: wantsEvents(context),
      connection: connectionOf(context),
      // An app with this believes whoever is at the other end.
      scheme: application?.proxy === true ? believed : undefined,
    });
    if ((context as Connected).respond === false) return;
    if (!made) return putInto(response, given);
    // Oak sends what it has made, so that only gets the headers.
    atEnd(response, (made) => {
      const headers = new Headers(made.headers);
      for (const name of OUTCOME) if (given.headers.has(name)) headers.set(name, given.headers.get(name)!);
      return new Response(null, { headers });
    });
    given.body?.cancel().catch(() => {}); // it ends with the other half, which Oak sends
  };
}

/** What a load takes of an app, where the request is one's. */
function takenBy({ request: { source } }: OakContextLike): ReturnType<typeof taking.get> {
  return source instanceof Request ? taking.get(source) : undefined;
}

/**
 * Makes a middleware that limits requests: `redis.rateLimit.guard()` for Oak.
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
): OakLimitMiddleware {
  const gate = limitsOf(redis).gate(rules, options);
  return async (context, next) => {
    const taken = takenBy(context);
    if (taken && !taken.reached) return void await next(); // it was counted for the visitor
    // What its router goes by, which with `proxy: true` depends on more headers.
    const path = urlOf(context)?.pathname;
    const request = requestOf(context);
    const { response, apply } = path === undefined
      ? { response: badRequest(), apply: (response: Response) => response }
      : await gate.decide(request, connectionOf(context), { path });
    if (response) return context.response.with(response.body, { status: response.status, headers: response.headers });
    atEnd(context.response, apply);
    await next();
  };
}

/** A handler of a router of Oak. */
export type OakHandler = (context: OakContextLike) => Promise<void>;

/**
 * Makes a handler for `/health`:
 * [`healthHandler()`](https://jsr.io/@larder/larder/doc/http/~/healthHandler) of `@larder/larder/http` for Oak.
 *
 * @param redis What `connect()` gave.
 * @param options Who is told details, and how old an answer may be.
 * @returns The handler, as in `router.get("/health", health(redis))`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function health(redis: Pick<Larder, "health">, options: HealthHandlerOptions = {}): OakHandler {
  const handler = healthHandler(redis, options);
  return async (context) => give(context, await handler(requestOf(context), connectionOf(context)));
}

/**
 * Makes a handler for `/metrics`:
 * [`metricsHandler()`](https://jsr.io/@larder/larder/doc/http/~/metricsHandler) of `@larder/larder/http` for Oak.
 *
 * @param redis What `connect()` gave.
 * @param options Who is answered.
 * @returns The handler, as in `router.get("/metrics", metrics(redis))`.
 * @throws {TypeError} If an option is not as it should be.
 */
export function metrics(redis: Measured, options: MetricsHandlerOptions = {}): OakHandler {
  const handler = metricsHandler(redis, options);
  return async (context) => give(context, await handler(requestOf(context)));
}

function give({ response }: OakContextLike, { body, status, headers }: Response): void {
  response.with(body, { status, headers });
}

/** Sessions of any data, as {@linkcode session} needs them. */
export interface RequestSessions {
  /** Gives the session of a request. */
  forRequest(
    request: Request,
    info: ConnectionInfo | undefined,
    options: RequestSessionOptions<ConnectionInfo | undefined>,
  ): Pick<RequestSession, "apply" | "settle">;
}

/** By request: whose sessions, and its own: a `RequestSession`, of whatever data. */
const placed = new WeakMap<object, { readonly sessions: object; readonly session: unknown }>();

/**
 * Makes a middleware that gives each request its session, for {@linkcode sessionOf}, and takes care of the cookie:
 * `redis.sessions.withSession()` for Oak. Errors are Oak's affair: its answer carries the cookie. It has no type
 * parameter, since behind a generic call Oak's router does not know the parameters of its path.
 *
 * @param redis What `connect()` gave.
 * @param options Whether reading counts as use, who tells the address of the client.
 * @returns The middleware.
 * @throws {TypeError} If there is no such option.
 */
export function session(
  redis: { readonly sessions: RequestSessions },
  options: RequestSessionOptions<ConnectionInfo | undefined> = {},
): OakMiddleware {
  const sessions = sessionsOf(redis);
  assertOptions(options, REQUEST, "make a middleware with sessions");
  return (context, next) => {
    if (placed.get(context.request)?.sessions === sessions) return next().then(() => {}); // one is enough
    const taken = takenBy(context);
    const around = taken?.reached ? undefined : placed.get(taken?.visitor ?? context.request);
    if (around?.sessions === sessions) {
      // Of a load for which its visitor waits: his own response gets the cookie.
      placed.set(context.request, around);
      return next().then(() => {});
    }
    const request = requestOf(context);
    return watchVisitor(request, async () => {
      if (!targetOf(request) || !urlOf(context)) return give(context, badRequest());
      const session = sessions.forRequest(request, connectionOf(context), options);
      placed.set(context.request, { sessions, session });
      atEnd(context.response, (response) => session.apply(response));
      try {
        await next();
      } catch (error) {
        if (!(error instanceof Response)) throw error;
        context.response.with(error.body, { status: error.status, headers: error.headers });
      } finally {
        await session.settle();
      }
    }, connectionOf(context));
  };
}

/**
 * The session of a request. It is read when it is first asked for.
 *
 * @typeParam Data The fields of its data.
 * @param context Oak's context.
 * @param redis What `connect()` gave, which says the type of the data.
 * @returns The session of the request.
 * @throws {TypeError} If there is no {@linkcode session} in front of the handler.
 */
export function sessionOf<Data extends object = SessionData>(
  context: OakContextLike,
  _redis?: { readonly sessions: Sessions<Data> },
): RequestSession<Data> {
  const { session } = placed.get(context.request) ?? {};
  if (session) return session as RequestSession<Data>;
  throw new TypeError("Cannot tell the session of the request: wanted session() in front of the handler, got none");
}

export type {
  CacheResponseOptions,
  HealthHandlerOptions,
  Measured,
  MetricsHandlerOptions,
  OakResponseLike,
  RequestSessionOptions,
};
