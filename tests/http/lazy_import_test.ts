import { assertEquals } from "@std/assert";
import express from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type Larder } from "../../mod.ts";
import * as larder from "../../src/http/express.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { until } from "../support/until.ts";

let modules = 0;
/** Loads a module that was not loaded before, as routers do with a route: Deno leaves its context to who comes next. */
const importRoute = () => import(`data:text/javascript,export default ${performance.now()}${modules++}`);

/** What a service with a page does that takes as long as it is held up. */
class Page {
  readonly gate = Promise.withResolvers<void>();
  readonly begun = Promise.withResolvers<void>();
  made = 0;

  async make(): Promise<string> {
    await importRoute();
    this.begun.resolve();
    await this.gate.promise;
    return `page ${++this.made}`;
  }
}

/** The part of Express's response that is used: the package has no types. */
interface ExpressResponse extends ServerResponse {
  send(body: string): this;
}

interface Service extends AsyncDisposable {
  readonly url: string;
}

const services: Record<string, (redis: Larder, page: Page) => Promise<Service>> = {
  "Deno.serve"(redis, page) {
    const cached = cacheResponse(redis, { ttl: "1m" });
    const sessions = redis.sessions.withSession(async (request, session) => {
      if (request.method === "POST") return new Response((await session.regenerate({ userId: "ada" })).userId);
      return await cached(request, async (request) => {
        if (request.url.endsWith("/slow")) return new Response(await page.make());
        return new Response("quick");
      });
    });
    const guarded = redis.rateLimit.guard({ "POST /login": "AUTH", "*": "DEFAULT" }, sessions);
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, guarded);
    return Promise.resolve({
      url: `http://127.0.0.1:${server.addr.port}`,
      [Symbol.asyncDispose]: () => server.shutdown(),
    });
  },
  async Express(redis, page) {
    const app = express();
    app.use(larder.rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
    app.use(larder.session(redis));
    app.post("/login", async (request: IncomingMessage, response: ExpressResponse) => {
      response.send((await larder.sessionOf(request).regenerate({ userId: "ada" })).userId);
    });
    app.use(larder.cacheResponse(redis, { ttl: "1m" }));
    app.get("/slow", async (_request: unknown, response: ExpressResponse) => response.send(await page.make()));
    app.get("/quick", (_request: unknown, response: ExpressResponse) => response.send("quick"));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => closeNodeServer(server) };
  },
};

async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; text: string; cache: string }> {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text(), cache: response.headers.get("x-cache") ?? "" };
}

for (const [name, open] of Object.entries(services)) {
  Deno.test(`${name}: a page that imports a module while it is made is no way around limits, and holds up no cache`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const page = new Page();
    await using service = await open(redis, page);
    const { url } = service;
    const slow = ask(`${url}/slow`);
    await page.begun.promise;
    const logins: number[] = [];
    for (let i = 0; i < 6; i++) logins.push((await ask(`${url}/login`, { method: "POST" })).status);
    assertEquals(logins, [200, 200, 200, 200, 200, 429]);
    assertEquals([(await ask(`${url}/quick`)).cache, (await ask(`${url}/quick`)).cache], ["MISS", "HIT"]);
    page.gate.resolve();
    assertEquals((await slow).text, "page 1");
    assertEquals((await ask(`${url}/login`, { method: "POST" })).status, 429);
  });

  Deno.test(`${name}: a login in the context of a page that has imported a module makes nobody else known`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const page = new Page();
    await using service = await open(redis, page);
    const { url } = service;
    page.gate.resolve();
    assertEquals((await ask(`${url}/slow`)).text, "page 1");
    const login = redis.sessions.withSession(async (_request, session) => {
      await session.regenerate({ userId: "ada" });
      return new Response("in");
    });
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, login);
    assertEquals((await ask(`http://127.0.0.1:${server.addr.port}/`)).text, "in");
    assertEquals([(await ask(`${url}/quick`)).cache, (await ask(`${url}/quick`)).cache], ["MISS", "HIT"]);
  });

  Deno.test(`${name}: a login that imports a module makes nobody else known`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    await using service = await open(redis, new Page());
    const { url } = service;
    await redis.cache.set("warm", 1);
    const importing = redis.sessions.withSession(async (_request, session) => {
      await session.regenerate({ userId: "ada" });
      await importRoute();
      return new Response("in");
    });
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, importing);
    assertEquals((await ask(`http://127.0.0.1:${server.addr.port}/`)).text, "in");
    assertEquals([(await ask(`${url}/quick`)).cache, (await ask(`${url}/quick`)).cache], ["MISS", "HIT"]);
  });
}

Deno.test("Cache.getOrSet() is shared by all requests while its loader imports a module, and no cycle is seen", async () => {
  await using redis = await connect({ url: "memory:" });
  const page = new Page();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    return new Response(await redis.cache.getOrSet("page", () => page.make()).catch(String));
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const first = ask(url);
  await page.begun.promise;
  const others = [ask(url), ask(url)];
  await until(() => redis.cache.stats().misses === 3, "three who wait");
  page.gate.resolve();
  for (const answer of [first, ...others]) assertEquals((await answer).text, "page 1");
  // One that waits for itself is told so as ever.
  const own = (): Promise<unknown> => redis.cache.getOrSet("own", own);
  assertEquals(await own().catch(({ name }) => name), "LoaderCycleError");
});

Deno.test("Locks.withLock() keeps others waiting while a job imports a module, and refuses none of them", async () => {
  await using redis = await connect({ url: "memory:" });
  const page = new Page();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    return new Response(await redis.locks.withLock("page", () => page.make()).catch(String));
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const first = ask(url);
  await page.begun.promise;
  const second = ask(url);
  assertEquals(await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 50, "waits"))]), "waits");
  page.gate.resolve();
  assertEquals([(await first).text, (await second).text], ["page 1", "page 2"]);
});

Deno.test("Deno.serve: who tells nothing of connections has limits all the same, while a page imports a module", async () => {
  await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } }, on() {} });
  const page = new Page();
  const cached = cacheResponse(redis, { ttl: "1m" });
  const sessions = redis.sessions.withSession(async (request, session) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/login") {
      await session.regenerate({ userId: "ada" });
      if (request.method === "PUT") await importRoute();
      return new Response("in");
    }
    return await cached(request, async () => new Response(pathname === "/slow" ? await page.make() : "quick"));
  });
  const guarded = redis.rateLimit.guard({ "POST /login": "AUTH", "*": "STATIC" }, sessions);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => guarded(request));
  const url = `http://127.0.0.1:${server.addr.port}`;
  const slow = ask(`${url}/slow`);
  await page.begun.promise;
  const logins = await Promise.all(Array.from({ length: 20 }, () => ask(`${url}/login`, { method: "POST" })));
  assertEquals(logins.filter(({ status }) => status === 200).length, 5);
  page.gate.resolve();
  assertEquals((await slow).text, "page 1");
  // One who is known and imports a module makes others known for a moment at most.
  assertEquals((await ask(`${url}/login`, { method: "PUT" })).text, "in");
  await until(async () => (await ask(`${url}/quick`)).cache === "HIT", "a page that is kept");
});
