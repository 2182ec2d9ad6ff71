/**
 * Larder as middleware for Express, and for what else has `(request, response, next)` of `node:http`.
 *
 * @example Limits, sessions, and responses that are kept
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/express";
 * import express from "express";
 *
 * const redis = await connect();
 * const app = express();
 * app.get("/health", health(redis));
 * app.get("/metrics", metrics(redis));
 * app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
 * app.use(session(redis));
 * app.use("/products", cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 * app.get("/me", async (request, response) => void response.json(await sessionOf(request).get() ?? null));
 * app.get("/products/:id", (request, response) => void response.json({ id: request.params.id }));
 * app.listen(3000);
 * // GET /products/7 → 200
 * // GET /me → 200
 * // GET /health → 200
 * ```
 *
 * @module
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Cache } from "../cache/cache.ts";
import type { Larder } from "../connect/larder.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import type { GateOptions, Rules } from "../rate_limit/guard.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import type { RequestSession } from "../sessions/request_session.ts";
import type { SessionData } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { REQUEST, type RequestSessionOptions } from "../sessions/with_session.ts";
import { assertOptions } from "../util/option_names.ts";
import type { NodeRequestLike } from "../web/node_request.ts";
import { badRequest, targetOf } from "../web/target.ts";
import { watchVisitor } from "../web/visitor.ts";
import { healthHandler, type HealthHandlerOptions } from "./health.ts";
import { type Measured, metricsHandler, type MetricsHandlerOptions } from "./metrics.ts";
import { isOnItsWay, NodeCache } from "./node_cache.ts";
import { knownOf, type NodeTaken, placed, taking } from "./node_context.ts";
import { capture, type NodeResponseLike } from "./node_response.ts";
import { send } from "./node_send.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { sessionsOf } from "./sessions_of.ts";

export { idempotent } from "./express_idempotent.ts";
export type { IdempotencyOptions } from "./idempotency.ts";

/** A middleware of Express. */
export type ExpressMiddleware = (
  request: NodeRequestLike,
  response: NodeResponseLike,
  next: (error?: unknown) => void,
) => Promise<void>;

/** A handler of Express. */
export type ExpressHandler = (request: NodeRequestLike, response: NodeResponseLike) => Promise<void>;

/**
 * Makes a middleware that keeps responses in the cache, as
 * [`cacheResponse()`](https://jsr.io/@larder/larder/doc/http/~/cacheResponse) of `@larder/larder/http` does. What is
 * stale is made anew by the app itself, which answers another request for it, with the middleware in front.
 *
 * @param redis What `connect()` gave, or a cache.
 * @param options How long, under which tags, for whom.
 * @returns The middleware.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function cacheResponse(
  redis: { readonly cache: Cache } | Cache,
  options: CacheResponseOptions = {},
): ExpressMiddleware {
  const cache = new NodeCache(redis, options);
  return async (request, response, next) => {
    const app = appOf(request);
    try {
      await cache.answer(request, response, () => next(), app && ((asked, taken) => rerun(app, asked, taken)));
    } catch (error) {
      if (!response.destroyed) next(error);
    }
  };
}

/**
 * Makes a middleware that limits requests: `redis.rateLimit.guard()` for Express.
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
): ExpressMiddleware {
  const gate = redis.rateLimit.gate(rules, options);
  return async (incoming, outgoing, next) => {
    if (isOnItsWay(incoming)) return next(); // it was counted for the visitor
    try {
      const { request, info } = knownOf(incoming);
      const { response, apply } = await gate.decide(request, info, rewritten(incoming));
      if (response) return await send(outgoing, response, () => true);
      for (const [name, value] of apply(new Response(null)).headers) outgoing.setHeader(name, value);
    } catch (error) {
      return next(error);
    }
    next();
  };
}

/**
 * Makes a middleware that gives each request its session, for {@linkcode sessionOf}, and takes care of the cookie.
 *
 * @param redis What `connect()` gave.
 * @param options Whether reading counts as use, who tells the address of the client.
 * @returns The middleware.
 * @throws {TypeError} If there is no such option.
 */
export function session<Data extends object>(
  redis: { readonly sessions: Sessions<Data> },
  options: RequestSessionOptions<ConnectionInfo | undefined> = {},
): ExpressMiddleware {
  const sessions = sessionsOf(redis);
  assertOptions(options, REQUEST, "make a middleware with sessions");
  return async (incoming, outgoing, next) => {
    if (placed.get(incoming)?.sessions === sessions) return next(); // one is enough
    const { request, info } = knownOf(incoming);
    const taken = taking.get(incoming);
    const around = taken && !taken.reached && taken.visitor ? placed.get(taken.visitor) : undefined;
    if (around?.sessions === sessions) {
      // Of a load for which its visitor waits: his own response gets the cookie.
      placed.set(incoming, around);
      return next();
    }
    if (!targetOf(request)) return await send(outgoing, badRequest(), () => true);
    const own = sessions.forRequest(request, info, options);
    placed.set(incoming, { sessions, session: own });
    const captured = capture(outgoing);
    watchVisitor(request, () => next(), info);
    try {
      const made = await captured.response;
      await own.settle();
      await send(outgoing, own.apply(made), undefined, captured);
    } catch {
      captured.restore(); // the connection was closed
      await own.settle();
    }
  };
}

/**
 * The session of a request. It is read when it is first asked for.
 *
 * @typeParam Data The fields of its data.
 * @param request Express's request.
 * @param redis What `connect()` gave, which says the type of the data.
 * @returns The session of the request.
 * @throws {TypeError} If there is no {@linkcode session} in front of the handler.
 */
export function sessionOf<Data extends object = SessionData>(
  request: NodeRequestLike,
  _redis?: { readonly sessions: Sessions<Data> },
): RequestSession<Data> {
  const { session } = placed.get(request) ?? {};
  if (session) return session as RequestSession<Data>;
  throw new TypeError("Cannot tell the session of the request: wanted session() in front of the handler, got none");
}

/**
 * Makes a handler for `/health`:
 * [`healthHandler()`](https://jsr.io/@larder/larder/doc/http/~/healthHandler) of `@larder/larder/http` for Express.
 *
 * @param redis What `connect()` gave.
 * @param options Who is told details, and how old an answer may be.
 * @returns The handler, as in `app.get("/health", health(redis))`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function health(redis: Pick<Larder, "health">, options: HealthHandlerOptions = {}): ExpressHandler {
  const handler = healthHandler(redis, options);
  return async (incoming, outgoing) => {
    const { request, info } = knownOf(incoming);
    await send(outgoing, await handler(request, info), () => true);
  };
}

/**
 * Makes a handler for `/metrics`:
 * [`metricsHandler()`](https://jsr.io/@larder/larder/doc/http/~/metricsHandler) of `@larder/larder/http` for Express.
 *
 * @param redis What `connect()` gave.
 * @param options Who is answered.
 * @returns The handler, as in `app.get("/metrics", metrics(redis))`.
 * @throws {TypeError} If an option is not as it should be.
 */
export function metrics(redis: Measured, options: MetricsHandlerOptions = {}): ExpressHandler {
  const handler = metricsHandler(redis, options);
  return async (incoming, outgoing) => await send(outgoing, await handler(knownOf(incoming).request), () => true);
}

/**
 * The path that the router goes by, where middleware in front has put another into `url` than the one that was sent.
 */
function rewritten(incoming: NodeRequestLike): { path?: string } {
  const { url = "/", originalUrl = url, baseUrl = "" } = incoming as NodeRequestLike & { baseUrl?: string };
  const sent = pathOf(originalUrl);
  const path = `${baseUrl}${pathOf(url)}`;
  return path === sent || path === `${sent}/` ? {} : { path }; // below "/admin", the router calls "/admin" itself "/"
}

function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "") || "/";
}

type App = ((request: object, response: object) => void) & { readonly parent?: App | undefined };

/** The app that is in front of all that a request has come through. */
function appOf(request: NodeRequestLike): App | undefined {
  let app = (request as { app?: App }).app;
  while (app?.parent) app = app.parent;
  return typeof app === "function" ? app : undefined;
}

/** Has an app answer the request of a load, which has no connection. */
async function rerun(app: App, request: Request, taken: NodeTaken): Promise<void> {
  const { protocol, pathname, search } = new URL(request.url);
  const socket = Object.assign(new Socket(), { encrypted: protocol === "https:" });
  const incoming = new IncomingMessage(socket);
  const fields = {
    ...{ method: "GET", url: `${pathname}${search}`, httpVersion: "1.1", httpVersionMajor: 1, httpVersionMinor: 1 },
    ...{ headers: Object.fromEntries(request.headers), rawHeaders: [...request.headers].flat(), complete: true },
  };
  for (const [name, value] of Object.entries(fields)) {
    Object.defineProperty(incoming, name, { value, writable: true, configurable: true, enumerable: true });
  }
  incoming.push(null);
  const outgoing = new ServerResponse(incoming);
  taking.set(incoming, taken);
  const end = () => closeAlone(outgoing);
  outgoing.destroy = () => {
    queueMicrotask(end); // there is no connection that would close
    return outgoing;
  };
  // Whoever is in front and answers himself ends the load; who is behind is captured there.
  const bottom = capture(outgoing);
  request.signal.addEventListener("abort", end, { once: true });
  socket.once("close", end); // as Express does where a handler failed that has sent a part
  // Without a connection nothing else tells those who wait for the end, as pipeline() does.
  bottom.ended.then(() => {
    if (outgoing.destroyed) return;
    Object.defineProperty(outgoing, "writableFinished", { value: true, configurable: true });
    outgoing.emit("finish");
    queueMicrotask(end);
  });
  const reached = Promise.withResolvers<void>();
  taken.come = reached.resolve;
  app(incoming, outgoing);
  await Promise.race([reached.promise, bottom.response.catch(() => {})]);
}

/** Tells that a response without a connection is over, once. */
function closeAlone(outgoing: ServerResponse & { _closed?: boolean }): void {
  if (outgoing._closed) return;
  outgoing._closed = true;
  Object.defineProperty(outgoing, "destroyed", { value: true, writable: true, configurable: true });
  outgoing.emit("close");
}

export type {
  CacheResponseOptions,
  HealthHandlerOptions,
  Measured,
  MetricsHandlerOptions,
  NodeRequestLike,
  NodeResponseLike,
  RequestSessionOptions,
};
