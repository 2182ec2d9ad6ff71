import { assert, assertEquals, assertRejects } from "@std/assert";
import fastify from "fastify";
import { type CacheNames, larder } from "../../src/http/fastify.ts";
import { healthHandler } from "../../src/http/mod.ts";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import type { Larder } from "../../mod.ts";
import { FlakyStore } from "../../src/testing/mod.ts";
import { z } from "zod";
import { connect, onDocument, Users } from "./seed.ts";

/** An app with the names of the document. */
async function withApp(redis: Larder, run: (app: CacheNames & { inject: unknown }) => Promise<void>): Promise<void> {
  const app = fastify();
  await app.register(larder, { redis, names: true });
  await app.ready();
  try {
    await run(app as unknown as CacheNames & { inject: unknown });
  } finally {
    await app.close();
  }
}

const TTL_CONFIG = {
  USER_PROFILE: 900,
  USER_PERMISSIONS: 1800,
  SESSION_DATA: 86_400,
  API_RESPONSES: 300,
  STATIC_DATA: 3600,
  TEMPORARY: 60,
};

onDocument("001", {
  "getFromCache() gives what was set, and null for what is not there": (redis) =>
    withApp(redis, async (app) => {
      assertEquals(await app.getFromCache("user:123"), null);
      await app.setToCache("user:123", { name: "Ada" }, 300);
      assertEquals(await app.getFromCache("user:123"), { name: "Ada" });
    }),
  "setToCache() keeps for 15 minutes, or as long as it is told": (redis) =>
    withApp(redis, async (app) => {
      assertEquals([await app.setToCache("a", 1), await app.setToCache("b", 1, 300)], [true, true]);
      const [a, b] = [(await redis.cache.ttl("a"))!, (await redis.cache.ttl("b"))!];
      assert(a > 880 && a <= 900 && b > 280 && b <= 300, `${a} ${b}`);
    }),
  "deleteFromCache() tells whether there was something": (redis) =>
    withApp(redis, async (app) => {
      await app.setToCache("user:123", 1);
      assertEquals([await app.deleteFromCache("user:123"), await app.deleteFromCache("user:123")], [true, false]);
    }),
  "deleteCachePattern() tells how many went": (redis) =>
    withApp(redis, async (app) => {
      for (const key of ["user:1", "user:2", "order:1"]) await app.setToCache(key, 1);
      assertEquals(await app.deleteCachePattern("user:*"), 2);
      assertEquals([await app.getFromCache("user:1"), await app.getFromCache("order:1")], [null, 1]);
    }),
  "getCacheStats() and isCacheHealthy() tell how it is": (redis) =>
    withApp(redis, async (app) => {
      await app.getFromCache("a");
      const { connected, status, misses, memory_info } = await app.getCacheStats();
      assertEquals([connected, status, misses], [true, "ready", 1]);
      assertEquals(typeof memory_info, "string");
      assertEquals(await app.isCacheHealthy(), true);
    }),
  "users are read through, written through, and taken away with what belongs to them": (redis) =>
    withApp(redis, async (app) => {
      const users = new Users();
      users.put("1", { name: "Ada" });
      const getUser = async () => {
        const cached = await app.getFromCache("user:1");
        if (cached) return cached;
        const user = await users.find("1");
        await app.setToCache("user:1", user, TTL_CONFIG.USER_PROFILE);
        return user;
      };
      assertEquals([await getUser(), await getUser(), users.asked], [{ name: "Ada" }, { name: "Ada" }, 1]);
      await app.setToCache("user:1:posts", []);
      await app.setToCache("user:1", users.put("1", { name: "Ada L." }), 900);
      assertEquals(await app.deleteCachePattern("user:1:*"), 1);
      assertEquals([await getUser(), await app.getFromCache("user:1:posts")], [{ name: "Ada L." }, null]);
      assertEquals(await app.deleteFromCache("user:1"), true);
    }),
  "sessions last a day from when they were used last": async ({ sessions }) => {
    const { id } = await sessions.create("ada", { cart: 1 }, { ttl: TTL_CONFIG.SESSION_DATA });
    const session = (await sessions.get(id))!;
    assertEquals([session.userId, session.data], ["ada", { cart: 1 }]);
    assert(session.lastSeenAt >= session.createdAt);
    assertEquals([await sessions.destroy(id), await sessions.get(id)], [true, undefined]);
  },
  "an answer of an API is made once for all who ask, and it is told whether it was cached": async ({ cache }) => {
    let calls = 0;
    const ask = async () => {
      let made = false;
      const data = await cache.getOrSet("dashboard:7", () => {
        made = true;
        return ++calls;
      }, { ttl: 600 });
      return { data, fromCache: !made };
    };
    assertEquals([await ask(), await ask()], [{ data: 1, fromCache: false }, { data: 1, fromCache: true }]);
  },
  "a sliding window admits what it says, and what is refused does not count": async ({ rateLimit }) => {
    const all = await Promise.all(Array.from({ length: 130 }, () => rateLimit.check("DEFAULT", "user:7")));
    assertEquals(all.filter(({ allowed }) => allowed).length, 100);
    const { resetAfter } = await rateLimit.peek("DEFAULT", "user:7");
    assert(resetAfter > 0 && resetAfter <= 60);
  },
  "what a user needs is warmed, whatever fails of it": async ({ cache }) => {
    const ttl = TTL_CONFIG.USER_PERMISSIONS;
    const { stored } = await cache.warm([
      ["user:1", { name: "Ada" }, { ttl }],
      ["permissions:1", ["read"], { ttl }],
      ["preferences:1", { theme: "dark" }, { ttl }],
    ]);
    assertEquals(stored, 3);
    assertEquals(await cache.get("permissions:1"), ["read"]);
  },
  "many are set in one write": async ({ cache }) => {
    const items = Array.from({ length: 50 }, (_, i) => [`item:${i}`, { i }] as const);
    assertEquals(await cache.setMany(items, { ttl: 900 }), true);
    assertEquals((await cache.getMany(items.map(([key]) => key))).size, 50);
  },
  "environments are kept apart by namespaces": async ({ cache }) => {
    await cache.namespace("prod").set("user:123", 1);
    assertEquals(await cache.namespace("dev").get("user:123"), undefined);
  },
  "lifetimes by what a value is": async ({ cache }) => {
    for (const [name, ttl] of Object.entries(TTL_CONFIG)) {
      await cache.set(name, 1, ttl);
      const left = (await cache.ttl(name))!;
      assert(left > ttl - 20 && left <= ttl, `${name}: ${left}`);
    }
  },
  "hits, misses and the hit rate are counted": async ({ cache }) => {
    await cache.set("a", 1);
    for (const key of ["a", "a", "a", "b"]) await cache.get(key);
    const { hits, misses, hitRate } = cache.stats();
    assertEquals([hits, misses, hitRate], [3, 1, 0.75]);
  },
  "commands of one's own go over the same connection, together in one write": async ({ client, store }) => {
    const send = (name: string, ...args: string[]) => client.sendCommand(name, args);
    if (store === "memory") return void await assertRejects(() => send("SET", "key", "value"), Error);
    const replies = await Promise.all([
      send("SET", "key", "value"),
      send("GET", "key"),
      send("HSET", "hash", "field", "value"),
      send("LPUSH", "list", "item"),
    ]);
    assertEquals(replies, ["OK", "value", 1, 1]);
  },
  "a health endpoint tells whether the cache is well": async (redis) => {
    const response = await healthHandler(redis)(new Request("http://localhost/health?ready"));
    assertEquals([response.status, (await response.json()).status], [200, "ok"]);
  },
  "what happens to the connection is told": async (_, open) => {
    const events: string[] = [];
    await using redis = await open({ on: ({ type }) => events.push(type) });
    await redis.cache.get("a");
    assertEquals(events.includes("redis.connected"), redis.store === "redis");
    assert(events.includes("cache.miss"));
  },
  "what is cached is listed with its value and lifetime": async ({ cache }) => {
    await cache.setMany([["user:1", { name: "Ada" }], ["order:1", 1]], { ttl: 300 });
    const all = await Array.fromAsync(cache.inspect("user:*", { values: true }));
    assertEquals(all.map(({ key, value }) => [key, value]), [["user:1", { name: "Ada" }]]);
    assert(all[0]!.ttl > 280 && all[0]!.ttl <= 300);
  },
  "only what a schema lets through is kept": async ({ cache }) => {
    const schema = z.object({ id: z.number(), name: z.string() });
    const user = { id: 123, name: "John Doe", password: "secret123" };
    const read = () => cache.getOrSet("user:123", () => schema.parse(user), { ttl: 300, schema });
    assertEquals([await read(), await read()], Array(2).fill({ id: 123, name: "John Doe" }));
  },
  "tenants are kept apart by namespaces": async ({ cache }) => {
    const [acme, other] = ["acme", "other"].map((tenant) => cache.namespace(`tenant-${tenant}`));
    await acme!.set("users", ["ada"]);
    assertEquals([await acme!.get("users"), await other!.get("users")], [["ada"], undefined]);
    await acme!.clear();
    assertEquals(await acme!.get("users"), undefined);
  },
  "a cache that fails lets the database answer": async () => {
    await using redis = await connect({ url: "redis://127.0.0.1:1", commandTimeout: "100ms", on: () => {} });
    const users = new Users();
    users.put("1", { name: "Ada" });
    assertEquals(await redis.cache.getOrSet("user:1", () => users.find("1"), { ttl: 900 }), { name: "Ada" });
    assertEquals([await redis.cache.get("user:1"), await redis.cache.set("user:1", 1)], [undefined, false]);
  },
  "what belongs to a user goes by a tag when he changes": async ({ cache }) => {
    for (const key of ["user:1", "user:profile:1", "user:email:ada@example.com"]) {
      await cache.set(key, 1, { ttl: 900, tags: ["user:1"] });
    }
    await cache.invalidateByTag("user:1");
    assertEquals((await cache.getMany(["user:1", "user:profile:1", "user:email:ada@example.com"])).size, 0);
  },
  "it is told how much memory Redis has in use": async (redis) => {
    const { redis: servers, warnings } = await redis.health();
    assertEquals(warnings, []);
    if (redis.store === "memory") return assertEquals(servers, []);
    assert(servers[0]!.memory!.used > 0); // from 80 % of maxmemory on there is a warning
  },
  "tests begin with an empty cache, and have one that fails": async ({ cache }) => {
    await cache.set("user:123", 1);
    await cache.clear();
    assertEquals(await cache.get("user:123"), undefined);
    const store = new FlakyStore(new MemoryStore());
    await using flaky = new Cache(store);
    store.down = true;
    assertEquals(await flaky.getOrSet("user:123", () => ({ name: "Ada" })), { name: "Ada" });
  },
  "slow operations are told": async (_, open) => {
    const slow: string[] = [];
    await using redis = await open({
      slowerThan: "5ms",
      on: (event) => void (event.type === "redis.slow" && slow.push(event.operation)),
    });
    await redis.cache.get("a");
    if (redis.store === "memory") return assertEquals(slow, []);
    const busy = "local t = redis.call('TIME'); repeat local n = redis.call('TIME') until " +
      "(n[1] - t[1]) * 1000000 + n[2] - t[2] > 20000";
    await redis.client.sendCommand("EVAL", [busy, "0"]);
    assert(slow.includes("run EVAL"), slow.join());
  },
  "a version of what is cached does not read another": async ({ cache }) => {
    const read = (version: number) => cache.getOrSet("user:1", () => `v${version}`, { ttl: 60, version });
    assertEquals([await read(1), await read(2)], ["v1", "v2"]);
  },
  "in development the cache is off": async (_, open) => {
    await using redis = await open({ cache: { enabled: false } });
    assertEquals([await redis.cache.set("a", 1), await redis.cache.get("a")], [false, undefined]);
  },
  "what is cached moves from one version to the next": async ({ cache }) => {
    const [v1, v2] = [cache.namespace("v1"), cache.namespace("v2")];
    await v1.setMany([["user:1", { name: "Ada" }], ["user:2", { name: "Bob" }]], { ttl: 300 });
    for await (const { key, value, ttl } of v1.inspect("*", { values: true })) await v2.set(key, value, ttl);
    await cache.drop("v1");
    assertEquals([await v2.get("user:1"), await v1.get("user:1")], [{ name: "Ada" }, undefined]);
    assert((await v2.ttl("user:2"))! > 280);
  },
});
