// deno-lint-ignore-file no-console -- what it prints is looked at
// What README says of the embedded store, on the runtime that runs this. Fails by an exception.
import { connect, escapeGlob } from "@larder/larder";
import { cacheResponse, healthHandler, metricsHandler } from "@larder/larder/http";
import { MemoryStore } from "@larder/larder/cache";
import { FlakyStore } from "@larder/larder/testing";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";

// A picture of one pixel.
const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
writeFileSync("pixel.gif", gif);

const redis = await connect({ url: "memory:", cache: { compress: { threshold: 100 } }, images: { root: "." } });
const { cache, sessions, rateLimit } = redis;

const value = {
  date: new Date(0),
  map: new Map([["a", 1n]]),
  set: new Set([1]),
  bytes: new Uint8Array([1]),
  long: "x".repeat(5000),
};
assert.equal(await cache.set("rich", value, { ttl: "5m", tags: ["t"] }), true);
assert.deepEqual(await cache.get("rich"), value);
let loads = 0;
const all = await Promise.all(
  Array.from({ length: 100 }, () => cache.getOrSet("a", () => Promise.resolve(++loads), "5m")),
);
assert.deepEqual([loads, new Set(all).size], [1, 1]);
await cache.invalidateByTag("t");
assert.equal(await cache.get("rich"), undefined);
await cache.setMany({ "f:*:1": 1, "f:ada:1": 2 });
assert.equal((await cache.invalidateByPattern(`f:${escapeGlob("*")}:*`)).removed, 1);
assert.equal(await cache.get("f:ada:1"), 2);

const { id } = await sessions.create("ada", { theme: "dark" }, { tags: ["org"] });
assert.equal((await sessions.get(id)).data.theme, "dark");
const handler = sessions.withSession(async (_, session) => new Response((await session.get())?.userId ?? "nobody"));
const headers = new Headers();
sessions.cookie.write(headers, await sessions.get(id));
const cookie = headers.get("set-cookie").split(";")[0];
assert.equal(await (await handler(new Request("https://localhost/", { headers: { cookie } }))).text(), "ada");
assert.equal(await sessions.destroyByTag("org"), 1);

// Rules with a path need URLPattern.
const info = { remoteAddr: { hostname: "192.0.2.1" } };
const guarded = rateLimit.guard(
  { "POST /login": "AUTH", "/files/:name": "STATIC", "*": "DEFAULT" },
  () => new Response("in"),
);
const login = () => guarded(new Request("http://localhost/login", { method: "POST" }), info);
const statuses = [];
for (let i = 0; i < 6; i++) statuses.push((await login()).status);
assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
const file = await guarded(new Request("http://localhost/files/a"), info);
assert.equal(file.headers.get("RateLimit-Policy"), '"STATIC";q=1000;w=60');

const page = cacheResponse(redis, { ttl: "1m" });
assert.equal((await page(new Request("http://localhost/p"), () => new Response("p"))).headers.get("x-cache"), "MISS");
assert.equal((await page(new Request("http://localhost/p"), () => new Response("p"))).headers.get("x-cache"), "HIT");
assert.equal((await healthHandler(redis)(new Request("http://localhost/health"))).status, 200);
assert.match(await (await metricsHandler(redis)(new Request("http://localhost/metrics"))).text(), /larder_cache/);

const image = await cache.getImageInfo("pixel.gif");
assert.deepEqual([image.type, image.width, image.height], ["image/gif", 1, 1]);
assert.equal((await cache.serveImage(new Request("http://localhost/pixel.gif"), "pixel.gif")).status, 200);
assert.equal(typeof FlakyStore, "function");
assert.equal(new MemoryStore().size, 0);

process.env.REDIS_NAMESPACE = "a:b";
await assert.rejects(connect({ url: "memory:" }), /Cannot use REDIS_NAMESPACE/);
delete process.env.REDIS_NAMESPACE;
await redis.close();
console.log("done");
