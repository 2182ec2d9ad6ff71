import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { commands } from "../../src/redis/adapters/db_redis_commands.ts";
import { testWithDbRedis } from "../support/jsr.ts";
import { RedisServer } from "../support/redis_server.ts";

type Commands = ReturnType<typeof commands>;

/** What the document does by hand, beside the cache, on the typed commands. */
const OPERATIONS: Readonly<Record<string, (db: Commands) => Promise<void>>> = {
  "direct access: set, get, hset, lpush": async (db) => {
    assertEquals(await db.set("key", "value"), "OK");
    assertEquals(await db.get("key"), "value");
    assertEquals(await db.hset("hash", "field", "value"), 1);
    assertEquals(await db.hget("hash", "field"), "value");
    assertEquals(await db.lpush("list", "item"), 1);
    assertEquals(await db.lrange("list", 0, -1), ["item"]);
  },
  "a pipeline of several commands": async (db) => {
    const pipeline = db.pipeline();
    pipeline.set("key1", "value1");
    pipeline.set("key2", "value2");
    assertEquals(await pipeline.flush(), ["OK", "OK"]);
    assertEquals(await db.mget("key1", "key2"), ["value1", "value2"]);
  },
  "a rate limit by a sorted set": async (db) => {
    const [key, limit, window] = ["rate:ada", 3, 60];
    const check = async (now: number) => {
      const pipeline = db.pipeline();
      pipeline.zremrangebyscore(key, 0, now - window * 1000);
      pipeline.zadd(key, now, `${now}`);
      pipeline.zcard(key);
      pipeline.expire(key, window);
      const results = await pipeline.flush();
      return Number(results[2]) <= limit;
    };
    const allowed = [];
    for (const at of [1000, 1001, 1002, 1003, 62_000]) allowed.push(await check(at));
    assertEquals(allowed, [true, true, true, false, true]);
    assert(await db.ttl(key) > 50);
  },
  "bulk writes with a time to live": async (db) => {
    const items = Array.from({ length: 500 }, (_, i) => ({ key: `bulk:${i}`, value: { i } }));
    const pipeline = db.pipeline();
    for (const { key, value } of items) pipeline.setex(key, 900, JSON.stringify(value));
    assertEquals(new Set(await pipeline.flush()), new Set(["OK"]));
    assertEquals(JSON.parse(await db.get("bulk:499") ?? "null"), { i: 499 });
  },
  "a look at keys, their times to live and the memory": async (db) => {
    await db.setex("look:a", 100, "1");
    await db.set("look:b", "2");
    const keys = (await db.keys("look:*")).sort();
    const found = await Promise.all(keys.map(async (key: string) => ({ key, ttl: await db.ttl(key) })));
    assertEquals(found.map(({ key, ttl }) => [key, ttl > 0]), [["look:a", true], ["look:b", false]]);
    assert((await db.info("memory")).includes("used_memory"));
  },
  "keys of one version become those of the next": async (db) => {
    for (let i = 0; i < 10; i++) await db.set(`v1:${i}`, `value ${i}`);
    for (const old of await db.keys("v1:*")) {
      const value = await db.get(old);
      await db.set(old.replace("v1:", "v2:"), value!);
      await db.del(old);
    }
    assertEquals([(await db.keys("v1:*")).length, (await db.keys("v2:*")).length], [0, 10]);
    assertEquals(await db.flushdb(), "OK");
    assertEquals(await db.dbsize(), 0);
  },
};

for (const [name, run] of Object.entries(OPERATIONS)) {
  testWithDbRedis(`Document 001: ${name}`, async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, commandTimeout: "5s" });
    await run(commands(redis));
  }, { ignore: !RedisServer.controllable });
}
