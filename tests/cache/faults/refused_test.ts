import { assertEquals } from "@std/assert";
import { openCache, type OpenedCache } from "../../support/open_cache.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

async function open(server: RedisServer, local: boolean): Promise<OpenedCache> {
  return await openCache(server, { username: "app", password: "secret", local, commandTimeout: 10_000 });
}

for (const local of [false, true]) {
  Deno.test({
    name: `What a set() was to replace is hidden while its user may not write, and after that${
      local ? ", copies too" : ""
    }`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
      await using one = await open(server, local);
      await using two = await open(server, local);
      assertEquals(await one.cache.set("a", "old"), true);
      assertEquals([await one.cache.get("a"), await two.cache.get("a")], ["old", "old"]);

      // Neither the new value nor the removal of the old one.
      await server.cli("ACL", "SETUSER", "app", "-set", "-del", "-unlink");
      assertEquals(await one.cache.set("a", "new"), false);
      assertEquals([await one.cache.get("a"), one.cache.stats().queued], [undefined, 1]);
      assertEquals(await one.cache.set("b", 1), false);
      assertEquals(one.cache.stats().queued, 2);

      await server.cli("ACL", "SETUSER", "app", "+@all");
      await until(() => one.cache.stats().queued === 0, "it is replayed by itself");
      assertEquals(await one.cache.get("a"), undefined);
      await until(async () => await two.cache.get("a") === undefined, "nobody else has it");
      assertEquals([await one.cache.set("a", "newer"), await one.cache.get("a")], [true, "newer"]);
    },
  });
}

Deno.test({
  name: "A set() of a user who may remove but not set leaves nothing behind and waits for nothing",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
    await using one = await open(server, false);
    await one.cache.set("a", "old");
    await server.cli("ACL", "SETUSER", "app", "-set");
    assertEquals(await one.cache.set("a", "new"), false);
    assertEquals([await one.cache.get("a"), one.cache.stats().queued], [undefined, 0]);
  },
});

Deno.test({
  name: "stats().queued counts what waits while its replay is under way",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using one = await openCache(server, { commandTimeout: 100 });
    await one.cache.set("a", 1);
    await server.pause();
    for (const key of ["a", "b", "c"]) assertEquals((await one.cache.invalidate(key)).status, "queued");
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      seen.add(one.cache.stats().queued);
      await Promise.race([one.cache.get("a"), new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    assertEquals([...seen], [3]);
    await server.resume();
    await until(async () => {
      await one.cache.get("a");
      return one.cache.stats().queued === 0;
    }, "it is replayed");
    assertEquals(await one.cache.get("a"), undefined);
  },
});
