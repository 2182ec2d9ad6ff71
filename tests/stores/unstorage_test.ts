import { assertEquals, assertRejects } from "@std/assert";
import { createStorage, prefixStorage, restoreSnapshot, snapshot, type Storage } from "unstorage";
import { unstorageDriver } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";

/** What unstorage asks for of every driver, by the names of its `testDriver()`. */
const CASES: Readonly<Record<string, (storage: Storage) => Promise<void>>> = {
  "init": async (storage) => {
    await restoreSnapshot(storage, { initial: "works" });
    assertEquals(await storage.getItem("initial"), "works");
    assertEquals(await snapshot(storage, ""), { initial: "works" });
  },
  "initial state": async (storage) => {
    assertEquals([await storage.hasItem("s1:a"), await storage.getItem("s2:a")], [false, null]);
    assertEquals(await storage.getKeys(), []);
  },
  "setItem, getKeys": async (storage) => {
    for (const key of ["s1:a", "s2:a", "s3:a?q=1"]) await storage.setItem(key, "test_data");
    assertEquals([await storage.hasItem("s1:a"), await storage.getItem("s1:a")], [true, "test_data"]);
    assertEquals(await storage.getItem("s3:a?q=2"), "test_data");
    assertEquals((await storage.getKeys()).sort(), ["s1:a", "s2:a", "s3:a"]);
    assertEquals(await storage.getKeys("s1"), ["s1:a"]);
  },
  "getKeys with depth": async (storage) => {
    const keys = ["depth0:depth1:depth2_0", "depth0:depth1:depth2_1", "depth0:depth1_0", "depth0:depth1_1", "depth0_0"];
    for (const key of keys) await storage.setItem(key, "test_data");
    const depth = async (maxDepth: number) => (await storage.getKeys(undefined, { maxDepth })).sort();
    assertEquals(await depth(0), ["depth0_0"]);
    assertEquals(await depth(1), keys.slice(2));
    assertEquals(await depth(2), keys);
  },
  "serialize (object, primitive, toJSON())": async (storage) => {
    await storage.setItem("/data/test.json", { json: "works" });
    assertEquals(await storage.getItem("/data/test.json"), { json: "works" });
    await storage.setItem("/data/true.json", true);
    assertEquals(await storage.getItem("/data/true.json"), true);
    for (const made of ["SERIALIZED", { serializedObj: "works" }]) {
      class Lossy {
        toJSON(): unknown {
          return made;
        }
      }
      await storage.setItem("/data/serialized.json", new Lossy() as never);
      assertEquals(await storage.getItem("/data/serialized.json"), made);
    }
  },
  "serialize (error for non primitives)": async (storage) => {
    class Test {}
    const error = "[unstorage] Cannot stringify value!";
    await assertRejects(() => storage.setItem("/data/badvalue.json", new Test() as never), Error, error);
  },
  "raw support": async (storage) => {
    const value = new Uint8Array([1, 2, 0, 255]);
    await storage.setItemRaw("/data/raw.bin", value);
    assertEquals(new Uint8Array(await storage.getItemRaw("/data/raw.bin") as Uint8Array), value);
  },
  "setItems, getItems": async (storage) => {
    await storage.setItems([{ key: "t:1", value: "one" }, { key: "t:2?q=1", value: "two" }]);
    assertEquals(await storage.getItem("t:1"), "one");
    assertEquals(await storage.getItems([{ key: "t:1" }, "t:2", { key: "t:2?q=1" }, "t:none"]), [
      { key: "t:1", value: "one" },
      { key: "t:2", value: "two" },
      { key: "t:2", value: "two" },
      { key: "t:none", value: null },
    ]);
  },
  "getItem - return falsy values when set in storage": async (storage) => {
    await storage.setItem("zero", 0);
    await storage.setItem("my-false-flag", false);
    assertEquals([await storage.getItem("zero"), await storage.getItem("my-false-flag")], [0, false]);
  },
  "removeItem": async (storage) => {
    await storage.setItem("s1:a", "x");
    await storage.removeItem("s1:a", false);
    assertEquals([await storage.hasItem("s1:a"), await storage.getItem("s1:a")], [false, null]);
  },
  "clear": async (storage) => {
    await storage.setItem("s1:a", "x");
    for (let i = 0; i < 2; i++) {
      await storage.clear();
      assertEquals(await storage.getKeys(), []);
    }
  },
  "clear and getKeys of a base, which is no pattern": async (storage) => {
    for (const key of ["a*:x", "ab:x", "a*:y"]) await storage.setItem(key, 1);
    assertEquals((await prefixStorage(storage, "a*").getKeys()).sort(), ["x", "y"]);
    await storage.getMount("").driver.clear!("a*:", {}); // which unstorage itself calls for a whole mount only
    assertEquals(await storage.getKeys(), ["ab:x"]);
  },
  "ttl, in seconds": async (storage) => {
    await storage.setItem("short", "x", { ttl: 0.03 });
    await storage.setItems([{ key: "short2", value: "x" }], { ttl: 0.03 });
    await storage.setItem("long", "x", { ttl: 60 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    assertEquals([await storage.getItem("short"), await storage.getItem("short2")], [null, null]);
    assertEquals(await storage.getItem("long"), "x");
  },
};

onBothStores("unstorageDriver() does what unstorage asks for of a driver", async (connect) => {
  await using redis = await connect();
  const failed: string[] = [];
  for (const [name, run] of Object.entries(CASES)) {
    const storage = createStorage({ driver: unstorageDriver(redis) });
    await storage.clear();
    await run(storage).catch((error: unknown) => failed.push(`${name}: ${error}`));
    await storage.dispose();
  }
  assertEquals(failed, []);
  assertEquals(await redis.cache.get("long"), undefined, "its keys are apart");
});
