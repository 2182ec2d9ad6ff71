import { assert, assertEquals, assertLess } from "@std/assert";
import type { UnavailableError } from "../../../src/errors.ts";
import { connect } from "../../../src/connect/larder.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

Deno.test({
  name: "Cache fails fast while Redis is gone, and works again when it is back",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", commandTimeout: "10s", on: log.on });
    const { cache } = redis;
    await cache.set("key", 1, { ttl: 60, tags: ["tag"] });
    await server.kill();

    await t.step("what is called from then on ends at once, far before its deadline", async () => {
      const start = performance.now();
      assertEquals(await cache.get("key"), undefined);
      await log.have("redis.circuit", 1, ({ state }) => state === "open");
      const before = log.of("cache.error").length;
      for (let i = 0; i < 200; i++) {
        assertEquals(await cache.getOrSet("key", () => i), i);
        assertEquals(await cache.set("key", i), false);
        assertEquals(await cache.invalidateByTag("tag"), { status: "queued" });
      }
      assertLess(performance.now() - start, 5000); // 10 s is the deadline of one call
      const reasons = log.of("cache.error").slice(before).map(({ error }) => (error as UnavailableError).reason);
      assertEquals(new Set(reasons), new Set(["circuit-open"]));
    });

    await t.step("attempts to connect go on, and each is told", async () => {
      await log.have("redis.disconnected", 4, ({ error }) => error !== undefined);
    });

    await t.step("when it is back, the cache works, with nothing that was invalidated", async () => {
      await server.restart();
      await redis.ready({ timeout: "60s" });
      await log.have("cache.replayed");
      assertEquals(await cache.get("key"), undefined);
      assertEquals(await cache.set("key", 2, { ttl: 60, tags: ["tag"] }), true);
      assertEquals(await cache.get("key"), 2);
      assertEquals(log.of("redis.circuit").at(-1)!.state, "closed");
    });
  },
});

Deno.test({
  name: "Cache takes nothing from before a restart for valid, since the server may have lost invalidations",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { save: "3600 1000000" } });
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    const { cache } = redis;
    await cache.set("key", "old", { ttl: 60, tags: ["tag"] });
    await cache.set("other", "valid, but who knows", { ttl: 60 });
    assertEquals(await cache.get("key"), "old");
    await server.cli("SAVE");
    assertEquals((await cache.invalidateByTag("tag")).status, "done");
    await server.kill();
    await server.restart(); // with the snapshot, in which the entry is valid
    assertEquals(Number(await server.cli("EXISTS", "{test}:c:key")), 1);
    await redis.ready({ timeout: "60s" });
    assertEquals(await cache.get("key"), undefined);
    assertEquals(await cache.get("other"), undefined);
    assert(log.of("cache.epoch").length > 0, "it should be told that the records were lost");
    // A second process that comes later finds a ledger that is up to date.
    assertEquals(await cache.set("key", "new", { ttl: 60 }), true);
    await using second = await connect({ url: server.url, namespace: "test" });
    assertEquals([await second.cache.get("key"), await second.cache.get("other")], ["new", undefined]);
  },
});

Deno.test({
  name: "Cache loses no lease for good when Redis restarts during a load",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, namespace: "test" });
    const { promise, resolve } = Promise.withResolvers<string>();
    const loading = redis.cache.getOrSet("key", () => promise, { ttl: 60 });
    await until(() => redis.cache.stats().loading === 1, "it loads");
    await server.kill();
    await server.restart();
    await redis.ready({ timeout: "60s" });
    resolve("loaded before the restart");
    assertEquals(await loading, "loaded before the restart");
    // Nobody knows what was invalidated meanwhile, so it is not kept.
    assertEquals(await redis.cache.get("key"), undefined);
    assertEquals(await redis.cache.getOrSet("key", () => "new", { ttl: 60 }), "new");
    assertEquals(await redis.cache.get("key"), "new");
  },
});
