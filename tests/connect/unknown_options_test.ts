import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Cache, ConfigError, connect, type Larder, logEvents, MemoryStore } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";
import { cacheResponse, healthHandler, metricsHandler } from "../../src/http/mod.ts";
import { httpSource, Images } from "../../src/images/mod.ts";
import { MemoryLimitStore, RateLimiter } from "../../src/rate_limit/mod.ts";
import { rawCommands } from "../../src/redis/raw_commands.ts";
import { MemorySessionStore, Sessions } from "../../src/sessions/mod.ts";
import { EventLog } from "../support/until.ts";

type Redis = Larder<{ session: { theme?: string } }>;

/** Each call that takes options, with some of which one has a name that no option has. */
const CALLS: Readonly<Record<string, (redis: Redis, wrong: never) => unknown>> = {
  "cache.get": ({ cache }, wrong) => cache.get("a", wrong),
  "cache.getMany": ({ cache }, wrong) => cache.getMany(["a"], wrong),
  "cache.lookup": ({ cache }, wrong) => cache.lookup("a", wrong),
  "cache.set": ({ cache }, wrong) => cache.set("a", 1, wrong),
  "cache.setMany": ({ cache }, wrong) => cache.setMany({ a: 1 }, wrong),
  "cache.getOrSet": ({ cache }, wrong) => cache.getOrSet("a", () => 1, wrong),
  "cache.getOrSetMany": ({ cache }, wrong) => cache.getOrSetMany(["a"], () => ({ a: 1 }), wrong),
  "cache.define": ({ cache }, wrong: object) =>
    cache.define({ name: "a", key: (id: number) => id, load: () => 1, ...wrong }),
  "cache.wrap": ({ cache }, wrong: object) => cache.wrap(() => 1, { key: () => "a", ...wrong }),
  "cache.warm": ({ cache }, wrong) => cache.warm([["a", 1]], wrong),
  "cache.warm, of an entry": ({ cache }, wrong) => cache.warm([["a", 1, wrong]]),
  "cache.has": ({ cache }, wrong) => cache.has("a", wrong),
  "cache.ttl": ({ cache }, wrong) => cache.ttl("a", wrong),
  "cache.touch": ({ cache }, wrong) => cache.touch("a", 1, wrong),
  "cache.invalidate": ({ cache }, wrong) => cache.invalidate("a", wrong),
  "cache.invalidateMany": ({ cache }, wrong) => cache.invalidateMany([], wrong),
  "cache.delete": ({ cache }, wrong) => cache.delete("a", wrong),
  "cache.invalidateByTag": ({ cache }, wrong) => cache.invalidateByTag([], wrong),
  "cache.invalidateByPattern": ({ cache }, wrong) => cache.invalidateByPattern("*", wrong),
  "cache.clear": ({ cache }, wrong) => cache.clear(wrong),
  "cache.namespaces": ({ cache }, wrong) => cache.namespaces(wrong),
  "cache.drop": ({ cache }, wrong) => cache.drop("v2", wrong),
  "cache.inspect": ({ cache }, wrong) => cache.inspect("*", wrong).next(),
  "cache.namespace().set": ({ cache }, wrong) => cache.namespace("v2").set("a", 1, wrong),
  ...Object.fromEntries(
    ["get", "getMany", "lookup", "set", "invalidate"].map((name) => [
      `definition.${name}`,
      ({ cache }: Redis, wrong: never) => {
        const kind = cache.define({ name: "a", key: (id: number) => id, load: () => 1 });
        if (name === "set") return kind.set(1, 1, wrong);
        if (name === "getMany") return kind.getMany([], wrong);
        return kind[name as "get" | "lookup" | "invalidate"](1, wrong);
      },
    ]),
  ),
  "definition.invalidateAll": ({ cache }, wrong) =>
    cache.define({ name: "a", key: (id: number) => id, load: () => 1 }).invalidateAll(wrong),
  "cache.getImageInfo": ({ cache }, wrong) => cache.getImageInfo("a.png", wrong),
  "cache.getImageInfoMany": ({ cache }, wrong) => cache.getImageInfoMany([], wrong),
  "cache.invalidateImage": ({ cache }, wrong) => cache.invalidateImage("", wrong),
  "cache.warmImages": ({ cache }, wrong) => cache.warmImages([], wrong),
  "cache.serveImage": ({ cache }, wrong) => cache.serveImage(new Request("http://localhost/"), undefined, wrong),
  "sessions.create": ({ sessions }, wrong) => sessions.create("ada", {}, wrong),
  "sessions.get": ({ sessions }, wrong) => sessions.get(undefined, wrong),
  "sessions.update": ({ sessions }, wrong) => sessions.update("", {}, wrong),
  "sessions.touch": ({ sessions }, wrong) => sessions.touch(undefined, wrong),
  "sessions.destroy": ({ sessions }, wrong) => sessions.destroy(undefined, wrong),
  "sessions.regenerate": ({ sessions }, wrong) => sessions.regenerate("", wrong),
  "sessions.list": ({ sessions }, wrong) => sessions.list("ada", wrong),
  "sessions.destroyAll": ({ sessions }, wrong) => sessions.destroyAll("ada", wrong),
  "sessions.destroyByTag": ({ sessions }, wrong) => sessions.destroyByTag("org:7", wrong),
  "sessions.typed": ({ sessions }, wrong) => sessions.typed(wrong),
  "sessions.updateAll": ({ sessions }, wrong) => sessions.updateAll("ada", {}, wrong),
  "sessions.forRequest": ({ sessions }, wrong) =>
    sessions.forRequest(new Request("http://localhost/"), undefined, wrong),
  "session.get of a request": ({ sessions }, wrong) => sessions.forRequest(new Request("http://localhost/")).get(wrong),
  "session.pop of a request": ({ sessions }, wrong) =>
    sessions.forRequest(new Request("http://localhost/")).pop("theme", wrong),
  "session of Hono": (redis, wrong) => hono.session(redis, wrong),
  "session of Oak": (redis, wrong) => oak.session(redis, wrong),
  "sessions.withSession": ({ sessions }, wrong) => sessions.withSession(() => new Response(), wrong),
  ...Object.fromEntries(
    (["create", "update", "regenerate", "destroy"] as const).map((name) => [
      `session.${name} of a request`,
      async ({ sessions }: Redis, wrong: never) => {
        let thrown: unknown;
        await sessions.withSession(async (_request, session) => {
          try {
            if (name === "create") await session.create("ada", {}, wrong);
            else if (name === "update") await session.update({ theme: "dark" }, wrong);
            else await session[name](wrong);
          } catch (error) {
            thrown = error;
          }
          return new Response();
        })(new Request("http://localhost/"));
        throw thrown;
      },
    ]),
  ),
  "rateLimit.check": ({ rateLimit }, wrong) => rateLimit.check("API", "a", wrong),
  "rateLimit.checkAll": ({ rateLimit }, wrong) => rateLimit.checkAll([["API", "a"]], wrong),
  "rateLimit.peek": ({ rateLimit }, wrong) => rateLimit.peek("API", "a", wrong),
  "rateLimit.reserve": ({ rateLimit }, wrong) => rateLimit.reserve("API", "a", wrong),
  "rateLimit.penalize": ({ rateLimit }, wrong) => rateLimit.penalize("API", "a", 1, wrong),
  "rateLimit.reset": ({ rateLimit }, wrong) => rateLimit.reset("API", "a", wrong),
  "rateLimit.define": ({ rateLimit }, wrong: object) => rateLimit.define("UPLOAD", { limit: 1, window: 1, ...wrong }),
  "reservation.refund": async ({ rateLimit }, wrong) => await (await rateLimit.reserve("API", "a")).refund(wrong),
  "rateLimit.guard": ({ rateLimit }, wrong) => rateLimit.guard({ "*": "API" }, () => new Response(), wrong),
  "a rule of rateLimit.guard": ({ rateLimit }, wrong: object) =>
    rateLimit.guard({ "*": { limits: "API", ...wrong } }, () => new Response()),
  "one of several rules of a route": ({ rateLimit }, wrong: object) =>
    rateLimit.guard({ "*": ["DEFAULT", { limits: "API", ...wrong }] }, () => new Response()),
  "gate.decide": async ({ rateLimit }, wrong) =>
    await rateLimit.gate({ "*": "API" }).decide(new Request("http://localhost/"), undefined, wrong),
  "health of Hono": (redis, wrong) => hono.health(redis, wrong),
  "health of Oak": (redis, wrong) => oak.health(redis, wrong),
  "metrics of Hono": (redis, wrong) => hono.metrics(redis, wrong),
  "metrics of Oak": (redis, wrong) => oak.metrics(redis, wrong),
  "client.sendCommand": (_, wrong) => rawCommands(undefined as never).sendCommand("PING", [], wrong),
  "rateLimit.gate": ({ rateLimit }, wrong) => rateLimit.gate({ "*": "API" }, wrong),
  "cacheResponse": (redis, wrong) => cacheResponse(redis, wrong),
  "cacheResponse of Hono": (redis, wrong) => hono.cacheResponse(redis, wrong),
  "cacheResponse of Oak": (redis, wrong) => oak.cacheResponse(redis, wrong),
  "rateLimit of Hono": (redis, wrong) => hono.rateLimit(redis, { "*": "API" }, wrong),
  "rateLimit of Oak": (redis, wrong) => oak.rateLimit(redis, { "*": "API" }, wrong),
  "healthHandler": (redis, wrong) => healthHandler(redis, wrong),
  "metricsHandler": (redis, wrong) => metricsHandler(redis, wrong),
  "ready": (redis, wrong) => redis.ready(wrong),
  "health": (redis, wrong) => redis.health(wrong),
  "logEvents": (_, wrong) => logEvents(console, wrong),
  "httpSource": (_, wrong: object) => httpSource({ base: "http://cdn/", hosts: ["cdn"], ...wrong }),
  "new Cache": (_, wrong) => new Cache(new MemoryStore(), wrong),
  "new Cache, copies": (_, wrong) => new Cache(new MemoryStore(), { local: wrong }),
  "new MemoryStore": (_, wrong) => new MemoryStore(wrong),
  "new Sessions": (_, wrong) => new Sessions(new MemorySessionStore(), wrong),
  "new Sessions, cookie": (_, wrong) => new Sessions(new MemorySessionStore(), { cookie: wrong }),
  "new MemorySessionStore": (_, wrong) => new MemorySessionStore(wrong),
  "new RateLimiter": (_, wrong) => new RateLimiter(new MemoryLimitStore(), wrong),
  "new RateLimiter, proxies": (_, wrong: object) =>
    new RateLimiter(new MemoryLimitStore(), { trustProxy: { hops: 1, ...wrong } }),
  "new MemoryLimitStore": (_, wrong) => new MemoryLimitStore(wrong),
  "new Images": ({ cache }, wrong: object) => new Images(cache, { root: "a", ...wrong }),
};

Deno.test("A name that no option has is refused wherever options are taken", async (t) => {
  await using redis: Redis = await connect<{ session: { theme?: string } }>({
    url: "memory:",
    images: { root: "tests/images/fixtures" },
  });
  for (const [name, call] of Object.entries(CALLS)) {
    await t.step(name, async () => {
      const error = await assertRejects(async () => await call(redis, { bananas: 30 } as never), TypeError);
      assertStringIncludes(error.message, "wanted an option that there is (");
      assertStringIncludes(error.message, 'got "bananas"');
    });
  }
  assertEquals([await redis.cache.get("a"), redis.sessions.stats().created], [undefined, 0]);
});

Deno.test("What is no object of options is refused as such", async (t) => {
  await using redis: Redis = await connect<{ session: { theme?: string } }>({
    url: "memory:",
    images: { root: "tests/images/fixtures" },
  });
  for (const [name, call] of Object.entries(CALLS)) {
    if (/\.\.\.wrong|: wrong/.test(call.toString())) continue; // there are options beside it
    await t.step(name, async () => {
      const error = await assertRejects(async () => await call(redis, null as never), TypeError);
      assertStringIncludes(error.message, "got null");
    });
  }
});

/** What has no fields of its own and would pass for options of which none is given. */
const NO_OPTIONS: Readonly<Record<string, () => object>> = {
  Date: () => new Date(),
  Map: () => new Map([["ttl", 5]]),
  Promise: () => Promise.reject(new Error("options that nobody awaited")),
  URL: () => new URL("http://localhost/"),
  AbortSignal: () => new AbortController().signal,
};

Deno.test("What keeps its state elsewhere, such as a promise or a signal, is refused in place of options", async (t) => {
  await using redis: Redis = await connect<{ session: { theme?: string } }>({
    url: "memory:",
    images: { root: "tests/images/fixtures" },
  });
  for (const [kind, make] of Object.entries(NO_OPTIONS)) {
    await t.step(kind, async () => {
      for (const [name, call] of Object.entries(CALLS)) {
        if (/\.\.\.wrong|: wrong/.test(call.toString())) continue; // there are options beside it
        const error = await assertRejects(async () => await call(redis, make() as never), TypeError, undefined, name);
        assertStringIncludes(error.message, `got an instance of ${kind}`, name);
      }
      const sections = ["cache", "sessions", "rateLimit", "images", "pubsub", "streams", "tls"];
      for (const name of sections) await assertRejects(() => connect({ url: "memory:", [name]: make() }), ConfigError);
      await assertRejects(() => connect(make()), ConfigError, `as in { url: … }, got an instance of ${kind}`);
      for (const [name, cache] of Object.entries({ local: make(), memory: make(), compress: make() })) {
        await assertRejects(() => connect({ url: "memory:", cache: { [name]: cache } }), ConfigError);
      }
      await assertRejects(() => connect({ url: "memory:", sessions: { cookie: make() } }), ConfigError);
    });
  }
  const error = await assertRejects(() => redis.cache.get("a", new AbortController().signal as never), TypeError);
  assertEquals(error.message, "Cannot read from the cache: wanted { signal }, got an instance of AbortSignal");
});

Deno.test("Entries that nobody awaited, and what a loader of several has not read, are refused", async () => {
  await using redis = await connect({ url: "memory:" });
  const { cache } = redis;
  for (const entries of [Promise.resolve({ a: 1 }), new Date(), new Response("{}")]) {
    await assertRejects(() => cache.setMany(entries as never), TypeError, "wanted keys and values, got an instance of");
  }
  await cache.set("a", 1, { ttl: 0.001, staleIfError: 60 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const unread = () => new Response('{"a":2}') as never;
  const options = { staleIfError: 60 } as const;
  assertEquals(await cache.getOrSetMany(["a"], unread, options), new Map([["a", 1]])); // a failure of the loader
  await assertRejects(() => cache.getOrSetMany(["b"], unread), TypeError, "got an instance of Response");
});

Deno.test("Options may be an object of a class of one's own, or a module", async () => {
  class Settings {
    ttl = "5m" as const;
  }
  await using redis = await connect({ url: "memory:", cache: new Settings() });
  assertEquals(await redis.cache.set("a", 1, Object.assign(Object.create(null), { ttl: 5 })), true);
  assertEquals(await redis.cache.set("b", 1, await import("data:text/javascript,export const ttl = 7;")), true);
  assertEquals([await redis.cache.ttl("a"), await redis.cache.ttl("b")].map((ttl) => Math.round(ttl!)), [5, 7]);
  assertEquals(await redis.cache.set("c", 1, new AbortController()), true); // has a signal
});

Deno.test("The option that was meant is named where one is near", async () => {
  await using redis = await connect({ url: "memory:" });
  const { cache, sessions, rateLimit } = redis;
  const told = async (call: () => unknown) =>
    (await assertRejects(async () => await call(), TypeError)).message.replace(/.*such as /, "");
  const wrong = (options: object) => options as never;
  assertEquals(await told(() => cache.set("a", 1, wrong({ ttlSeconds: 30 }))), '"ttl", got "ttlSeconds"');
  assertEquals(await told(() => cache.set("a", 1, wrong({ EX: 30 }))), '"ttl", got "EX"');
  assertEquals(
    await told(() => cache.getOrSet("a", () => 1, wrong({ swr: 30 }))),
    '"staleWhileRevalidate", got "swr"',
  );
  assertEquals(await told(() => sessions.create("ada", {}, wrong({ expiresIn: 30 }))), '"ttl", got "expiresIn"');
  assertEquals(await told(() => rateLimit.check("API", "a", wrong({ costs: 2 }))), '"cost", got "costs"');
  assertEquals(
    assertThrows(() => rateLimit.guard({ "POST /login": wrong({ limit: "AUTH" }) }, () => new Response()), TypeError)
      .message,
    'Cannot guard "POST /login": wanted an option that there is, such as "limits", got "limit"',
  );
});

Deno.test("A duration stands for options where how long is all that is said", async () => {
  const log = new EventLog();
  await using redis = await connect({ url: "memory:", on: log.on });
  const { cache } = redis;
  const ttl = async (key: string) => Math.ceil((await cache.ttl(key))!);
  assertEquals(await cache.set("a", 1, 300), true);
  assertEquals(await cache.set("b", 1, "5m"), true);
  assertEquals(await cache.set("c", 1, 0), true);
  assertEquals(await cache.setMany({ d: 1, e: 2 }, "10m"), true);
  assertEquals(await cache.setMany([["f", 1]], 60), true);
  assertEquals(await cache.getOrSet("g", () => 7, "5m"), 7);
  assertEquals(await cache.getOrSet("h", () => 8, 30), 8);
  assertEquals(await cache.getOrSetMany(["i"], () => ({ i: 9 }), "1d"), new Map([["i", 9]]));
  assertEquals(await cache.warm([["j", 1, 20], ["k", 1, "2m"]]), { stored: 2, failed: 0 });
  const expected = { a: 300, b: 300, d: 600, e: 600, f: 60, g: 300, h: 30, i: 86_400, j: 20, k: 120 };
  for (const [key, seconds] of Object.entries(expected)) assertEquals(await ttl(key), seconds, key);
  assertEquals(await cache.ttl("c"), Infinity);
});

Deno.test("A duration in place of options is checked as the option ttl is", async () => {
  await using redis = await connect({ url: "memory:" });
  const { cache } = redis;
  for (const wrong of [-1, NaN, "soon", "EX", ""]) {
    for (
      const call of [
        () => cache.set("a", 1, wrong),
        () => cache.setMany({ a: 1 }, wrong),
        () => cache.getOrSet("a", () => 1, wrong),
        () => cache.getOrSetMany(["a"], () => ({ a: 1 }), wrong),
        () => cache.warm([["a", 1, wrong]]),
      ]
    ) {
      const error = await assertRejects(call, Error);
      assertStringIncludes(error.message, 'Cannot use "ttl": wanted seconds');
    }
  }
  for (const wrong of [true, 5n, [], () => 1]) {
    await assertRejects(() => cache.set("a", 1, wrong as never), TypeError, "wanted an object with options");
    await assertRejects(() => cache.getOrSet("a", () => 1, wrong as never), TypeError, "wanted an object with options");
  }
  assertEquals(await cache.get("a"), undefined);
});
