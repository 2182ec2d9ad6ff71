import { connect as connectRedis } from "@db/redis";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect } from "../../src/connect/larder.ts";
import { type DbRedisLike, fromDbRedis } from "../../src/redis/adapters/from_db_redis.ts";
import { RedisServer } from "../support/redis_server.ts";
import { startUnableToSave } from "../support/unable_to_save.ts";
import { testWithDbRedis } from "../support/jsr.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;

async function open(server: RedisServer): Promise<DbRedisLike & Disposable> {
  const { hostname, port } = server;
  return await connectRedis({ hostname, port, maxRetryCount: 0 });
}

Deno.test("fromDbRedis() refuses what is no client", () => {
  for (const value of [undefined, null, {}, { pipeline() {} }]) {
    assertThrows(() => fromDbRedis(value as unknown as DbRedisLike), TypeError, "wanted a client of jsr:@db/redis");
  }
});

testWithDbRedis("fromDbRedis() works on a client that stays its owner's", async () => {
  await using server = await RedisServer.start();
  using owned = await open(server);
  const namespace = `test-${crypto.randomUUID()}`;
  {
    await using redis = await connect({ client: fromDbRedis(owned), namespace });
    await redis.cache.set("key", { a: 1 }, { ttl: 10 });
    assertEquals(await redis.cache.get("key"), { a: 1 });
    assertEquals(await redis.client.sendCommand("ECHO", ["text"]), "text");
  }
  assertEquals(owned.isConnected, true);
  assertEquals(await owned.sendCommand("ECHO", ["mine"]), "mine");
});

testWithDbRedis("fromDbRedis() connects again when the connection was lost, and when the server was away", async () => {
  await using server = await RedisServer.start();
  using owned = await open(server);
  const log = new EventLog();
  await using redis = await connect({ client: fromDbRedis(owned), namespace: "test", on: log.on });
  await redis.cache.set("key", 1, { ttl: 60 });
  await server.cli("CLIENT", "KILL", "TYPE", "normal");
  assertEquals(await redis.cache.get("key"), undefined);
  await log.have("redis.connected");
  assertEquals(await redis.cache.get("key"), 1);
  await server.kill();
  assertEquals(await redis.cache.get("key"), undefined);
  await log.have("redis.disconnected", 2, ({ error }) => error !== undefined);
  await server.restart();
  await log.have("redis.connected", 2);
  assertEquals(await redis.cache.set("key", 2, { ttl: 60 }), true);
  assertEquals(await redis.cache.get("key"), 2);
}, { ignore });

testWithDbRedis("fromDbRedis() replaces a connection that hangs or is out of step", async () => {
  await using server = await RedisServer.start();
  using owned = await open(server);
  const log = new EventLog();
  const commandTimeout = "200ms";
  await using redis = await connect({ client: fromDbRedis(owned), namespace: "test", commandTimeout, on: log.on });
  await redis.cache.set("key", 1, { ttl: 60 });
  const script = "return {redis.error_reply('ERR inner'), 'not yours'}";
  const mixed = [redis.client.sendCommand("EVAL", [script, 0]), redis.client.sendCommand("ECHO", ["mine"])];
  for (const reply of mixed) await assertRejects(() => reply, Error, "the connection failed");
  await log.have("redis.connected");
  assertEquals(await redis.cache.get("key"), 1);
  await server.pause();
  assertEquals(await redis.cache.get("key"), undefined);
  await server.resume();
  await until(async () => await redis.cache.get("key") === 1, "the cache is back");
  const clients = String(await server.cli("CLIENT", "LIST", "TYPE", "normal")).trim().split("\n");
  assertEquals(clients.length, 2); // this one and the one that asks
}, { ignore });

testWithDbRedis("fromDbRedis() leaves a client alone that its owner has closed", async () => {
  await using server = await RedisServer.start();
  const owned = await open(server);
  const log = new EventLog();
  await using redis = await connect({ client: fromDbRedis(owned), namespace: "test", on: log.on });
  owned.close();
  assertEquals(await redis.cache.get("key"), undefined);
  await log.have("redis.disconnected", 1, ({ error }) => error !== undefined);
  assertEquals(await redis.cache.getOrSet("key", () => 7), 7);
  assertEquals([owned.isClosed, log.of("redis.connected").length], [true, 0]);
}, { ignore });

testWithDbRedis("fromDbRedis() reads from a server that cannot save, also once it had to connect again", async () => {
  await using server = await startUnableToSave();
  using owned = await open(server);
  const log = new EventLog();
  await using redis = await connect({ client: fromDbRedis(owned), namespace: "test", on: log.on });
  const read = () => Promise.all(Array.from({ length: 5 }, () => redis.client.sendCommand("GET", ["greeting"])));
  assertEquals(await read(), Array(5).fill("hello"));
  await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await until(async () => (await read().catch(() => [])).length === 5, "all five are read");
});
