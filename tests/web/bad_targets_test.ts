/**
 * Requests whose target no two readers agree about, through everything that stands in front of a handler.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Application } from "@oakserver/oak";
import { Hono } from "hono";
import { connect, type Larder } from "../../mod.ts";
import { cacheResponse } from "../../src/http/cache_response.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";
import { OLDEST } from "../support/oldest.ts";

const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };

type Serve = (redis: Larder, answer: (request: Request) => string) => (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Response | Promise<Response>;

function serveHono(middleware: (redis: Larder) => hono.HonoMiddleware): Serve {
  return (redis, answer) => {
    const app = new Hono();
    app.use(middleware(redis));
    app.all("*", (context) => context.text(answer(context.req.raw)));
    return (request, info) => app.fetch(request, info);
  };
}

function serveOak(middleware: (redis: Larder) => oak.OakMiddleware): Serve {
  return (redis, answer) => {
    const app = new Application({ logErrors: false });
    app.use(middleware(redis));
    app.use(({ request, response }) => void (response.body = answer(request.source as unknown as Request)));
    return async (request, info) => {
      const response = await app.handle(request as never, info.remoteAddr as never) as unknown as Response;
      return new Response(response.body, { status: response.status, headers: [...response.headers] });
    };
  };
}

const rules = { "*": "DEFAULT" } as const;
const services: Record<string, Serve> = {
  "guard()": (redis, answer) => redis.rateLimit.guard(rules, (request) => new Response(answer(request))),
  "withSession()": (redis, answer) => redis.sessions.withSession((request) => new Response(answer(request))),
  "cacheResponse()": (redis, answer) => {
    const cached = cacheResponse(redis);
    return (request) => cached(request, (request) => new Response(answer(request)));
  },
  "rateLimit() of Hono": serveHono((redis) => hono.rateLimit(redis, rules)),
  "session() of Hono": serveHono((redis) => hono.session(redis)),
  "cacheResponse() of Hono": serveHono((redis) => hono.cacheResponse(redis)),
  "rateLimit() of Oak": serveOak((redis) => oak.rateLimit(redis, rules)),
  "session() of Oak": serveOak((redis) => oak.session(redis)),
  "cacheResponse() of Oak": serveOak((redis) => oak.cacheResponse(redis)),
};

for (const [name, serve] of Object.entries(services)) {
  Deno.test(`${name} answers 400 where the target or Host is none, before anything else is done`, async () => {
    await using redis = await connect({ url: "memory:" });
    const asked: string[] = [];
    await using server = Deno.serve(
      listen,
      serve(redis, (request) => {
        asked.push(request.url);
        return `page of ${request.url}`;
      }),
    );
    const cases = [
      ...["shop.example#", "shop.example?", "shop.example\\", "a b", "[::1", "u@h", "a%3f", "a:99999", "a/b"].map((
        host,
      ) => rawRequest("GET", "/other", host)),
      // The server of the oldest Deno makes `/` of the first two by itself, as it does for the router.
      ...["http://shop.example#/other", "http://shop.example?/other", "http://u@shop.example/"].slice(OLDEST ? 2 : 0)
        .map((target) => rawRequest("GET", target, "shop.example")),
    ];
    for (const request of cases) {
      const { status, headers } = await sendRaw(server.addr.port, request);
      assertEquals([status, headers.get("Cache-Control"), headers.get("RateLimit")], [400, "no-store", null], request);
    }
    assertEquals(asked, []);
    assertEquals((await redis.rateLimit.peek("DEFAULT", "127.0.0.1")).remaining, 100);
    // An innocent visitor is given what is his.
    const { status, body } = await sendRaw(server.addr.port, rawRequest("GET", "/", "shop.example"));
    assertEquals([status, body], [200, "page of http://shop.example/"]);
    const other = await sendRaw(server.addr.port, rawRequest("GET", "/other", "shop.example"));
    assertEquals([other.status, other.body], [200, "page of http://shop.example/other"]);
  });
}

Deno.test("cacheResponse() keeps what a router reads as two paths apart", async () => {
  await using redis = await connect({ url: "memory:" });
  const app = new Hono();
  app.use(hono.cacheResponse(redis));
  app.get("/x/*", (context) => context.text("static"));
  app.get("/login", (context) => context.text("login"));
  await using server = Deno.serve(listen, app.fetch);
  for (let i = 0; i < 2; i++) {
    const bodies = [];
    for (const path of ["/x/../login", "/login"]) {
      bodies.push((await sendRaw(server.addr.port, rawRequest("GET", path))).body);
    }
    assertEquals(bodies, ["static", "login"]);
  }
});
