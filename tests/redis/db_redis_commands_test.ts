import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { connect, RedisError, UnavailableError } from "../../mod.ts";
import { commands } from "../../src/redis/adapters/db_redis_commands.ts";
import { testWithDbRedis } from "../support/jsr.ts";
import { RedisServer } from "../support/redis_server.ts";

const ignore = !RedisServer.controllable;

testWithDbRedis("commands() gives the typed commands of @db/redis over the connection of Larder", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "test" });
  const db = commands(redis);
  assertEquals(await db.set("a", "h\r\né", { ex: 100 }), "OK");
  assertEquals(await db.get("a"), "h\r\né");
  assertEquals(await db.hset("h", { name: "Ada", born: "1815" }), 2);
  assertEquals(await db.hgetall("h"), ["name", "Ada", "born", "1815"]);
  assertEquals(await db.lpush("l", 1, 2, 3), 3);
  assertEquals(await db.lrange("l", 0, -1), ["3", "2", "1"]);
  assertEquals(await db.zadd("z", 1.5, "one"), 1);
  assertEquals(await db.zscore("z", "one"), "1.5");
  assertEquals(await db.mget("a", "none"), ["h\r\né", null]);
  assertEquals(await db.ttl("a") > 90, true);
  const bytes = await db.sendCommand("GET", ["a"], { returnUint8Arrays: true }) as Uint8Array;
  assertEquals([bytes, bytes.buffer.byteLength], [new TextEncoder().encode("h\r\né"), bytes.length]);
  await assertRejects(() => db.incr("h"), RedisError, "WRONGTYPE");
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => db.sendCommand("ECHO", [i])));
  assertEquals(all, Array.from({ length: 100 }, (_, i) => `${i}`));
  assertEquals([db.isConnected, db.isClosed], [true, false]);
  db.close();
  assertEquals(await db.ping(), "PONG");
});

testWithDbRedis("commands() sends a pipeline, with errors in their places", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "test" });
  const pipeline = commands(redis).pipeline();
  pipeline.set("a", 1);
  pipeline.lpush("a", "x");
  pipeline.get("a");
  const [ok, error, value] = await pipeline.flush();
  assertInstanceOf(error, RedisError);
  assertEquals([ok, error.code, value], ["OK", "WRONGTYPE", "1"]);
});

testWithDbRedis("commands() sends a transaction as one, and nobody comes between", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "test" });
  const db = commands(redis);
  await db.set("counter", 0);
  const seen = new Set<unknown>();
  await Promise.all(Array.from({ length: 50 }, async () => {
    const tx = db.tx();
    tx.incr("counter");
    tx.incr("counter");
    tx.get("counter");
    const between = db.get("counter"); // in the same tick
    const replies = await tx.flush();
    assertEquals(replies.slice(0, 4), ["OK", "QUEUED", "QUEUED", "QUEUED"]);
    const [one, two, got] = replies[4] as unknown[];
    assertEquals([two, got], [Number(one) + 1, String(Number(one) + 1)]);
    seen.add(Number(await between) % 2);
    seen.add(Number(await redis.client.sendCommand("GET", ["counter"])) % 2);
  }));
  assertEquals([seen, await db.get("counter")], [new Set([0]), "100"]);
  assertEquals(String(await server.cli("INFO", "commandstats")).includes("cmdstat_multi:calls=50,"), true);

  const broken = db.tx();
  broken.set("counter", "never");
  await broken.sendCommand("SET", ["counter"]);
  await assertRejects(() => broken.flush(), RedisError, "wrong number of arguments");
  assertEquals(await db.get("counter"), "100");
});

testWithDbRedis("commands() refuses what would take the connection from the others", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "test" });
  const db = commands(redis);
  const sentence = "wanted one that leaves the shared connection as it is, got ";
  await assertRejects(() => db.blpop(1, "list"), TypeError, `${sentence}"BLPOP"`);
  await assertRejects(() => db.select(1), TypeError, `${sentence}"SELECT"`);
  await assertRejects(() => db.sendCommand("MULTI"), TypeError, sentence);
  await assertRejects(() => db.subscribe("news"), TypeError, "leaves the shared connection as it is");
  const tx = db.tx();
  await tx.sendCommand("SELECT", [1]);
  await assertRejects(() => tx.flush(), TypeError, sentence);
  await using embedded = await connect({ url: "memory:" });
  assertThrows(() => commands(embedded), TypeError, "on a Redis, got the embedded store");
});

testWithDbRedis("commands() end at the deadline of Larder", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "test", commandTimeout: "200ms", on: () => {} });
  const db = commands(redis);
  await server.pause();
  try {
    await assertRejects(() => db.get("a"), UnavailableError);
    const tx = db.tx();
    tx.incr("a");
    await assertRejects(() => tx.flush(), UnavailableError);
  } finally {
    await server.resume();
  }
}, { ignore });
