import { assertEquals } from "@std/assert";
import { Router } from "@oakserver/oak";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import type { AddressInfo } from "node:net";
import { connect, type Larder } from "../../mod.ts";
import * as forExpress from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import * as forHono from "../../src/http/hono.ts";
import { cacheResponse, type CacheResponseOptions } from "../../src/http/mod.ts";
import * as forOak from "../../src/http/oak.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { until } from "../support/until.ts";
import { application, listen } from "./oak_server.ts";

/** A pool that calls back as drivers without promises do: in a context of its own, not in that of who asked. */
class Pool implements Disposable {
  readonly #asked: (() => void)[] = [];
  readonly #timer = setInterval(() => this.#asked.splice(0).forEach((back) => back()), 1);

  query(back: () => void): void {
    this.#asked.push(back);
  }

  /** Has something run by the pool. */
  ask<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.query(() => run().then(resolve, reject)));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

interface Service extends AsyncDisposable {
  readonly url: string;
}

/** What a service is made of. */
interface Parts {
  readonly redis: Larder;
  readonly pool: Pool;
  readonly options: CacheResponseOptions;
  /** What a page says; it may ask who is logged in. */
  readonly page: (who: () => Promise<string>) => Promise<string>;
  /** Whether what is in front of all asks the pool. */
  readonly asksInFront?: boolean;
}

type Session = { get(): Promise<{ userId: string } | undefined> };
const RULES = { "POST /login/*": "STATIC", "*": "DEFAULT" } as const;
const who = (session: Session) => async () => (await session.get())?.userId || "nobody";
// deno-lint-ignore no-explicit-any -- Express has no types
type Any = any;

function serve(handler: Deno.ServeHandler<Deno.NetAddr>): Service {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

const services: Record<string, (parts: Parts) => Promise<Service>> = {
  "Deno.serve"({ redis, pool, options, page, asksInFront }) {
    const cached = cacheResponse(redis, options);
    const app = redis.sessions.withSession(async (request, session) => {
      const { pathname } = new URL(request.url);
      if (request.method !== "POST") return await cached(request, async () => new Response(await page(who(session))));
      return new Response((await session.regenerate({ userId: pathname.slice(7) })).userId);
    });
    const guarded = redis.rateLimit.guard(RULES, app);
    return Promise.resolve(serve((request, info) => {
      return asksInFront ? pool.ask(async () => await guarded(request, info)) : guarded(request, info);
    }));
  },
  Hono({ redis, pool, options, page, asksInFront }) {
    const app = new Hono();
    if (asksInFront) app.use((_context, next) => pool.ask(next));
    app.use(forHono.rateLimit(redis, RULES));
    app.use(forHono.session(redis));
    app.use("/pages/*", forHono.cacheResponse(redis, options));
    app.post("/login/:user", async (c) => {
      return c.text((await forHono.sessionOf(c).regenerate({ userId: c.req.param("user") })).userId);
    });
    app.get("/pages/:name", async (c) => c.text(await page(who(forHono.sessionOf(c)))));
    return Promise.resolve(serve((request, info) => app.fetch(request, info)));
  },
  async Oak({ redis, pool, options, page, asksInFront }) {
    const app = application();
    if (asksInFront) app.use((_context, next) => pool.ask(async () => void await next()));
    app.use(forOak.rateLimit(redis, RULES));
    app.use(forOak.session(redis));
    const router = new Router();
    router.post("/login/:user", async (context) => {
      context.response.body = (await forOak.sessionOf(context).regenerate({ userId: context.params.user })).userId;
    });
    router.get("/pages/:name", forOak.cacheResponse(redis, options), async (context) => {
      context.response.body = await page(who(forOak.sessionOf(context)));
    });
    app.use(router.routes());
    return await listen(app);
  },
  async Express({ redis, pool, options, page, asksInFront }) {
    const app = express();
    if (asksInFront) app.use((_request: Any, _response: Any, next: () => void) => pool.query(next));
    app.use(forExpress.rateLimit(redis, RULES));
    app.use(forExpress.session(redis));
    app.use("/pages", forExpress.cacheResponse(redis, options));
    app.post("/login/:user", async (request: Any, response: Any) => {
      response.send((await forExpress.sessionOf(request).regenerate({ userId: request.params.user })).userId);
    });
    app.get("/pages/:name", async (request: Any, response: Any) => {
      response.send(await page(who(forExpress.sessionOf(request))));
    });
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => closeNodeServer(server) };
  },
  async Fastify({ redis, pool, options, page, asksInFront }) {
    const app = Fastify({ forceCloseConnections: true });
    if (asksInFront) app.addHook("onRequest", (_request, _reply, done) => pool.query(done));
    await app.register(forFastify.larder, { redis, rules: RULES, sessions: true });
    app.post<{ Params: { user: string } }>("/login/:user", async (request) => {
      return (await forFastify.sessionOf(request).regenerate({ userId: request.params.user })).userId;
    });
    app.register((pages, _options, done) => {
      pages.addHook("onRequest", forFastify.cacheResponse(redis, options));
      pages.get("/pages/:name", async (request) => {
        assertEquals(Object.keys(request.headers).filter((name) => name.startsWith("larder")), []);
        return await page(who(forFastify.sessionOf(request)));
      });
      done();
    });
    return { url: await app.listen({ port: 0, host: "127.0.0.1" }), [Symbol.asyncDispose]: () => app.close() };
  },
};

async function ask(url: string, init: RequestInit = {}): Promise<{ text: string; cache: string; cookie: string }> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
  const [cookie = ""] = response.headers.get("set-cookie")?.split(";") ?? [];
  return { text: await response.text(), cache: response.headers.get("x-cache") ?? "", cookie };
}

const open = () => connect({ url: "memory:", sessions: { cookie: { insecure: true } } });

for (const [name, start] of Object.entries(services)) {
  for (const [whom, options] of [["a key", { key: () => "all" }], ["ignored cookies", { ignoreCookies: ["*"] }]]) {
    Deno.test(`${name}: a page for which a pool's callback has looked at the session is for its visitor, with ${whom}`, async () => {
      await using redis = await open();
      using pool = new Pool();
      const page = async (who: () => Promise<string>) => `for ${await pool.ask(who)}`;
      await using service = await start({ redis, pool, options: { ttl: "1m", ...options as object }, page });
      const { url } = service;
      const visitors = await Promise.all(["ada", "bob"].map(async (user) => {
        const { cookie } = await ask(`${url}/login/${user}`, { method: "POST" });
        return { user, headers: { cookie } };
      }));
      for (const { user, headers } of [...visitors, ...visitors]) {
        assertEquals((await ask(`${url}/pages/1`, { headers })).text, `for ${user}`);
      }
      assertEquals((await ask(`${url}/pages/1`)).text, "for nobody");
      // All at once, each is given his own.
      const many = Array.from({ length: 40 }, (_, i) => visitors[i % 2]!);
      const answers = await Promise.all(many.map(({ headers }) => ask(`${url}/pages/2`, { headers })));
      assertEquals(answers.map(({ text }) => text), many.map(({ user }) => `for ${user}`));
    });
  }

  Deno.test(`${name}: pages are kept and made anew behind what calls back in a context of its own, and count for their visitors alone`, async () => {
    await using redis = await open();
    using pool = new Pool();
    let made = 0;
    const page = () => Promise.resolve(`page ${++made}`);
    const options = { ttl: "30ms", staleWhileRevalidate: "1h" } as const;
    await using service = await start({ redis, pool, options, page, asksInFront: true });
    const url = `${service.url}/pages/1`;
    let asked = 0;
    await until(async () => (asked++, (await ask(url)).text === "page 3"), "a page that was made anew twice");
    const counted = async (id: string) => 100 - (await redis.rateLimit.peek("DEFAULT", id)).remaining;
    assertEquals([await counted("127.0.0.1"), await counted("unknown")], [asked, 0]);
  });
}

Deno.test("cacheResponse() keeps a page although its visitor's session is looked at behind it, while the body is read", async () => {
  await using redis = await open();
  const cached = cacheResponse(redis, { ttl: "1m" });
  const page = () => {
    const ends = Promise.withResolvers<void>();
    setTimeout(ends.resolve, 30);
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("page"));
        await ends.promise;
        controller.close();
      },
    });
    return new Response(body, { headers: { "cache-control": "public, max-age=60" } });
  };
  await using service = serve(async (request, info) => {
    const session = redis.sessions.forRequest(request, info);
    if (request.method === "POST") await session.regenerate({ userId: "ada" });
    const made = request.method === "POST" ? new Response("in") : await cached(request, page, info);
    await session.get(); // for a log
    await session.settle();
    return session.apply(made);
  });
  const { cookie } = await ask(service.url, { method: "POST" });
  for (const headers of [{}, { cookie }]) {
    await redis.cache.clear();
    await until(async () => (await ask(service.url, { headers })).cache === "HIT", "a page that is kept");
  }
});

const logging: Record<string, (redis: Larder) => Promise<Service>> = {
  async Express(redis) {
    const app = express();
    app.use(forExpress.session(redis));
    app.use((request: Any, response: Any, next: () => void) => {
      response.on("finish", () => void forExpress.sessionOf(request).get());
      next();
    });
    app.use(forExpress.cacheResponse(redis, { ttl: "1m" }));
    app.get("/", (_request: Any, response: Any) => response.send("page"));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => closeNodeServer(server) };
  },
  async Fastify(redis) {
    const app = Fastify({ forceCloseConnections: true });
    await app.register(forFastify.larder, { redis, sessions: true });
    app.addHook("onResponse", async (request) => void await forFastify.sessionOf(request).get());
    app.addHook("onRequest", forFastify.cacheResponse(redis, { ttl: "1m" }));
    app.get("/", () => "page");
    return { url: await app.listen({ port: 0, host: "127.0.0.1" }), [Symbol.asyncDispose]: () => app.close() };
  },
};

for (const [name, start] of Object.entries(logging)) {
  Deno.test(`${name}: pages are kept although a log looks at the session when a response has been sent`, async () => {
    await using redis = await open();
    await using service = await start(redis);
    const first = await ask(service.url);
    await until(async () => (await ask(service.url)).cache === "HIT", "a page that is kept");
    assertEquals([first.text, first.cache], ["page", "MISS"]);
  });
}
