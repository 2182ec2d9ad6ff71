/**
 * Limits in Hono, Oak and what gives requests of Node, over sockets: whose address counts, and which headers arrive.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Application, Router } from "@oakserver/oak";
import { Hono } from "hono";
import { methodOverride } from "hono/method-override";
import { connect, type Larder } from "../../mod.ts";
import { cacheResponse } from "../../src/http/cache_response.ts";
import * as hono from "../../src/http/hono.ts";
import { fromNodeRequest } from "../../src/web/node_request.ts";
import * as oak from "../../src/http/oak.ts";
import { targetOf } from "../../src/web/target.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";

const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };

function serveOak(app: Application) {
  return Deno.serve(listen, async (request, { remoteAddr }) => {
    const response = await app.handle(request as never, remoteAddr as never) as unknown as Response;
    return new Response(response.body, { status: response.status, headers: [...response.headers] });
  });
}

const left = async ({ rateLimit }: Larder, id: string) => (await rateLimit.peek("AUTH", id)).remaining;

Deno.test("rateLimit() of Oak counts by the connection, whatever a client writes into headers", async (t) => {
  for (const proxy of [false, true]) {
    await t.step(`proxy: ${proxy}`, async () => {
      await using redis = await connect({ url: "memory:" });
      const app = new Application({ proxy });
      app.use(oak.rateLimit(redis, { "*": "AUTH" }));
      app.use(({ response }) => void (response.body = "hello"));
      await using server = serveOak(app);
      const ask = (i: number) => rawRequest("GET", "/", "localhost", [`X-Forwarded-For: 198.51.100.${i}`]);
      const statuses: number[] = [];
      for (let i = 0; i < 7; i++) statuses.push((await sendRaw(server.addr.port, ask(i))).status);
      assertEquals(statuses, [200, 200, 200, 200, 200, 429, 429]);
      assertEquals(await left(redis, "127.0.0.1"), 0);
    });
    await t.step(`proxy: ${proxy}, behind one that is trusted`, async () => {
      await using redis = await connect({ url: "memory:", rateLimit: { trustProxy: ["loopback"] } });
      const app = new Application({ proxy });
      app.use(oak.rateLimit(redis, { "*": "AUTH" }));
      app.use(({ response }) => void (response.body = "hello"));
      await using server = serveOak(app);
      for (let i = 0; i < 5; i++) {
        const hops = `X-Forwarded-For: 192.0.2.${i}, 198.51.100.7`; // the first is made up
        assertEquals((await sendRaw(server.addr.port, rawRequest("GET", "/", "localhost", [hops]))).status, 200);
      }
      assertEquals([await left(redis, "198.51.100.7"), await left(redis, "192.0.2.0")], [0, 5]);
    });
  }
});

Deno.test("rateLimit() of Oak keeps its headers in errors, and leaves the response to middleware in front", async (t) => {
  await using redis = await connect({ url: "memory:" });
  const app = new Application({ logErrors: false });
  app.use(async ({ response }, next) => {
    await next();
    response.headers.set("x-outer", "1");
  });
  app.use(oak.rateLimit(redis, { "*": "DEFAULT" }));
  const router = new Router();
  router.get("/", ({ response }) => void (response.body = "hello"));
  router.get("/throw", (context) => context.throw(403, "not here"));
  router.get("/broken", () => {
    throw new Error("broken");
  });
  app.use(router.routes());
  await using server = serveOak(app);
  const cases = [["/", 200], ["/throw", 403], ["/broken", 500], ["/none", 404]] as const;
  for (const [path, status] of cases) {
    await t.step(path, async () => {
      const answer = await sendRaw(server.addr.port, rawRequest("GET", path));
      assertEquals(answer.status, status);
      assertMatch(answer.headers.get("RateLimit") ?? "", /^"DEFAULT";r=\d+;t=60$/);
      assertEquals(answer.headers.get("RateLimit-Policy"), '"DEFAULT";q=100;w=60');
      if (status === 200) assertEquals(answer.headers.get("x-outer"), "1");
    });
  }
});

Deno.test("rateLimit() of Hono in front of methodOverride() counts by the method that it makes of a request", async (t) => {
  const header = "X-HTTP-Method-Override";
  const cases = [
    [{ header }, rawRequest("POST", "/posts", "localhost", [`${header}: DELETE`])],
    [{ header }, rawRequest("HEAD", "/posts", "localhost", [`${header}: DELETE`])],
    [{ query: "_method" }, rawRequest("HEAD", "/posts?_method=DELETE")],
    [{ query: "_method" }, rawRequest("POST", "/posts?%5Fmethod=DELETE")],
  ] as const;
  for (const [by, request] of cases) {
    await t.step(`${request.slice(0, request.indexOf(" HTTP"))} by ${Object.keys(by)[0]}`, async () => {
      await using redis = await connect({ url: "memory:" });
      let deleted = 0;
      const app = new Hono();
      app.delete("/posts", (context) => context.text(`deleted ${++deleted}`));
      const outer = new Hono();
      outer.use(hono.rateLimit(redis, { "DELETE /posts": "AUTH" }));
      outer.use("/posts", methodOverride({ app, ...by }));
      await using server = Deno.serve(listen, outer.fetch);
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) statuses.push((await sendRaw(server.addr.port, request)).status);
      assertEquals([deleted, ...statuses], [5, ...Array(5).fill(200), 429]);
    });
  }
});

Deno.test("cacheResponse() gives nobody the limits of somebody else", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis, { ttl: "1m" });
  const limited = redis.rateLimit.guard({ "*": "DEFAULT" }, () => new Response("page", { headers: { "x-own": "1" } }));
  const info = { remoteAddr: { hostname: "203.0.113.9" } };
  const ask = () => cached(new Request("http://localhost/page"), (request) => limited(request, info));
  await (await ask()).text();
  const hit = await ask();
  assertEquals([hit.headers.get("x-cache"), hit.headers.get("x-own")], ["HIT", "1"]);
  assertEquals([...hit.headers.keys()].filter((name) => /ratelimit|retry-after/i.test(name)), []);
});

Deno.test("fromNodeRequest() gives the request as it was sent", async (t) => {
  await t.step("its parts", async () => {
    const { request, info } = fromNodeRequest({
      method: "POST",
      url: "/rest",
      originalUrl: "/api/x/../rest?a=1",
      headers: { host: "Shop.example", "x-a": ["1", "2"], ":path": "/", "x-none": undefined },
      socket: { remoteAddress: "203.0.113.9", encrypted: true } as object,
    });
    assertEquals([request.method, request.url], ["POST", "https://shop.example/api/rest?a=1"]);
    assertEquals([request.headers.get("x-a"), request.headers.get("x-none")], ["1, 2", null]);
    assertEquals(targetOf(request), { scheme: "https", host: "shop.example", path: "/api/x/../rest", query: "?a=1" });
    await using redis = await connect({ url: "memory:" });
    assertEquals(redis.rateLimit.address(request, info), "203.0.113.9");
  });
  await t.step("what is no target", () => {
    const read = (url: string, host?: string) => targetOf(fromNodeRequest({ url, headers: { host } }).request);
    for (const url of ["x", "", "h:80", "http://u@h/", "ftp://h/", "http://a?/login", "http://[::1/"]) {
      assertEquals(read(url, "localhost"), undefined, url);
    }
    for (const host of ["a?", "a b", "u@h", "a/b", "[::1"]) assertEquals(read("/login", host), undefined, host);
    assertEquals(read("/login")?.host, "localhost");
    assertEquals(read("*", "localhost")?.path, "/*");
  });
  await t.step("methods that only a server can have", () => {
    for (const method of ["TRACE", "CONNECT", "track", "PATCH", undefined]) {
      const { request } = fromNodeRequest({ method, url: "/", headers: {} });
      assertEquals(request.method, method ?? "GET");
    }
  });
});
