import { assert, assertEquals, assertFalse } from "@std/assert";
import { connect, type Serializer } from "../../mod.ts";
import { jsonSerializer } from "../../src/values/serializer.ts";
import { decoder } from "../../src/util/utf8.ts";
import { RedisServer } from "../support/redis_server.ts";

// What SECURITY.md says of people, where no other test is about it.

/** All that is in Redis, names and values, as whoever may read it sees it. */
async function everything(server: RedisServer): Promise<string> {
  const seen: unknown[] = [];
  for (const key of await server.cli("KEYS", "*") as string[]) {
    const read = { string: ["GET", key], hash: ["HGETALL", key], zset: ["ZRANGE", key, "0", "-1"] } as const;
    seen.push(key, await server.cli(...read[await server.cli("TYPE", key) as keyof typeof read]));
  }
  return JSON.stringify(seen);
}

Deno.test("Who may read sees keys, tags, values and data; a serializer that encrypts keeps values from him", async () => {
  await using server = await RedisServer.start();
  const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x5a);
  const encrypting: Serializer = {
    id: 7,
    serialize: (value) => flip(new TextEncoder().encode(jsonSerializer.serialize(value) as string)),
    deserialize: (bytes) => JSON.parse(decoder.decode(flip(bytes))),
  };
  for (const serializer of [undefined, encrypting]) {
    await server.cli("FLUSHALL");
    await using redis = await connect({ url: server.url, namespace: "ns", cache: serializer ? { serializer } : {} });
    await redis.cache.set("a-key", { what: "a-value" }, { tags: ["a-tag"] });
    await redis.sessions.create("a-user", { what: "some-data" });
    const seen = await everything(server);
    for (const text of ["a-key", "a-tag", "a-user", "some-data"]) assert(seen.includes(text), `${text} is seen`);
    assertEquals(seen.includes("a-value"), serializer === undefined);
    assertEquals(await redis.cache.get("a-key"), { what: "a-value" });
  }
});

Deno.test("Who may write puts values into the cache, forges and ends sessions and limits: the app believes him", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "ns", commandTimeout: "10s" });
  const { cache, sessions, rateLimit } = redis;
  await cache.set("mine", "theirs");
  const copy = "redis.call('COPY', KEYS[1], KEYS[2])";
  await server.cli("EVAL", copy, 2, "{ns}:c:mine", "{ns}:c:forged");
  assertEquals(await cache.get("forged"), "theirs");
  const [ada, eve] = [await sessions.create("ada", {}), await sessions.create("eve", {})];
  await server.cli("DEL", `{ns}:s:${eve.handle}`);
  await server.cli("EVAL", copy, 2, `{ns}:s:${ada.handle}`, `{ns}:s:${eve.handle}`);
  assertEquals((await sessions.get(eve.id))?.userId, "ada");
  await server.cli("DEL", `{ns}:s:${ada.handle}`);
  assertEquals(await sessions.get(ada.id), undefined);
  for (let i = 0; i < 6; i++) await rateLimit.check("AUTH", "ip");
  await server.cli("EVAL", copy, 2, "{ns}:re:AUTH:ip", "{ns}:re:AUTH:other");
  assertFalse((await rateLimit.check("AUTH", "other")).allowed);
});

Deno.test("With a Redis of its own for the cache, what fills or blocks that one leaves sessions, limits and locks alone", async () => {
  await using server = await RedisServer.start();
  await using other = await RedisServer.start();
  await using redis = await connect({ url: server.url, cacheUrl: other.url, namespace: "ns", on: () => {} });
  await redis.ready({ timeout: "10s" });
  await redis.cache.set("key", 1);
  assertEquals(await server.cli("KEYS", "{ns}:c:*"), []);
  await other.cli("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1");
  await other.cli("CLIENT", "PAUSE", "5000", "ALL");
  const { id } = await redis.sessions.create("ada", {});
  assertEquals((await redis.sessions.get(id))?.userId, "ada");
  assertEquals((await redis.rateLimit.check("AUTH", "ip")).source, "redis");
  assertEquals(await redis.locks.withLock("report", () => 1), 1);
  assertEquals(await redis.cache.getOrSet("other", () => 2), 2);
});
