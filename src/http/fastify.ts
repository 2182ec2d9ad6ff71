// deno-lint-ignore-file no-explicit-any -- frameworks state their functions with types of their own
/**
 * Larder as a plugin for Fastify: sessions, limits, responses that are kept, health and metrics.
 *
 * @example A service
 * ```ts
 * import { connect } from "@larder/larder";
 * import { cacheResponse, larder, sessionOf } from "@larder/larder/fastify";
 * import Fastify from "fastify";
 *
 * const redis = await connect();
 * const app = Fastify();
 * await app.register(larder, {
 *   redis,
 *   rules: { "POST /login": "AUTH", "*": "DEFAULT" },
 *   sessions: true,
 *   health: "/health",
 *   metrics: "/metrics",
 * });
 * app.get("/me", async (request) => await sessionOf(request).get() ?? null);
 * await app.register(async (products) => {
 *   products.addHook("onRequest", cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
 *   products.get<{ Params: { id: string } }>("/products/:id", (request) => ({ id: request.params.id }));
 * });
 * await app.listen({ port: 3000 });
 * // GET /products/7 → 200
 * // GET /me → 200
 * // GET /health → 200
 * ```
 *
 * @module
 */
import { Readable } from "node:stream";
import type { Cache } from "../cache/cache.ts";
import type { Larder } from "../connect/larder.ts";
import type { GateOptions, Rules } from "../rate_limit/guard.ts";
import type { RequestSession } from "../sessions/request_session.ts";
import type { SessionData } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { describe } from "../util/describe.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { fromNodeRequest, type NodeRequestLike } from "../web/node_request.ts";
import { watchVisitor } from "../web/visitor.ts";
import { answerWith } from "./fastify_answer.ts";
import { claim, rerun } from "./fastify_load.ts";
import { type CacheNames, type NamedStats, namesOf } from "./fastify_names.ts";
import type { FastifyHook, FastifyLike, FastifyReplyLike, FastifyRequestLike } from "./fastify_types.ts";
import { healthHandler, type HealthHandlerOptions } from "./health.ts";
import { metricsHandler, type MetricsHandlerOptions } from "./metrics.ts";
import { isOnItsWay, NodeCache } from "./node_cache.ts";
import { knownOf, placed, taking } from "./node_context.ts";
import type { NodeResponseLike } from "./node_response.ts";
import type { CacheResponseOptions } from "./response_options.ts";

export { idempotent } from "./fastify_idempotent.ts";
export type { IdempotencyOptions } from "./idempotency.ts";

export type { FastifyHook, FastifyLike, FastifyReplyLike, FastifyRequestLike } from "./fastify_types.ts";

/** Options of {@linkcode larder}. */
export interface FastifyOptions extends GateOptions {
  /** What `connect()` gave. */
  redis: Larder;
  /** Which limits hold where. @default {none} */
  rules?: Rules<any> | undefined;
  /** Whether each request has its session, for {@linkcode sessionOf}. @default {false} */
  sessions?: boolean | undefined;
  /** Where the health is told, as in `"/health"`. @default {nowhere} */
  health?: string | undefined;
  /** Where metrics are told, as in `"/metrics"`. @default {nowhere} */
  metrics?: string | undefined;
  /** Who is told details of the health and metrics, as `Authorization: Bearer …`. */
  token?: string | undefined;
  /**
   * Whether the app gets `getFromCache` and what else services with a plugin of their own are used to:
   * {@linkcode CacheNames}. @default {false}
   */
  names?: boolean | undefined;
}

const OPTIONS = optionNames<FastifyOptions>({
  redis: true,
  rules: true,
  sessions: true,
  health: true,
  metrics: true,
  token: true,
  names: true,
  user: true,
  onLimited: true,
  respond: true,
  caseSensitive: true,
  strict: true,
  methods: true,
});

/**
 * The plugin: `app.register(larder, { redis, … })`. The app gets `cache`, `sessions` and `rateLimit`.
 *
 * @param app Fastify's app.
 * @param options What it is to do.
 * @param done Is given the error, which `register()` rejects with, if an option is not as it should be.
 */
export function larder(app: FastifyLike, options: FastifyOptions, done: (error?: Error) => void): void {
  try {
    addAll(app, options);
  } catch (error) {
    return done(error as Error); // Fastify takes no notice of what is thrown
  }
  done();
}

function addAll(app: FastifyLike, options: FastifyOptions): void {
  assertOptions(options, OPTIONS, "use the plugin for Fastify");
  const { redis, rules, sessions = false, health, metrics, token, names = false, ...gate } = options;
  if (typeof redis?.cache?.getOrSet !== "function" || typeof redis.health !== "function") {
    throw new TypeError(
      `Cannot use the plugin for Fastify: wanted what connect() gave as "redis", got ${describe(redis)}`,
    );
  }
  for (const name of ["cache", "sessions", "rateLimit"] as const) app.decorate(name, redis[name]);
  if (rules) app.addHook("onRequest", limits(redis, rules, gate));
  if (sessions) addSessions(app, redis);
  const told = token === undefined ? {} : { token };
  if (health !== undefined) app.get(health, web(healthHandler(redis, told)));
  if (metrics !== undefined) app.get(metrics, web(metricsHandler(redis, told)));
  if (names) { for (const [name, value] of Object.entries(namesOf(redis))) app.decorate(name, value); }
}

// So that what it adds is there for all of the app, as with `fastify-plugin`.
Object.assign(larder, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "larder",
  [Symbol.for("plugin-meta")]: { name: "larder", fastify: "5.x" },
});

/**
 * Makes a hook that keeps responses in the cache, as
 * [`cacheResponse()`](https://jsr.io/@larder/larder/doc/http/~/cacheResponse) of `@larder/larder/http` does, for the
 * routes of the scope that it is added to. What is stale is made anew by the app itself, which answers another request
 * for it.
 *
 * @param redis What `connect()` gave, or a cache.
 * @param options How long, under which tags, for whom.
 * @returns The hook, as in `app.addHook("onRequest", cacheResponse(redis))`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function cacheResponse(
  redis: { readonly cache: Cache } | Cache,
  options: CacheResponseOptions = {},
): FastifyHook {
  const cache = new NodeCache(redis, options);
  return (request, reply, done) => {
    const { raw, server } = request;
    // Fastify keeps the headers until it sends them.
    const front = reply.getHeaders();
    let ran = false;
    const next = () => {
      ran = true;
      done();
    };
    claim(raw);
    cache.answer(raw, reply.raw, next, (asked, taken) => rerun(server, asked, taken), {
      headers: front,
      send: (response) => void answerWith(reply, response, raw.method === "HEAD" ? Readable.from([]) : response.body),
    }).catch((error) => {
      if (!ran && !reply.raw.destroyed) done(error);
    });
  };
}

function limits(redis: Larder, rules: Rules<string>, options: GateOptions): FastifyHook {
  const gate = redis.rateLimit.gate(rules as never, options);
  return (request, reply, done) => {
    claim(request.raw);
    if (isOnItsWay(request.raw)) return done(); // it was counted for the visitor
    const known = knownOf(request.raw);
    gate.decide(known.request, known.info).then(async ({ response, apply }) => {
      if (response) return void answerWith(reply, response, await response.text());
      for (const [name, value] of apply(new Response(null)).headers) reply.header(name, value);
      done();
    }).catch(done);
  };
}

function addSessions(app: FastifyLike, { sessions }: Larder): void {
  app.addHook("onRequest", ({ raw }: FastifyRequestLike, _reply: FastifyReplyLike, done: () => void) => {
    claim(raw);
    const { request, info } = knownOf(raw);
    const taken = taking.get(raw);
    const around = taken && !taken.reached && taken.visitor ? placed.get(taken.visitor) : undefined;
    // Of a load for which its visitor waits: his own response gets the cookie.
    if (around) {
      placed.set(raw, around);
      return done();
    }
    placed.set(raw, { sessions, session: sessions.forRequest(request, info) });
    watchVisitor(request, () => done(), info);
  });
  app.addHook("onSend", async ({ raw }: FastifyRequestLike, reply: FastifyReplyLike, payload: unknown) => {
    const taken = taking.get(raw);
    const session = placed.get(raw)?.session as RequestSession | undefined;
    if (!session || taken?.visitor && placed.get(taken.visitor)?.session === session) return payload;
    await session.settle();
    const headers = session.headers(reply.getHeaders() as Record<string, string>);
    const cookies = headers.getSetCookie();
    for (const [name, value] of headers) if (name !== "set-cookie") reply.header(name, value);
    if (cookies.length > 0) {
      reply.removeHeader("set-cookie");
      for (const cookie of cookies) reply.header("set-cookie", cookie);
    }
    return payload;
  });
}

/**
 * The session of a request. It is read when it is first asked for.
 *
 * @typeParam Data The fields of its data.
 * @param request Fastify's request.
 * @param redis What `connect()` gave, which says the type of the data.
 * @returns The session of the request.
 * @throws {TypeError} If the plugin was not registered with `sessions: true`.
 */
export function sessionOf<Data extends object = SessionData>(
  request: { readonly raw: NodeRequestLike },
  _redis?: { readonly sessions: Sessions<Data> },
): RequestSession<Data> {
  const { session } = placed.get(request.raw) ?? {};
  if (session) return session as RequestSession<Data>;
  throw new TypeError("Cannot tell the session of the request: wanted the plugin with sessions: true, got none");
}

function web(handler: (request: Request, info: object) => Response | Promise<Response>) {
  return async ({ raw }: FastifyRequestLike, reply: FastifyReplyLike): Promise<FastifyReplyLike> => {
    const { url, originalUrl, headers, socket } = raw;
    // Of a HEAD, Fastify itself leaves the body out and tells its length.
    const { request, info } = raw.method === "HEAD"
      ? fromNodeRequest({ method: "GET", url, originalUrl, headers, socket })
      : knownOf(raw);
    const response = await handler(request, info);
    return answerWith(reply, response, await response.text());
  };
}

export type {
  CacheNames,
  CacheResponseOptions,
  HealthHandlerOptions,
  MetricsHandlerOptions,
  NamedStats,
  NodeRequestLike,
  NodeResponseLike,
};
