import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { connect } from "../../mod.ts";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import { resolveConfig } from "../../src/connect/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("Cache with enabled: false finds and keeps nothing", async () => {
  const store = new MemoryStore();
  await using on = new Cache(store);
  await using off = new Cache(store, { enabled: false, local: true });
  await on.set("a", "of another process", { tags: ["t"] });
  assertEquals(await off.get("a"), undefined);
  assertEquals(await off.getMany(["a", "b"]), new Map());
  assertEquals((await off.lookup("a")).status, "miss");
  assertEquals([await off.has("a"), await off.ttl("a"), await off.touch("a", 60)], [false, undefined, false]);
  assertEquals([await off.set("b", 1), await off.setMany({ c: 1 }), await on.get("b")], [false, false, undefined]);
  assertEquals(await off.warm([["d", 1]]), { stored: 0, failed: 1 });
  assertEquals(await off.namespace("v2").set("e", 1), false);
  assertEquals(await on.get("a"), "of another process");
  await assertRejects(() => off.set("f", () => {}), TypeError);
});

Deno.test("Cache with enabled: false runs loaders, one for all who ask at once", async () => {
  await using cache = new Cache(new MemoryStore(), { enabled: false });
  let loads = 0;
  const load = async () => {
    const number = ++loads;
    await Promise.resolve();
    return { number };
  };
  const all = await Promise.all(Array.from({ length: 100 }, () => cache.getOrSet("a", load, "5m")));
  assertEquals([loads, all.every(({ number }) => number === 1), new Set(all).size], [1, true, 100]);
  assertEquals((await cache.getOrSet("a", load)).number, 2);
  const many = await cache.getOrSetMany(["b", "c"], (keys) => new Map(keys.map((key) => [key, key])));
  assertEquals(many, new Map([["b", "b"], ["c", "c"]]));
  const { sets, hits } = cache.stats();
  assertEquals([sets, hits], [0, 0]);
  await assertRejects(() => cache.getOrSet("d", () => Promise.reject(new Error("broken"))), Error, "broken");
});

Deno.test("Cache with enabled: false invalidates for processes in which it is on", async () => {
  await using server = await RedisServer.start();
  const { url } = server;
  await using on = await connect({ url, namespace: "shop" });
  await using off = await connect({ url, namespace: "shop", cache: { enabled: false } });
  const fill = async () => {
    await on.cache.setMany({ "user:1": 1, "user:2": 2, "post:1": 3, "post:2": 4 }, { tags: ["all"] });
    await on.cache.set("page", 5, { tags: ["pages"] });
  };
  const left = async () =>
    [...await on.cache.getMany(["user:1", "user:2", "post:1", "post:2", "page"])].map(([key]) => key);
  await fill();
  assertEquals((await off.cache.invalidate("user:1")).status, "done");
  assertEquals(await left(), ["user:2", "post:1", "post:2", "page"]);
  await off.cache.invalidateByPattern("user:*");
  assertEquals(await left(), ["post:1", "post:2", "page"]);
  await off.cache.invalidateByTag("pages");
  assertEquals(await left(), ["post:1", "post:2"]);
  // A value that is newer than that of the others: they must not go on with theirs.
  assertEquals(await off.cache.set("post:1", 30), false);
  assertEquals(await left(), ["post:2"]);
  assertEquals(await off.cache.getOrSet("post:2", () => 40), 40);
  assertEquals(await on.cache.get("post:2"), 4);
  await off.cache.clear();
  assertEquals(await left(), []);
});

Deno.test("REDIS_CACHE switches the cache off and on", () => {
  const enabled = (text: string, options = {}) =>
    resolveConfig({ url: "memory:", ...options }, (name) => name === "REDIS_CACHE" ? text : undefined).cache.enabled;
  for (const text of ["off", "OFF", " off ", "false", "0", "no"]) assertEquals(enabled(text), false, text);
  for (const text of ["on", "true", "1", "yes"]) assertEquals(enabled(text), true, text);
  assertEquals(enabled(""), undefined);
  assertEquals(enabled("off", { cache: { enabled: true } }), true);
  assertEquals(enabled("on", { cache: { enabled: false } }), false);
  assertEquals(enabled("nonsense", { cache: { enabled: false } }), false);
  const error = assertThrows(() => enabled("maybe"), ConfigError);
  assertEquals(error.message, 'Cannot use REDIS_CACHE: wanted on or off, got "maybe"');
});

Deno.test("connect() with the cache off keeps sessions and limits", async () => {
  await using redis = await connect({ url: "memory:", cache: { enabled: false } });
  const { id } = await redis.sessions.create("ada", { theme: "dark" });
  assertEquals((await redis.sessions.get(id))?.data, { theme: "dark" });
  assertEquals((await redis.rateLimit.check("AUTH", "a")).remaining, 4);
  assertEquals([await redis.cache.set("a", 1), await redis.cache.get("a")], [false, undefined]);
  assertInstanceOf(await connect({ cache: { enabled: "no" as never } }).catch((error) => error), ConfigError);
  assertThrows(() => new Cache(new MemoryStore(), { enabled: "off" as never }), TypeError, "wanted a boolean");
});
