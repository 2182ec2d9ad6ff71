import { assert, assertEquals } from "@std/assert";
import express from "express";
import fastify from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type Larder } from "../../mod.ts";
import * as forExpress from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import { onBothStores } from "../sessions/served.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { until } from "../support/until.ts";
import { visit } from "./shop.ts";

interface Shop extends AsyncDisposable {
  readonly url: string;
}

/** What the same shop does in each framework. */
interface Wares {
  /** Makes a page: the text, and its headers. */
  readonly page: (headers: IncomingMessage["headers"]) => Promise<{ text: string; headers: Record<string, string> }>;
  readonly options?: forExpress.CacheResponseOptions;
}

type Open = (redis: Larder, wares: Wares) => Promise<Shop>;

// deno-lint-ignore no-explicit-any -- the packages' own types are none of those that Larder is written against
type Any = any;

const frameworks: Readonly<Record<string, Open>> = {
  "Express": async (redis, { page, options }) => {
    const app = express() as Any;
    app.set("env", "test"); // says nothing of errors
    app.get("/health", forExpress.health(redis));
    app.get("/metrics", forExpress.metrics(redis));
    app.use((_: unknown, response: ServerResponse, next: () => void) => {
      response.setHeader("x-front", crypto.randomUUID());
      next();
    });
    app.use(forExpress.rateLimit(redis, { "/limited": "AUTH" }));
    app.use(forExpress.session(redis));
    app.use("/pages", forExpress.cacheResponse(redis, options));
    app.get("/pages/login", async (request: Any, response: Any) => {
      await forExpress.sessionOf(request).create("ada", {});
      response.send("welcome");
    });
    app.get("/pages/me", async (request: Any, response: Any) => {
      response.send((await forExpress.sessionOf(request).get())?.userId ?? "nobody");
    });
    app.get("/pages/broken", () => {
      throw new Error("broken");
    });
    app.get("/pages/late", async (_: unknown, response: Any) => {
      response.type("text").write("begun");
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new Error("late");
    });
    app.get("/pages/:name", async (request: Any, response: Any) => {
      const { text, headers } = await page(request.headers);
      response.set(headers).send(text);
    });
    app.get("/stream", async (_: unknown, response: ServerResponse) => {
      response.write("first ");
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.end("second");
    });
    app.get("/limited", (_: unknown, response: Any) => void response.send("in"));
    app.post("/pages/:name", (_: unknown, response: Any) => void response.send("changed"));
    app.use((_error: Error, _request: unknown, response: Any, next: Any) =>
      response.headersSent ? next(_error) : void response.status(500).send("oh")
    );
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: () => closeNodeServer(server),
    };
  },
  "Fastify": async (redis, { page, options }) => {
    const app = fastify({ forceCloseConnections: true }) as Any;
    app.setErrorHandler((_: Error, __: unknown, reply: Any) => reply.code(500).send("oh"));
    app.addHook("onRequest", (_: unknown, reply: Any, done: () => void) => {
      reply.header("x-front", crypto.randomUUID());
      done();
    });
    await app.register(forFastify.larder, {
      redis,
      rules: { "/limited": "AUTH" },
      sessions: true,
      health: "/health",
      metrics: "/metrics",
      names: true,
    });
    await app.register(async (pages: Any) => {
      await Promise.resolve();
      pages.addHook("onRequest", forFastify.cacheResponse(redis, options));
      pages.get("/pages/login", async (request: Any) => {
        await forFastify.sessionOf(request).create("ada", {});
        return "welcome";
      });
      pages.get("/pages/me", async (request: Any) => (await forFastify.sessionOf(request).get())?.userId ?? "nobody");
      pages.get("/pages/broken", () => {
        throw new Error("broken");
      });
      pages.get("/pages/late", async (_: unknown, reply: Any) => {
        reply.raw.writeHead(200, { "content-type": "text/plain" });
        reply.raw.write("begun");
        await new Promise((resolve) => setTimeout(resolve, 5));
        throw new Error("late");
      });
      pages.get("/pages/:name", async (request: Any, reply: Any) => {
        const { text, headers } = await page(request.headers);
        return reply.headers(headers).send(text);
      });
      pages.post("/pages/:name", () => "changed");
    });
    app.get("/stream", (_: unknown, reply: Any) => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("first "));
          await new Promise((resolve) => setTimeout(resolve, 20));
          controller.enqueue(new TextEncoder().encode("second"));
          controller.close();
        },
      });
      return reply.send(body);
    });
    app.get("/limited", () => "in");
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    return { url, [Symbol.asyncDispose]: () => app.close() };
  },
};

for (const [framework, open] of Object.entries(frameworks)) {
  onBothStores(
    `${framework}: pages are kept, made anew behind the scenes, and taken along by changes`,
    async (connect) => {
      await using redis = await connect();
      const turns = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
      let calls = 0;
      await using shop = await open(redis, {
        options: { ttl: "50ms", staleWhileRevalidate: "1h" },
        page: async () => {
          const call = ++calls;
          await turns[call - 1]!.promise;
          await new Promise((resolve) => setTimeout(resolve, 5));
          return {
            text: `page ${call}`,
            headers: call === 3 ? { "cache-control": "max-age=600" } : {} as Record<string, string>,
          };
        },
      });
      const url = `${shop.url}/pages/bread`;
      turns[0]!.resolve();
      const first = await visit(url);
      assertEquals([first.status, first.body, first.cache], [200, "page 1", "MISS"]);
      for (const round of [2, 3]) {
        await until(async () => {
          const { body, cache } = await visit(url);
          assertEquals(body, `page ${round - 1}`);
          return cache === "STALE" && calls === round;
        }, "it is made anew");
        turns[round - 1]!.resolve();
        await until(async () => (await visit(url)).body === `page ${round}`, "the new one is served");
      }
      const [a, b] = [await visit(url), await visit(url)];
      assertEquals([a.body, a.cache, b.cache, calls], ["page 3", "HIT", "HIT", 3]);
      const fronts = [first, a, b].map(({ headers }) => headers.get("x-front"));
      assert(
        fronts.every((front) => front?.length === 36) && new Set(fronts).size === 3,
        "headers in front are of each",
      );
      const head = await visit(url, { method: "HEAD" });
      assertEquals([head.body, head.headers.get("content-length"), head.cache], ["", "6", "HIT"]);
      const etag = a.headers.get("etag");
      if (etag) assertEquals((await visit(url, { headers: { "if-none-match": etag } })).status, 304);
      turns[3]!.resolve();
      assertEquals((await visit(url, { method: "POST" })).body, "changed");
      const after = await visit(url);
      assertEquals([after.body, after.cache], ["page 4", "MISS"]);
    },
  );

  onBothStores(`${framework}: a load has no visitor, and who says who he is gets his own`, async (connect) => {
    await using redis = await connect();
    const seen: IncomingMessage["headers"][] = [];
    await using shop = await open(redis, {
      options: { ttl: "1m" },
      page: (headers) => {
        seen.push(headers);
        return Promise.resolve({ text: `for ${headers.cookie ?? "all"}`, headers: {} });
      },
    });
    const url = `${shop.url}/pages/a`;
    const own = await visit(url, { headers: { cookie: "id=ada" } });
    assertEquals([own.body, own.cache], ["for id=ada", "BYPASS"]);
    const first = await visit(url, { headers: { "x-forwarded-for": "203.0.113.7", "if-none-match": '"x"' } });
    assertEquals([first.body, first.cache], ["for all", "MISS"]);
    assertEquals([seen[1]!["x-forwarded-for"], seen[1]!["if-none-match"]], [undefined, undefined]);
    assertEquals((await visit(url)).cache, "HIT");
    for (const round of ["once", "twice"]) {
      const broken = await visit(`${shop.url}/pages/broken`);
      assertEquals([broken.status, broken.body], [500, "oh"], round);
    }
    const all = await Promise.all(Array.from({ length: 20 }, () => visit(`${shop.url}/pages/b`)));
    assert(all.every(({ body }) => body === "for all"));
    assertEquals(seen.length, 3, "one load for all");
    assertEquals((await visit(`${shop.url}/stream`)).body, "first second");
  });

  Deno.test(`${framework}: what broke off is neither whole nor kept`, async () => {
    await using redis = await connect({ url: "memory:" });
    await using shop = await open(redis, { page: () => Promise.resolve({ text: "page", headers: {} }) });
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${shop.url}/pages/late`, { signal: AbortSignal.timeout(20_000) });
      const text = await response.text().catch((error: Error) => {
        if (error.name === "TimeoutError") throw error;
        return undefined;
      });
      // Where nothing has gone out yet, the visitor gets the error.
      const whole = text !== undefined && response.status === 200;
      assertEquals([whole, response.headers.get("x-cache") === "HIT"], [false, false], `${i}: ${text}`);
    }
    assertEquals((await visit(`${shop.url}/pages/a`)).body, "page");
  });

  Deno.test(`${framework}: sessions in front of the cache, limits, health and metrics`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    await using shop = await open(redis, { page: () => Promise.resolve({ text: "page", headers: {} }) });
    const login = await visit(`${shop.url}/pages/login`);
    const cookies = login.headers.getSetCookie();
    assertEquals([login.body, cookies.length], ["welcome", 1]);
    assert(login.headers.get("cache-control")?.includes("no-store"));
    const cookie = cookies[0]!.split(";")[0]!;
    assertEquals((await visit(`${shop.url}/pages/me`, { headers: { cookie } })).body, "ada");
    const nobody = await visit(`${shop.url}/pages/me`);
    assertEquals([nobody.body, nobody.headers.get("set-cookie")], ["nobody", null]);
    assert(nobody.headers.get("vary")?.toLowerCase().includes("cookie"));
    for (let i = 1; i <= 6; i++) {
      const { status, headers } = await visit(`${shop.url}/limited`);
      assertEquals([status, headers.has("ratelimit")], [i > 5 ? 429 : 200, true]);
    }
    assertEquals(JSON.parse((await visit(`${shop.url}/health`)).body).status, "ok");
    assert((await visit(`${shop.url}/metrics`)).body.includes("larder_"));
  });
}

Deno.test("Fastify: the plugin gives the app its services, and the names that such services are used to", async () => {
  await using redis = await connect({ url: "memory:" });
  const typed = fastify();
  await typed.register(forFastify.larder, { redis, names: true });
  typed.addHook("onRequest", forFastify.cacheResponse(redis));
  const app = typed as Any;
  await app.ready();
  assertEquals([app.cache === redis.cache, app.sessions === redis.sessions], [true, true]);
  assertEquals(app.rateLimit === redis.rateLimit, true);
  assertEquals(await app.getFromCache("user:1"), null);
  assertEquals(await app.setToCache("user:1", { name: "Ada" }, 300), true);
  assertEquals(await app.getFromCache("user:1"), { name: "Ada" });
  await app.setToCache("user:2", {}, 300);
  assertEquals(await app.deleteCachePattern("user:*"), 2);
  assertEquals(await app.getFromCache("user:1"), null);
  assertEquals(await app.deleteFromCache("user:1"), false);
  assertEquals(await app.isCacheHealthy(), true);
  const { connected, status, hits } = await app.getCacheStats();
  assertEquals([connected, status, hits], [true, "ready", 1]);
  await app.close();
});
