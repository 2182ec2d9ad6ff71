import { assertEquals, assertRejects } from "@std/assert";
import { connect, UnavailableError } from "../../mod.ts";
import { MemoryLimitStore, RateLimiter } from "../../src/rate_limit/mod.ts";
import { MemorySessionStore, Sessions } from "../../src/sessions/mod.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import type { RedisClient } from "../../src/redis/mod.ts";
import { FlakyClient, FlakyStore, ManualClock } from "../../src/testing/mod.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("FlakyClient fails on demand for all services, and works again", async () => {
  await using server = await RedisServer.start();
  const { hostname, port } = server;
  const real = new WireClient({ hostname, port });
  await real.start();
  const client = new FlakyClient(real);
  try {
    await using redis = await connect({ client, namespace: `flaky-${crypto.randomUUID()}`, on: () => {} });
    await redis.ready({ timeout: "10s" });
    const { id } = await redis.sessions.create("ada", {});
    assertEquals(await redis.cache.set("a", 1), true);

    client.down = true;
    assertEquals([await redis.cache.get("a"), await redis.cache.set("b", 1)], [undefined, false]);
    await assertRejects(() => redis.sessions.get(id), UnavailableError);
    assertEquals((await redis.rateLimit.check("AUTH", "192.0.2.7")).source, "policy");
    assertEquals((await redis.health()).status, "degraded");

    client.down = false;
    await redis.ready({ timeout: "10s" });
    assertEquals((await redis.sessions.get(id))?.userId, "ada");
    assertEquals(await redis.cache.get("a"), 1);

    client.refusal = "OOM command not allowed when used memory > 'maxmemory'.";
    const error = await assertRejects(() => redis.sessions.create("bob", {}), UnavailableError);
    assertEquals([error.reason, error.code], ["refused", "OOM"]);
    assertEquals((await redis.health()).status, "degraded");
    client.refusal = undefined;
    assertEquals((await redis.health()).status, "ok");
  } finally {
    await client.close();
  }
});

Deno.test("ManualClock moves sessions and rate limits of the embedded stores", async () => {
  const clock = new ManualClock();
  await using sessions = new Sessions(new MemorySessionStore({ now: clock.now }), { ttl: "30m" });
  const { id } = await sessions.create("ada", {});
  clock.advance("29m");
  assertEquals((await sessions.get(id, { roll: false }))?.userId, "ada");
  clock.advance("2m");
  assertEquals(await sessions.get(id), undefined);

  await using limits = new RateLimiter(new MemoryLimitStore({ now: clock.now }));
  for (let i = 0; i < 5; i++) assertEquals((await limits.check("AUTH", "a")).allowed, true);
  assertEquals((await limits.check("AUTH", "a")).allowed, false);
  clock.advance("5m");
  assertEquals((await limits.check("AUTH", "a")).allowed, true);
});

Deno.test("FlakyStore and FlakyClient end their delays when they are closed", async () => {
  const store = new FlakyStore(new MemoryStore());
  const cache = new Cache(store);
  store.delay = 60_000;
  const loading = cache.getOrSet("a", () => 1).catch((error) => error);
  await cache[Symbol.asyncDispose]();
  assertEquals((await loading as UnavailableError).reason, "closed");

  const away = { pipeline: () => Promise.resolve([]), close: () => Promise.resolve() } as unknown as RedisClient;
  const client = new FlakyClient(away);
  client.delay = 60_000;
  const replies = client.pipeline([]);
  await client.close();
  assertEquals(await replies, []);
});
