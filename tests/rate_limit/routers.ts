/**
 * Services of which each has `POST /login`, `POST /café`, `POST /kiosk` and `POST /api/` with whatever follows, by the
 * router of its framework, behind a guard.
 *
 * @module
 */
import { Application, Router } from "@oakserver/oak";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { fromNodeRequest, type NodeRequestLike } from "../../src/web/node_request.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";
import type { GateOptions, Rules } from "../../src/rate_limit/guard.ts";
import type { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { setHeaders } from "../support/oldest.ts";

/** A service that listens. */
export interface Service extends AsyncDisposable {
  readonly port: number;
}

/** Starts a service behind a guard with rules. */
export type OpenService = (limiter: RateLimiter<string>, rules: Rules, options?: GateOptions) => Promise<Service>;

/** What the routes answer, and nothing else does. */
export const ROUTED = "routed";

/** The part of Express's response that is used; its types are in another package. */
interface ExpressResponse {
  setHeaders(headers: Headers): void;
  status(status: number): ExpressResponse;
  send(body: string): void;
}

const PATHS = ["/login", "/café", "/kiosk"];
const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };

function serving(handler: Deno.ServeHandler<Deno.NetAddr>): Promise<Service> {
  const server = Deno.serve(listen, handler);
  return Promise.resolve({ port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() });
}

const openHono = (strict: boolean): OpenService => (limiter, rules, options) => {
  const app = new Hono({ strict });
  app.use(hono.rateLimit({ rateLimit: limiter }, rules, options));
  for (const path of [...PATHS, "/api/*"]) app.post(path, (context) => context.text(ROUTED));
  return serving(app.fetch);
};

const openOak = (proxy: boolean): OpenService => (limiter, rules, options) => {
  const app = new Application({ proxy, logErrors: false });
  const router = new Router();
  app.use(oak.rateLimit({ rateLimit: limiter }, rules, options));
  for (const path of [...PATHS, "/api/:rest*"]) router.post(path, ({ response }) => void (response.body = ROUTED));
  app.use(router.routes());
  // Its own server on npm does not end while a client keeps its connection.
  return serving(async (request, { remoteAddr }) => {
    const response = await app.handle(request as never, remoteAddr as never) as unknown as Response | undefined;
    return new Response(response?.body, { status: response?.status ?? 500, headers: [...response?.headers ?? []] });
  });
};

const openExpress = (sensitive: boolean): OpenService => async (limiter, rules, options) => {
  const gate = limiter.gate(rules, options);
  const app = express();
  app.set("case sensitive routing", sensitive).set("strict routing", sensitive);
  app.use(async (req: NodeRequestLike, res: ExpressResponse, next: () => void) => {
    const { request, info } = fromNodeRequest(req);
    const { response, apply } = await gate.decide(request, info);
    const { status, headers } = response ?? apply(new Response(null));
    setHeaders(res, headers);
    if (response) res.status(status).send(await response.text());
    else next();
  });
  for (const path of [...PATHS, "/api{/*rest}"]) {
    app.post(path, (_req: unknown, res: ExpressResponse) => res.send(ROUTED));
  }
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: () => closeNodeServer(server),
  };
};

const openFastify = (loose: boolean): OpenService => async (limiter, rules, options) => {
  const gate = limiter.gate(rules, options);
  const routerOptions = {
    caseSensitive: false,
    ignoreTrailingSlash: true,
    ignoreDuplicateSlashes: true,
    useSemicolonDelimiter: true,
  };
  const app = fastify({ forceCloseConnections: true, ...(loose && { routerOptions }) });
  app.addHook("onRequest", async (req, reply) => {
    const { request, info } = fromNodeRequest(req.raw);
    const { response, apply } = await gate.decide(request, info);
    const { status, headers } = response ?? apply(new Response(null));
    reply.headers(Object.fromEntries(headers));
    if (response) return reply.code(status).send(await response.text());
  });
  for (const path of [...PATHS, "/api/*"]) app.post(path, () => ROUTED);
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    port: (app.server.address() as { port: number }).port,
    [Symbol.asyncDispose]: async () => await app.close(),
  };
};

const openServe = (isRoute: (request: Request) => boolean): OpenService => (limiter, rules, options) =>
  serving(limiter.guard(rules, (request: Request) => {
    const routed = request.method.toUpperCase() === "POST" && isRoute(request);
    return new Response(routed ? ROUTED : "none", { status: routed ? 200 : 404 });
  }, options));

const patterns = [...PATHS, "/api/*"].map((pathname) => new URLPattern({ pathname }));
const byPattern = ({ url }: Request) => patterns.some((pattern) => pattern.test(url));

function byPath({ url }: Request): boolean {
  const { pathname } = new URL(url);
  return PATHS.map(encodeURI).includes(pathname) || pathname.startsWith("/api/");
}

/** The services, by what their router does. */
export const SERVICES: Readonly<Record<string, OpenService>> = {
  "Hono": openHono(true),
  "Hono, not strict": openHono(false),
  "Oak": openOak(false),
  "Oak, `proxy`": openOak(true),
  "Express 5": openExpress(false),
  "Express 5, strict": openExpress(true),
  "Fastify 5": openFastify(false),
  "Fastify 5, loose": openFastify(true),
  "`URLPattern`": openServe(byPattern),
  "`URL`": openServe(byPath),
};
