import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { DEAD_CLIENT } from "../support/dead_client.ts";
import { RedisServer } from "../support/redis_server.ts";
import { AT_ONCE, replicaOf } from "../support/replica.ts";
import { until } from "../support/until.ts";
import { memoryWorld } from "./stores.ts";

Deno.test({
  name: "Lock.replicated tells whether replicas had the lock before its job began",
  ignore: !RedisServer.controllable,
  async fn(t) {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using replica = await replicaOf(server);
    await using redis = await connect({ url: server.url, namespace: "safe", commandTimeout: "5s", on: () => {} });
    await redis.ready({ timeout: "20s" });
    const durability = { replicas: 1, timeout: "20s" };
    await t.step("they have it", async () => {
      const replicated = await redis.locks.withLock("x", { durability }, async (lock) => {
        assertEquals(await replica.cli("HLEN", "{safe}:lock:l:x"), 1);
        return lock.replicated;
      });
      assertEquals(replicated, true);
      assertEquals(await redis.locks.withLock("x", (lock) => lock.replicated), false);
    });
    await t.step("a permit, one of a line and a job of many, too", async () => {
      const slots = redis.locks.semaphore("slots", { permits: 2, durability });
      assertEquals(await slots.withPermit((permit) => permit.replicated), true);
      assertEquals((await redis.locks.once("job", { every: "1h", durability }, (lock) => lock.replicated)).ran, true);
      const first = await redis.locks.acquire("line");
      const second = redis.locks.acquire("line", { wait: "60s", durability });
      await until(() => redis.locks.stats().waiting === 1, "one waits");
      await first.release();
      await using lock = await second;
      assertEquals(lock.replicated, true);
    });
    await t.step("a replica that does not answer holds up nobody else, and the wait ends", async () => {
      await replica.pause();
      const waits = redis.locks.acquire("y", { durability: { replicas: 1, timeout: "1s" } });
      const all = Array.from(
        { length: 10 },
        (_, i) => redis.locks.acquire(`y${i}`, { durability: { replicas: 1, timeout: "1s" } }),
      );
      const since = performance.now();
      for (let i = 0; i < 20; i++) await redis.cache.set(`key${i}`, i);
      assertLess(performance.now() - since, 900);
      await using lock = await waits;
      assertEquals([lock.replicated, lock.held], [false, true]);
      for (const other of await Promise.all(all)) await other.release();
      assertLess(performance.now() - since, 10_000, "they waited one after another");
      await replica.resume();
    });
    await t.step("a connection for it that is lost is made anew", async () => {
      await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await until(async () => {
        const lock = await redis.locks.acquire("z", { durability: { replicas: 1, timeout: "2s" } }).catch(() =>
          undefined
        );
        await lock?.release();
        return lock?.replicated;
      }, "it is replicated again");
    });
    await t.step("more replicas than there are", async () => {
      await using lock = await redis.locks.acquire("w", { durability: { replicas: 2, timeout: "50ms" } });
      assertEquals(lock.replicated, false);
    });
    await until(async () => (await server.cli("KEYS", "{safe}:w:*") as string[]).length === 0, "no mark is left");
  },
});

Deno.test("durability is false on the embedded store, and refused where no connection can be opened for it", async () => {
  await using world = memoryWorld();
  const locks = await world.open();
  await using lock = await locks.acquire("x", { durability: { replicas: 1 } });
  assertEquals(lock.replicated, false);
  await using redis = await connect({ client: DEAD_CLIENT, on: () => {} });
  const error = await assertRejects(() => redis.locks.acquire("x", { durability: { replicas: 1 } }), TypeError);
  assertStringIncludes(error.message, "wanted a Redis by its URL");
});

Deno.test("durability that makes no sense is refused", async () => {
  await using world = memoryWorld();
  const locks = await world.open();
  for (
    const durability of [
      {},
      { replicas: 0 },
      { replicas: 1.5 },
      { replicas: 101 },
      { replicas: "1" },
      5,
      null,
      {
        replicas: 1,
        timeout: 0,
      },
      { replicas: 1, timeout: "2m" },
      { replicas: 1, wait: 5 },
    ]
  ) {
    const error = await assertRejects(() => locks.acquire("x", { durability: durability as never }), Error);
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assertStringIncludes(error.message, "wanted");
  }
});
