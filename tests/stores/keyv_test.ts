import { assert, assertEquals } from "@std/assert";
import { createCache } from "cache-manager";
import Keyv5 from "keyv";
import Keyv6, { KeyvBridgeAdapter } from "keyv6";
import { keyvStore } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";
import { KEYV_CASES, type Make } from "./keyv_cases.ts";

// deno-lint-ignore no-explicit-any -- what both have is stated in keyv_cases.ts
const versions: readonly (readonly [number, new (options: any) => any])[] = [[5, Keyv5], [6, Keyv6]];

for (const [version, Keyv] of versions) {
  onBothStores(`keyvStore() does what Keyv ${version} asks for of a store`, async (connect) => {
    await using redis = await connect();
    const failed: string[] = [];
    for (const [name, run] of KEYV_CASES) {
      await redis.cache.namespace("keyv").clear();
      const make: Make = (options) => {
        const keyv = new Keyv({ store: keyvStore(redis), ...options });
        keyv.on("error", () => {});
        return keyv;
      };
      await run(make, version).catch((error: unknown) => failed.push(`${name}: ${error}`));
    }
    assertEquals(failed, []);
  });
}

onBothStores("keyvStore() has the keys apart from those of the cache", async (connect) => {
  await using redis = await connect();
  await new Keyv5({ store: keyvStore(redis) }).set("key", 1);
  assertEquals(await redis.cache.get("key"), undefined);
  await redis.cache.set("own", 1);
  await new Keyv5({ store: keyvStore(redis) }).clear();
  assertEquals(await redis.cache.get("own"), 1);
});

onBothStores("keyvStore() is a storage adapter for Keyv 6", async (connect) => {
  await using redis = await connect();
  // deno-lint-ignore no-explicit-any -- Keyv makes an adapter of it itself
  const adapter = new Keyv6({ store: keyvStore(redis) as any }).store as KeyvBridgeAdapter;
  assert(adapter instanceof KeyvBridgeAdapter, "and is not taken for a Map");
  await adapter.setMany([{ key: "a", value: "1", expires: Date.now() + 60_000 }, { key: "b", value: "2" }]);
  await adapter.set("past", "3", Date.now() - 100);
  assertEquals(await adapter.getMany(["a", "b", "past"]), ["1", "2", undefined]);
  assertEquals(await adapter.hasMany(["a", "b", "none"]), [true, true, false]);
  await adapter.set("a", "1", Date.now() + 60);
  await new Promise((resolve) => setTimeout(resolve, 90));
  assertEquals([await adapter.has("a"), await adapter.get("a"), await adapter.get("b")], [false, undefined, "2"]);
  assertEquals(await adapter.deleteMany(["b"]), [true]);
  assertEquals([await adapter.deleteMany([]), await adapter.getMany([])], [[], []]);
  await adapter.disconnect();
});

onBothStores("keyvStore() is a store for cache-manager", async (connect) => {
  await using redis = await connect();
  const cache = createCache({ stores: [new Keyv5({ store: keyvStore(redis) })], ttl: 60_000 });
  let calls = 0;
  const read = () => cache.wrap("user:1", () => Promise.resolve({ call: ++calls }));
  assertEquals(await Promise.all([read(), read()]), [{ call: 1 }, { call: 1 }]);
  assertEquals(await read(), { call: 1 });
  await cache.del("user:1");
  assertEquals(await read(), { call: 2 });
  await cache.mset([{ key: "a", value: 1 }, { key: "b", value: 2, ttl: 40 }]);
  assertEquals(await cache.mget(["a", "b", "c"]), [1, 2, undefined]);
  const ends = await cache.ttl("a");
  assert(typeof ends === "number" && ends > Date.now() && ends <= Date.now() + 60_000, String(ends));
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(await cache.mget(["a", "b"]), [1, undefined]);
  await cache.mdel(["a", "c"]);
  assertEquals([await cache.get("a"), await cache.get("user:1")], [undefined, { call: 2 }]);
  await cache.clear();
  assertEquals(await cache.get("user:1"), undefined);
});

onBothStores("keyvStore() lets cache-manager make anew what is about to expire", async (connect) => {
  await using redis = await connect();
  const options = { stores: [new Keyv5({ store: keyvStore(redis) })], ttl: 60_000, refreshThreshold: 50_000 };
  const cache = createCache(options);
  let calls = 0;
  const read = (ttl: number) => cache.wrap("page", () => Promise.resolve(++calls), ttl);
  const refreshed = new Promise((resolve) => cache.on("refresh", resolve));
  assertEquals([await read(40_000), await read(40_000)], [1, 1]);
  await refreshed;
  assertEquals([calls, await cache.get("page")], [2, 2]);
});
