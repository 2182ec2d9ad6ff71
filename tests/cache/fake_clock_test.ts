import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import FakeTimers from "@sinonjs/fake-timers";
import { connect } from "../../mod.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

Deno.test("Cache.getOrSetMany() and the rest of the embedded store need no clock that runs", async () => {
  using _time = new FakeTime();
  await using redis = await connect({ url: "memory:" });
  const load = (keys: readonly string[]) => new Map(keys.map((key) => [key, key.length]));
  assertEquals(await redis.cache.getOrSetMany(["a", "bb"], load), new Map([["a", 1], ["bb", 2]]));
  const users = redis.cache.define({
    name: "user",
    key: (id: number) => id,
    load: (id) => id,
    loadMany: (ids) => new Map(ids.map((id) => [id, id])),
  });
  assertEquals(await users.getMany([1, 2]), new Map([[1, 1], [2, 2]]));
  assertEquals((await redis.rateLimit.check("API", "somebody")).allowed, true);
  const session = await redis.sessions.create("ada", {});
  assertEquals((await redis.sessions.get(session.id))?.userId, "ada");
});

Deno.test({
  name: "A clock that is faked before connect() leaves no dead connection behind, whenever it is put back",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await server.kill();
    const time = new FakeTime();
    await using redis = await connect({ url: server.url, cache: { local: true }, on: () => {} });
    try {
      assertEquals(await redis.cache.set("a", 1), false);
      await server.restart();
      await until(() => redis.cache.set("a", 1), "it has connected although the clock stands still");
      assertEquals(await redis.cache.get("a"), 1);
      assertEquals(await redis.cache.getOrSetMany(["b"], () => ({ b: 2 })), new Map([["b", 2]]));
      await server.kill();
      await until(async () => !await redis.cache.set("a", 2), "the connection is lost");
    } finally {
      time.restore();
    }
    await server.restart();
    await until(() => redis.cache.set("a", 3), "it has connected again");
    assertEquals(await redis.cache.get("a"), 3);
  },
});

Deno.test({
  name: "A test framework that fakes timers, microtasks and the clock all at once leaves Redis reachable",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    const clock = FakeTimers.install({ now: 0, ignoreMissingTimers: true });
    try {
      await using redis = await connect({ url: server.url, cache: { local: true } });
      assertEquals(await redis.cache.set("a", 1), true);
      assertEquals(await redis.cache.get("a"), 1);
      assertEquals(await redis.cache.getOrSet("b", () => 2), 2);
      assertEquals(await redis.cache.getOrSetMany(["a", "c"], () => ({ c: 3 })), new Map([["a", 1], ["c", 3]]));
    } finally {
      clock.uninstall();
    }
  },
});
