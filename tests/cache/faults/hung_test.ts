import { assert, assertEquals, assertLess, assertLessOrEqual, assertRejects } from "@std/assert";
import { UnavailableError } from "../../../src/errors.ts";
import { connect, type Larder } from "../../../src/connect/larder.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
/** The deadline of these tests; short, so that they are. */
const TIMEOUT = 250;
/** What a loaded machine may take beyond a deadline. */
const SLACK = 250;

async function open(server: RedisServer): Promise<{ redis: Larder; log: EventLog }> {
  const log = new EventLog();
  const redis = await connect({ url: server.url, namespace: "test", commandTimeout: `${TIMEOUT}ms`, on: log.on });
  return { redis, log };
}

async function took(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

Deno.test({
  name: "Cache answers within twice its deadline while Redis hangs, and hits again when it goes on",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const { redis, log } = await open(server);
    await using _ = redis;
    const { cache } = redis;
    await cache.set("kept", 1, { ttl: 60 });
    for (const key of ["by key", "by tag", "by pattern"]) {
      await cache.set(key, "old", { ttl: 60, tags: [`tag of ${key}`] });
    }
    assertEquals(await cache.get("kept"), 1);
    await server.pause();

    await t.step("every call ends, and says what it can", async () => {
      const calls: [string, () => Promise<unknown>, unknown][] = [
        ["get", () => cache.get("kept"), undefined],
        ["getMany", () => cache.getMany(["kept", "other"]), new Map()],
        ["getOrSet", () => cache.getOrSet("kept", () => "loaded"), "loaded"],
        ["set", () => cache.set("kept too", 2), false],
        ["has", () => cache.has("kept"), false],
        ["ttl", () => cache.ttl("kept"), undefined],
        ["touch", () => cache.touch("kept", 10), false],
        ["invalidate", () => cache.invalidate("by key"), { status: "queued" }],
        ["invalidateByTag", () => cache.invalidateByTag("tag of by tag"), { status: "queued" }],
        ["invalidateByPattern", () => cache.invalidateByPattern("*pattern"), { status: "queued" }],
      ];
      const times = await Promise.all(calls.map(async ([name, call, wanted]) => {
        const start = performance.now();
        assertEquals(await call(), wanted, name);
        return performance.now() - start;
      }));
      assertLess(Math.max(...times), 2 * TIMEOUT + SLACK);
      // One after the other, too, whatever state the connection and the circuit are in.
      for (const [name, call, wanted] of calls) {
        const start = performance.now();
        assertEquals(await call(), wanted, name);
        assertLess(performance.now() - start, 2 * TIMEOUT + SLACK, name);
      }
      const raw = redis.client.sendCommand("PING");
      assertLess(await took(assertRejects(() => raw, UnavailableError)), TIMEOUT + SLACK);
    });

    await t.step("after three failures nobody waits any more", async () => {
      await log.have("redis.circuit", 1, ({ state }) => state === "open");
      const before = log.of("cache.error").length;
      assertLess(await took(Promise.all(Array.from({ length: 1000 }, (_, i) => cache.get(`key:${i}`)))), TIMEOUT);
      const reasons = log.of("cache.error").slice(before).map(({ error }) => (error as UnavailableError).reason);
      assertEquals(new Set(reasons), new Set(["circuit-open"]));
    });

    await t.step("loaders run, and are shared", async () => {
      let loads = 0;
      const load = () => ++loads;
      const values = await Promise.all(Array.from({ length: 100 }, () => cache.getOrSet("cold", load)));
      assertEquals([loads, new Set(values)], [1, new Set([1])]);
    });

    await server.resume();

    await t.step("within six seconds it hits again, and has forgotten no invalidation", async () => {
      const start = performance.now();
      await until(async () => {
        // What was invalidated meanwhile is never served, not even by the first call that reaches Redis.
        for (const key of ["by key", "by tag", "by pattern"]) assertEquals(await cache.get(key), undefined, key);
        return await cache.get("kept") === 1;
      }, "what was kept is a hit");
      assertLess(performance.now() - start, 6000);
      const [replayed] = log.of("cache.replayed");
      assert(replayed && replayed.count >= 3, "the invalidations should have been replayed");
      assertEquals(log.of("redis.circuit").at(-1)!.state, "closed");
      assertEquals(cache.stats().queued, 0);
      assertEquals(await cache.set("by key", "new", { ttl: 60 }), true);
      assertEquals(await cache.get("by key"), "new");
    });
  },
});

Deno.test({
  name: "Cache.clear() that was queued while Redis hung hides everything from before",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const { redis: { cache }, redis, log } = await open(server);
    await using _ = redis;
    await using other = await connect({ url: server.url, namespace: "test" });
    const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
    for (const key of keys) await cache.set(key, "old", { ttl: 60 });
    await server.pause();
    assertEquals(await cache.clear(), { status: "queued" });
    await server.resume();
    await log.have("cache.replayed");
    assertEquals([(await cache.getMany(keys)).size, (await other.cache.getMany(keys)).size], [0, 0]);
  },
});

Deno.test({
  name: "Cache replays by itself what it had to queue, so that other processes need not wait for its next call",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const { redis, log } = await open(server);
    await using _ = redis;
    await using other = await connect({ url: server.url, namespace: "test" });
    await redis.cache.set("key", "old", { ttl: 60 });
    await server.pause();
    assertEquals(await redis.cache.invalidate("key"), { status: "queued" });
    await server.resume();
    await log.have("cache.replayed"); // nobody calls anything
    await other.ready({ timeout: "60s" });
    assertEquals(await other.cache.get("key"), undefined);
  },
});

Deno.test({
  name: "Larder.close() replays what is queued if it can, and tells if it cannot",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await using other = await connect({ url: server.url, namespace: "test" });
    await t.step("Redis is back", async () => {
      const { redis, log } = await open(server);
      await redis.cache.set("key", "old", { ttl: 60 });
      await server.pause();
      assertEquals(await redis.cache.invalidate("key"), { status: "queued" });
      await server.resume();
      await log.have("redis.connected", 2);
      await redis.close();
      await other.ready({ timeout: "60s" });
      assertEquals(await other.cache.get("key"), undefined);
    });
    await t.step("Redis still hangs", async () => {
      const { redis, log } = await open(server);
      await server.pause();
      assertEquals(await redis.cache.invalidate("key"), { status: "queued" });
      assertLessOrEqual(await took(redis.close()), TIMEOUT + SLACK);
      const [event] = log.of("cache.error").filter(({ operation }) => operation.includes("before closing"));
      assert(event?.error instanceof UnavailableError);
      await server.resume();
    });
  },
});
