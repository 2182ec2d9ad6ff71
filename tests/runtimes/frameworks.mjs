// deno-lint-ignore-file no-console -- what it prints is looked at
// Sessions, limits, kept responses that are made anew, health and metrics in Express and Fastify. Fails by an exception.
import { connect } from "@larder/larder";
import * as forExpress from "@larder/larder/express";
import * as forFastify from "@larder/larder/fastify";
import express from "express";
import fastify from "fastify";
import assert from "node:assert/strict";

const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
const options = { ttl: "30ms", staleWhileRevalidate: "1h" };

async function openExpress(page) {
  const app = express();
  app.get("/health", forExpress.health(redis));
  app.get("/metrics", forExpress.metrics(redis));
  app.use(forExpress.rateLimit(redis, { "/limited": "AUTH" }));
  app.use(forExpress.session(redis));
  app.get("/login", async (request, response) => {
    response.send((await forExpress.sessionOf(request).create("ada", {})).userId);
  });
  app.get(
    "/me",
    async (request, response) => response.send((await forExpress.sessionOf(request).get())?.userId ?? "?"),
  );
  app.get("/limited", (_, response) => response.send("in"));
  app.use("/pages", forExpress.cacheResponse(redis, options));
  app.get("/pages/:name", async (_, response) => response.send(await page()));
  const server = await new Promise((resolve) => {
    const opened = app.listen(0, "127.0.0.1", () => resolve(opened));
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections?.();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openFastify(page) {
  const app = fastify({ forceCloseConnections: true });
  const rules = { "/limited": "API" };
  await app.register(forFastify.larder, { redis, rules, sessions: true, health: "/health", metrics: "/metrics" });
  app.get("/login", async (request) => (await forFastify.sessionOf(request).create("ada", {})).userId);
  app.get("/me", async (request) => (await forFastify.sessionOf(request).get())?.userId ?? "?");
  app.get("/limited", () => "in");
  await app.register(async (pages) => {
    pages.addHook("onRequest", forFastify.cacheResponse(redis, options));
    await pages.get("/pages/:name", async () => await page());
  });
  return { url: await app.listen({ port: 0, host: "127.0.0.1" }), close: () => app.close() };
}

async function ask(url, init = {}) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: await response.text() };
}

for (const open of [openExpress, openFastify]) {
  let calls = 0;
  const shop = await open(async () => {
    const call = ++calls;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return `page ${call}`;
  });
  assert.equal((await ask(`${shop.url}/pages/bread`)).body, "page 1");
  const deadline = Date.now() + 20_000;
  let body, cache, stale = false;
  do {
    assert.ok(Date.now() < deadline, `it is made anew: ${body} ${cache}`);
    const answer = await ask(`${shop.url}/pages/bread`);
    [body, cache] = [answer.body, answer.headers.get("x-cache")];
    stale ||= cache === "STALE";
  } while (body === "page 1" || !stale);
  const login = await ask(`${shop.url}/login`);
  const cookie = login.headers.getSetCookie()[0].split(";")[0];
  assert.equal((await ask(`${shop.url}/me`, { headers: { cookie } })).body, "ada");
  assert.equal((await ask(`${shop.url}/me`)).body, "?");
  assert.ok((await ask(`${shop.url}/limited`)).headers.has("ratelimit"));
  assert.equal(JSON.parse((await ask(`${shop.url}/health`)).body).status, "ok");
  assert.match((await ask(`${shop.url}/metrics`)).body, /larder_/);
  await shop.close();
}
await redis[Symbol.asyncDispose]();
console.log("done");
