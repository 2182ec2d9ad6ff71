import { assertEquals, assertGreater } from "@std/assert";
import { InvalidationQueue } from "../../../src/cache/redis/invalidation_queue.ts";
import { connect } from "../../../src/connect/larder.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

Deno.test("InvalidationQueue keeps each thing once, and gives all of it away", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: ["a", "b", "a"] });
  queue.add({ tags: ["a", "c"], mode: "hard" });
  queue.add({ tags: ["a"], mode: "stale" });
  queue.add({ patterns: ["a*", "a*"] });
  assertEquals(queue.size, 6);
  const taken = queue.take();
  assertEquals([queue.size, taken.size], [0, 6]);
  assertEquals([[...taken.keys], [...taken.patterns]], [["a", "b"], ["a*"]]);
  assertEquals([[...taken.tags.hard], [...taken.tags.stale]], [["a", "c"], ["a"]]);
  queue.add({ keys: ["new"] });
  queue.putBack(taken);
  assertEquals([queue.size, queue.keys.has("new")], [7, true]);
});

Deno.test("InvalidationQueue is bounded: what is too much becomes one invalidation of everything", () => {
  const queue = new InvalidationQueue();
  for (let i = 0; i < 10_000; i++) queue.add({ keys: [String(i)] });
  assertEquals([queue.all, queue.size], [false, 10_000]);
  queue.add({ tags: ["one too many"] });
  assertEquals([queue.all, queue.size], [true, 1]);
  for (let i = 0; i < 100; i++) queue.add({ keys: [`more ${i}`] });
  assertEquals(queue.size, 1);
  const everything = queue.take();
  queue.add({ keys: ["a"] });
  queue.putBack(everything);
  assertEquals([queue.all, queue.size], [true, 1]);
});

Deno.test("InvalidationQueue puts back without growing beyond its bound", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: Array.from({ length: 6000 }, (_, i) => `a${i}`) });
  const taken = queue.take();
  queue.add({ keys: Array.from({ length: 6000 }, (_, i) => `b${i}`) });
  queue.putBack(taken);
  assertEquals([queue.all, queue.size], [true, 1]);
});

Deno.test({
  name: "Cache keeps queued invalidations over several outages, until they are done",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { save: "3600 1000000" } });
    const log = new EventLog();
    const commandTimeout = "300ms";
    await using redis = await connect({ url: server.url, namespace: "test", commandTimeout, on: log.on });
    const { cache } = redis;
    const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
    await cache.setMany(new Map(keys.map((key) => [key, "old"])), { ttl: 60, tags: ["tag"] });
    await cache.set("kept", "kept", { ttl: 60 });
    await server.pause();
    for (let i = 0; i < keys.length; i += 3) {
      await cache.invalidate(keys[i]!);
      await cache.invalidateByTag(`tag:${i}`);
      await cache.invalidateByPattern(`${keys[i + 1]!}`);
    }
    const { queued } = cache.stats();
    assertEquals(queued, 300);
    assertEquals(await cache.invalidateMany(keys), { status: "queued" });
    // Attempts to replay them fail as well, and lose nothing.
    await log.have("redis.disconnected", 1, ({ error }) => error !== undefined);
    assertEquals(await cache.getOrSet("kept", () => "loaded"), "loaded");
    assertGreater(cache.stats().queued, queued);
    await server.resume();
    await log.have("cache.replayed");
    assertEquals((await cache.getMany(keys)).size, 0);
    assertEquals([await cache.get("kept"), cache.stats().queued], ["kept", 0]);
  },
});

Deno.test({
  name: "Cache invalidates everything when more was queued than is kept",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const log = new EventLog();
    const commandTimeout = "150ms";
    await using redis = await connect({ url: server.url, namespace: "test", commandTimeout, on: log.on });
    const { cache } = redis;
    await cache.set("key", "old", { ttl: 60 });
    await server.pause();
    const many = Array.from({ length: 20_000 }, (_, i) => `other:${i}`);
    assertEquals(await cache.invalidateMany([...many, "key"]), { status: "queued" });
    assertEquals(cache.stats().queued, 1);
    await server.resume();
    await log.have("cache.replayed");
    assertEquals(await cache.get("key"), undefined);
    assertEquals(await cache.set("key", "new", { ttl: 60 }), true);
    assertEquals(await cache.get("key"), "new");
  },
});
