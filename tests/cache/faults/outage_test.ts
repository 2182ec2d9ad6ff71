import { assert, assertEquals, assertInstanceOf, assertLess } from "@std/assert";
import { RedisError } from "../../../src/errors.ts";
import { connect } from "../../../src/connect/larder.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { calmly } from "../../support/calm.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

/** The codes of the error replies that were told. */
function codes(log: EventLog): Set<string> {
  return new Set(log.of("cache.error").map(({ error }) => error instanceof RedisError ? error.code : String(error)));
}

Deno.test({
  name: "Cache works on a full Redis: nothing new is kept, nothing old is served, invalidations take effect",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start({ config: { "maxmemory-policy": "noeviction" } });
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    await using other = await connect({ url: server.url, namespace: "test" });
    const { cache } = redis;
    for (const key of ["key", "by key", "by tag", "by pattern", "kept"]) {
      await cache.set(key, "old", { ttl: 60, tags: [`tag of ${key}`] });
    }
    await server.cli("CONFIG", "SET", "maxmemory", 1);

    await t.step("set() is told, and what was there before is gone", async () => {
      assertEquals(await cache.set("key", "new", { ttl: 60 }), false);
      assertEquals(codes(log), new Set(["OOM"]));
      assertEquals([await cache.get("key"), await other.cache.get("key")], [undefined, undefined]);
      assertEquals(await cache.setMany({ a: 1, b: 2 }, { ttl: 60 }), false);
    });
    await t.step("getOrSet() loads, one caller for all", async () => {
      let loads = 0;
      const values = await Promise.all(
        Array.from({ length: 50 }, () => cache.getOrSet("cold", () => Promise.resolve(++loads), { tags: ["cold"] })),
      );
      assertEquals([loads, new Set(values)], [1, new Set([1])]);
    });
    await t.step("what is there is served", async () => {
      assertEquals([await cache.get("kept"), await cache.getOrSet("kept", () => "loaded")], ["old", "old"]);
    });
    await t.step("invalidations are done", async () => {
      assertEquals(await cache.invalidate("by key"), { status: "done", removed: 1 });
      assertEquals(await cache.invalidateByTag("tag of by tag"), { status: "done" });
      assertEquals((await cache.invalidateByPattern("*pattern")).status, "done");
      for (const key of ["by key", "by tag", "by pattern"]) {
        assertEquals([await cache.get(key), await other.cache.get(key)], [undefined, undefined], key);
      }
      assertEquals((await cache.clear()).status, "done");
      assertEquals([await cache.get("kept"), await other.cache.get("kept")], [undefined, undefined]);
    });
    await t.step("with room again, values are kept", async () => {
      await server.cli("CONFIG", "SET", "maxmemory", 0);
      assertEquals(await cache.set("key", "new", { ttl: 60 }), true);
      assertEquals(await cache.get("key"), "new");
    });
  },
});

Deno.test({
  name: "Cache queues invalidations while Redis takes no writes, and serves nothing old meanwhile",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    const { cache } = redis;
    const keys = ["by key", "by tag", "by pattern", "set"];
    for (const key of keys) await cache.set(key, "old", { ttl: 60, tags: [`tag of ${key}`] });
    await server.cli("CONFIG", "SET", "min-replicas-to-write", 1);
    assertEquals(await cache.set("set", "new", { ttl: 60 }), false);
    assertEquals(codes(log), new Set(["NOREPLICAS"]));
    assertEquals(await cache.invalidate("by key"), { status: "queued" });
    assertEquals(await cache.invalidateByTag("tag of by tag"), { status: "queued" });
    assertEquals(await cache.invalidateByPattern("*pattern"), { status: "queued" });
    for (const key of keys) assertEquals(await cache.get(key), undefined, key);
    assertEquals(await cache.getOrSet("by key", () => "loaded"), "loaded");
    await server.cli("CONFIG", "SET", "min-replicas-to-write", 0);
    await log.have("cache.replayed");
    await using other = await connect({ url: server.url, namespace: "test" });
    for (const key of keys) {
      assertEquals([await cache.get(key), await other.cache.get(key)], [undefined, undefined], key);
    }
  },
});

Deno.test({
  name: "Cache tells what its user may not do, and goes on without it",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const open = async (...rules: string[]) => {
      const user = `user-${crypto.randomUUID()}`;
      await server.cli("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all", ...rules);
      const log = new EventLog();
      const { url } = server;
      return { log, redis: await connect({ url, username: user, password: "secret", namespace: "test", on: log.on }) };
    };
    await using root = await connect({ url: server.url, namespace: "test" });
    await root.cache.set("key", "there", { ttl: 60, tags: ["tag"] });

    await t.step("no scripts: everything misses, loaders run", async () => {
      const { redis, log } = await open("-eval", "-evalsha");
      await using _ = redis;
      assertEquals(await redis.cache.get("key"), undefined);
      assertEquals(await redis.cache.getOrSet("key", () => "loaded"), "loaded");
      assertEquals(await redis.cache.set("key", "new"), false);
      assertEquals((await redis.cache.getMany(["key", "other"])).size, 0);
      assertEquals(codes(log), new Set(["NOPERM"]));
      const error = await redis.cache.invalidate("key").catch((error) => error);
      assertInstanceOf(error, RedisError); // it would never succeed, so it is not queued
      assertEquals(redis.cache.stats().queued, 1); // what set() was to replace
    });
    await t.step("no writes: what is there is read", async () => {
      const { redis, log } = await open("-set", "-setrange");
      await using _ = redis;
      assertEquals(await redis.cache.get("key"), "there");
      assertEquals(await redis.cache.getOrSet("cold", () => "loaded"), "loaded");
      assertEquals(await redis.cache.set("key", "new"), false);
      assertEquals(log.of("cache.error").map(({ operation }) => operation), ["write"]);
      assertInstanceOf(log.of("cache.error")[0]!.error, RedisError);
      assertEquals(await redis.cache.get("key"), undefined); // who wrote must not find what was there before
    });
    await t.step("other keys only: the same", async () => {
      const { redis, log } = await open("resetkeys", "~{elsewhere}:*");
      await using _ = redis;
      assertEquals(await redis.cache.get("key"), undefined);
      assertEquals(await redis.cache.getOrSet("key", () => "loaded"), "loaded");
      assertEquals(codes(log), new Set(["NOPERM"]));
    });
    await t.step("no channels, no INFO: everything works", async () => {
      const { redis, log } = await open("resetchannels", "-info", "-publish");
      await using _ = redis;
      assertEquals(await redis.cache.set("key", "new", { ttl: 60, tags: ["tag"] }), true);
      assertEquals([await redis.cache.get("key"), await root.cache.get("key")], ["new", "new"]);
      assertEquals((await redis.cache.invalidateByTag("tag")).status, "done");
      assertEquals([await redis.cache.get("key"), await root.cache.get("key")], [undefined, undefined]);
      assertEquals(log.of("cache.error"), []);
    });
  },
});

Deno.test({
  name: "Cache stores what was loaded although the server has forgotten all scripts meanwhile",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    const { cache } = redis;
    await cache.set("warm", 1, { ttl: 60 });
    const load = async () => {
      await server.cli("SCRIPT", "FLUSH");
      return "loaded";
    };
    assertEquals(await cache.getOrSet("key", load, { ttl: 60, tags: ["tag"] }), "loaded");
    await server.cli("SCRIPT", "FLUSH");
    assertEquals(await Promise.all(["key", "warm", "none"].map((key) => cache.get(key))), ["loaded", 1, undefined]);
    await server.cli("SCRIPT", "FLUSH");
    assertEquals((await cache.invalidateByTag("tag")).status, "done");
    assertEquals(await cache.get("key"), undefined);
    assertEquals(log.of("cache.error"), []);
  },
});

Deno.test({
  name: "Cache works on a Redis that is slow, but answers within the deadline",
  ignore,
  fn: () =>
    calmly(async () => {
      await using server = await RedisServer.start();
      await using proxy = TcpProxy.start(server);
      const log = new EventLog();
      await using redis = await connect({ url: proxy.url, namespace: "test", commandTimeout: "1s", on: log.on });
      const { cache } = redis;
      await cache.set("warm", 1, { ttl: 60 });
      await cache.get("warm");
      proxy.delay = 150; // there and back: 300 ms
      assertEquals(await cache.set("key", "value", { ttl: 60, tags: ["tag"] }), true);
      assertEquals(await cache.get("key"), "value");
      assertEquals(await cache.getOrSet("cold", () => "loaded", { ttl: 60 }), "loaded");
      assertEquals(await Promise.all(Array.from({ length: 100 }, () => cache.get("cold"))), Array(100).fill("loaded"));
      assertEquals((await cache.invalidateByTag("tag")).status, "done");
      assertEquals(await cache.get("key"), undefined);
      // 300 ms each way, which is the most that one call after the other can take.
      proxy.delay = 300;
      const start = performance.now();
      assertEquals(await cache.get("cold"), "loaded");
      assertLess(performance.now() - start, 1000);
      assertEquals(await cache.set("key", "again", { ttl: 60 }), true);
      assertEquals(await cache.get("key"), "again");
      assertEquals([log.of("cache.error"), log.of("redis.circuit"), log.of("redis.disconnected")], [[], [], []]);
    }),
});

Deno.test({
  name: "Cache keeps its connection and its circuit when many callers share a Redis that is slow",
  ignore,
  fn: () =>
    calmly(async () => {
      await using server = await RedisServer.start();
      await using proxy = TcpProxy.start(server);
      const log = new EventLog();
      await using redis = await connect({ url: proxy.url, namespace: "test", commandTimeout: "400ms", on: log.on });
      await redis.cache.set("key", "value", { ttl: 60 });
      await redis.cache.get("key");
      proxy.delay = 120; // a call that just missed a write waits for two, which is too long
      const end = performance.now() + 1500;
      let hits = 0;
      await Promise.all(Array.from({ length: 20 }, async (_, caller) => {
        await new Promise((resolve) => setTimeout(resolve, caller * 13));
        while (performance.now() < end) if (await redis.cache.get("key") === "value") hits++;
      }));
      assert(hits > 20, `only ${hits} hits`);
      assertEquals([log.of("redis.circuit"), log.of("redis.disconnected")], [[], []]);
    }),
});
