import { assert, assertEquals } from "@std/assert";
import { createCache } from "cache-manager";
import Keyv from "keyv";
import { createStorage } from "unstorage";
import { keyvStore, secondaryStorage, unstorageDriver } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";

onBothStores("keyvStore() is a store for Keyv", async (connect) => {
  await using redis = await connect();
  const keyv = new Keyv({ store: keyvStore(redis), namespace: "a*b" });
  const other = new Keyv({ store: keyvStore(redis), namespace: "other" });
  assertEquals(await keyv.get("key"), undefined);
  assertEquals(await keyv.set("key", { name: "Ada", list: [1, null] }), true);
  assertEquals(await keyv.get("key"), { name: "Ada", list: [1, null] });
  assertEquals([await keyv.has("key"), await keyv.has("none")], [true, false]);
  await other.set("key", 2);
  assertEquals(await keyv.get(["key", "none"]), [{ name: "Ada", list: [1, null] }, undefined]);
  await keyv.set("short", 1, 30);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(await keyv.get("short"), undefined);
  const seen: unknown[] = [];
  for await (const [key, value] of keyv.iterator!(keyv.namespace)) seen.push([key, value]);
  assertEquals(seen, [["key", { name: "Ada", list: [1, null] }]]);
  assertEquals([await keyv.delete("key"), await keyv.delete("key")], [true, false]);
  await keyv.set("x", 1);
  await keyv.clear();
  assertEquals([await keyv.get("x"), await other.get("key")], [undefined, 2]);
  assertEquals(await redis.cache.get("key"), undefined, "its keys are apart");
});

onBothStores("keyvStore() is a store for cache-manager", async (connect) => {
  await using redis = await connect();
  const cache = createCache({ stores: [new Keyv({ store: keyvStore(redis) })], ttl: 60_000 });
  let calls = 0;
  const read = () => cache.wrap("user:1", () => Promise.resolve({ call: ++calls }));
  assertEquals([await read(), await read()], [{ call: 1 }, { call: 1 }]);
  await cache.del("user:1");
  assertEquals(await read(), { call: 2 });
  await cache.mset([{ key: "a", value: 1 }, { key: "b", value: 2 }]);
  assertEquals(await cache.mget(["a", "b", "c"]), [1, 2, undefined]);
  await cache.clear();
  assertEquals(await cache.get("a"), undefined);
});

onBothStores("unstorageDriver() is a driver for unstorage", async (connect) => {
  await using redis = await connect();
  const storage = createStorage({ driver: unstorageDriver(redis) });
  assertEquals(await storage.getItem("foo"), null);
  await storage.setItem("s1:a", "test_data");
  await storage.setItem("s2:a", { some: "data" });
  await storage.setItem("s3:a?q=1", 7);
  assertEquals((await storage.getKeys()).sort(), ["s1:a", "s2:a", "s3:a"]);
  assertEquals(await storage.getKeys("s1"), ["s1:a"]);
  assertEquals([await storage.getItem("s1:a"), await storage.getItem("s2:a")], ["test_data", { some: "data" }]);
  assertEquals([await storage.hasItem("s1:a"), await storage.hasItem("s1:b")], [true, false]);
  const bytes = new Uint8Array([1, 0, 255]);
  await storage.setItemRaw("raw", bytes);
  assertEquals(new Uint8Array(await storage.getItemRaw("raw") as Uint8Array), bytes);
  await storage.removeItem("s1:a");
  assertEquals(await storage.hasItem("s1:a"), false);
  await storage.setItem("short", "x", { ttl: 0.03 });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(await storage.getItem("short"), null);
  await storage.clear();
  assertEquals(await storage.getKeys(), []);
});

onBothStores("secondaryStorage() keeps texts as better-auth has them", async (connect) => {
  await using redis = await connect();
  const storage = secondaryStorage(redis);
  assertEquals(await storage.get("a"), null);
  await storage.set("a", '{"session":1}', 60);
  await storage.set("b", "for ever");
  assertEquals([await storage.get("a"), await storage.get("b")], ['{"session":1}', "for ever"]);
  await storage.delete("a");
  assertEquals(await storage.get("a"), null);
  const left = await redis.cache.namespace("auth").ttl("b");
  assert(left === Infinity);
});
