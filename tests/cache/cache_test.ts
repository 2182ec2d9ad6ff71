import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type LarderEvent, UnavailableError } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("connect() gives a cache on the embedded store", async () => {
  const events: LarderEvent[] = [];
  const redis = await connect({ url: "memory:", cache: { ttl: "5m" }, on: (event) => events.push(event) });
  assertEquals(redis.store, "memory");
  assertEquals(await redis.cache.getOrSet("a", () => new Date(0), { tags: ["t"] }), new Date(0));
  assert((await redis.cache.ttl("a"))! <= 300);
  await redis.cache.invalidateByTag("t");
  assertEquals(await redis.cache.get("a"), undefined);
  await redis.close();
  await redis.close();
  assertEquals((await assertRejects(() => redis.cache.get("a"), UnavailableError)).reason, "closed");
  assertEquals(events.map(({ type }) => type), ["cache.miss", "cache.load", "cache.invalidate", "cache.miss"]);
});

Deno.test("connect() gives caches on Redis that share what they store, by namespace", async () => {
  await using server = await RedisServer.start();
  const { url } = server;
  const namespace = `cache-${crypto.randomUUID()}`;
  await using one = await connect({ url, namespace });
  await using two = await connect({ url, namespace });
  await using other = await connect({ url, namespace: `${namespace}-other` });
  const value = { when: new Date(0), big: 1n, bytes: new Uint8Array([1, 2]) };
  assertEquals(await one.cache.set("a", value, { tags: ["t"] }), true);
  assertEquals(await two.cache.get("a"), value);
  assertEquals(await other.cache.get("a"), undefined);
  await other.cache.set("a", "other", { tags: ["t"] });
  for (
    const invalidate of [
      () => two.cache.invalidate("a"),
      () => two.cache.invalidateByTag("t"),
      () => two.cache.invalidateByPattern("*"),
      () => two.cache.clear(),
    ]
  ) {
    await one.cache.set("a", value, { tags: ["t"] });
    await invalidate();
    assertEquals([await one.cache.get("a"), await other.cache.get("a")], [undefined, "other"]);
  }
  await two.close();
  assertEquals((await assertRejects(() => two.cache.get("a"), UnavailableError)).reason, "closed");
  assertEquals(await one.cache.set("a", 1), true);
});

Deno.test("Cache listeners that throw break nothing", async () => {
  await using redis = await connect({
    url: "memory:",
    on: () => {
      throw new Error("listener");
    },
  });
  assertEquals(await redis.cache.getOrSet("a", () => 1), 1);
  assertEquals(await redis.cache.get("a"), 1);
  assertEquals((await redis.cache.invalidate("a")).status, "done");
});
