import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { encodeTags, HEADER } from "../../../src/cache/entry.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { openOnHarness, pause } from "../contract/cache_tools.ts";
import { RedisHarness } from "../contract/harness.ts";
import { lease } from "../contract/store_leases.ts";
import { entryOf, look } from "../contract/store_reads.ts";

/** Bytes of a key, and putting other bytes in their place without touching its time to live. */
class Raw {
  readonly #harness: RedisHarness;

  constructor(harness: RedisHarness) {
    this.#harness = harness;
  }

  key(key: string): string {
    return `{${this.#harness.namespace}}:c:${key}`;
  }

  async read(key: string): Promise<Uint8Array> {
    const store = await this.#harness.open();
    return (await store.batch.send("GET", [this.key(key)])) as Uint8Array;
  }

  async write(entries: Iterable<readonly [string, Uint8Array]>): Promise<void> {
    const store = await this.#harness.open();
    await Promise.all([...entries].map(([key, bytes]) => store.batch.send("SET", [this.key(key), bytes])));
  }
}

/** A copy with other bytes at a place. */
function patched(bytes: Uint8Array, at: number, ...patch: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(patch, at);
  return copy;
}

/** Damaged forms of an entry that has two tags and a payload in JSON. */
function damaged(bytes: Uint8Array): Map<string, Uint8Array> {
  const tagBytes = encodeTags(["t", "u"]).length;
  const forms = new Map<string, Uint8Array>([
    ["nothing", new Uint8Array(0)],
    ["text", new TextEncoder().encode("hello")],
    ["zeros", new Uint8Array(200)],
    ["ones", new Uint8Array(200).fill(255)],
    ["other version", patched(bytes, 0, 2)],
    ["more tags than there are", patched(bytes, 2, 0, 3)],
    ["fewer tags than there are", patched(bytes, 2, 0, 1)],
    ["no tags", patched(bytes, 2, 0, 0)],
    ["a huge number of tags", patched(bytes, 2, 255, 255)],
    ["longer tags than there are", patched(bytes, HEADER, 0, 200)],
    ["a longer list of tags", patched(bytes, 64, 0, 0, 0, tagBytes + 1)],
    ["a shorter list of tags", patched(bytes, 64, 0, 0, 0, tagBytes - 1)],
    ["an endless list of tags", patched(bytes, 64, 255, 255, 255, 255)],
    ["a payload that is no JSON", patched(bytes, HEADER + tagBytes, 0xff, 0xff)],
    ["a payload in an unknown format", patched(bytes, 1, 0x77)],
    ["a payload that is not compressed", patched(bytes, 1, 0x08)],
    ["a payload in another format", patched(bytes, 1, 0x01)],
  ]);
  for (let length = 1; length < bytes.length; length++) forms.set(`the first ${length} bytes`, bytes.slice(0, length));
  let seed = 42;
  for (let i = 0; i < 20; i++) {
    const random = Uint8Array.from({ length: 150 }, () => (seed = (seed * 1103515245 + 12345) % 2147483648) >> 16);
    forms.set(`random bytes ${i}`, random);
    forms.set(`random bytes ${i} of this version`, patched(random, 0, 1));
  }
  return forms;
}

Deno.test("Cache takes a damaged entry for a miss, says so, and replaces it", async (t) => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const raw = new Raw(harness);
  const writer = await openOnHarness(harness);
  const value = { name: "value", list: [1, 2, 3] };
  const tags = ["t", "u"];

  for (const invalidated of [false, true]) {
    await t.step(invalidated ? "when its tags have to be looked up" : "when nothing was invalidated", async () => {
      await writer.cache.clear();
      await writer.cache.set("good", value, { tags });
      const bytes = await raw.read("good");
      const forms = damaged(bytes);
      await raw.write(forms);
      // Entries are then older than the newest invalidation.
      if (invalidated) await writer.cache.invalidateByTag("x");
      const { cache, events } = await openOnHarness(harness);
      for (const [name, form] of forms) {
        const before = events.count("cache.unreadable");
        assertEquals(await cache.get(name), undefined, name);
        const told = events.of("cache.unreadable").slice(before).map(({ key }) => key);
        assertEquals(told, [name], `${name}: ${form.slice(0, 80).join()}`);
        assertEquals((await cache.lookup(name)).status, "miss", name);
      }
      // All in one batch: those that are whole are found.
      assertEquals([...await cache.getMany([...forms.keys(), "good"])], [["good", value]]);
      for (const name of forms.keys()) {
        const before = events.count("cache.unreadable");
        let loads = 0;
        const load = () => `new ${++loads}`;
        const values = await Promise.all([1, 2].map(() => cache.getOrSet(name, load, { tags })));
        assertEquals([values, loads], [["new 1", "new 1"], 1], name);
        assertLessOrEqual(events.count("cache.unreadable") - before, 2);
        assertEquals([await cache.get(name), await writer.cache.get(name)], ["new 1", "new 1"], name);
      }
      assertEquals(events.count("cache.error"), 0);
    });
  }

  await t.step("whatever else is done with it", async () => {
    await writer.cache.clear();
    await writer.cache.set("good", value, { tags });
    const forms = damaged(await raw.read("good"));
    for (const [name] of forms) {
      await raw.write(forms);
      const { cache } = writer;
      await Promise.all([cache.has(name), cache.ttl(name), cache.touch(name, 5)]);
      assertEquals((await cache.invalidate(name)).status, "done");
      assertEquals(await cache.set(name, 1), true);
      assertEquals(await cache.get(name), 1, name);
    }
    await raw.write(forms);
    assertEquals((await writer.cache.invalidateByPattern("*")).status, "done");
    assertEquals((await writer.cache.getMany([...forms.keys()])).size, 0);
  });

  await t.step("of a type that no entry has", async () => {
    const { cache } = writer;
    await cache.set("good", value);
    for (const name of ["one", "two", "three", "four"]) await server.cli("SADD", raw.key(name), "member");
    assertEquals([...(await cache.getMany(["one", "good"])).keys()], ["good"]);
    assertEquals([await cache.has("one"), await cache.touch("one", 5)], [false, false]);
    assertEquals(await cache.getOrSet("one", () => 1), 1);
    assertEquals(await cache.get("one"), 1);
    assertEquals(await cache.invalidate("two"), { status: "done", removed: 0 });
    assertEquals(await cache.set("three", 3), true);
    assertEquals(await cache.invalidateByPattern("four"), { status: "done", removed: 0 });
  });
});

Deno.test("RedisStore leaves expiry to Redis, at the last of an entry's times", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const raw = new Raw(harness);
  const store = await harness.open();
  const left = async (key: string) => Number(await server.cli("PTTL", raw.key(key)));
  const near = (actual: number, wanted: number) => assert(actual <= wanted && actual > wanted - 2000, `${actual}`);
  await store.write("a", entryOf("1", { fresh: 10_000, stale: 20_000, error: 70_000 }));
  near(await left("a"), 70_000);
  await store.touch("a", 20_000);
  near(await left("a"), 80_000);
  await store.touch("a", Infinity);
  assertEquals(await left("a"), -1);
  await store.touch("a", 5000);
  near(await left("a"), 5000);
  await store.write("b", entryOf("1", { fresh: 10_000, stale: 20_000, error: Infinity }));
  assertEquals(await left("b"), -1);
  const fence = await lease(store, "c");
  near(await left("c"), 10_000);
  await store.extend("c", fence.lease, 60_000);
  near(await left("c"), 60_000);
  await store.write("c", entryOf("1", { fresh: 5000 }), fence);
  near(await left("c"), 5000);

  await store.write("short", entryOf("1", { fresh: 100, stale: 250 }));
  assertEquals(await look(store, "short"), "fresh 1");
  await pause(130);
  assertEquals(await look(store, "short"), "stale 1");
  await pause(150);
  assertEquals([await look(store, "short"), await server.cli("EXISTS", raw.key("short"))], ["none", 0]);
});

Deno.test("RedisStore removes what an invalidation has hidden", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const store = await harness.open();
  for (const key of ["a", "b", "c"]) await store.write(key, entryOf("1"));
  await store.read("lease", { lease: 60_000 });
  await store.invalidatePattern("[ab]*");
  assertEquals((await harness.keys()).length, 2);
  await store.clear();
  await store.write("new", entryOf("1"));
  for (let i = 0; i < 100 && (await harness.keys()).length > 1; i++) await pause(5);
  assertEquals(await harness.keys(), [new Raw(harness).key("new")]);
});

Deno.test("RedisStore answers reads that are too large for one reply", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const store = await harness.open();
  const payload = new Uint8Array(600_000).fill(7);
  const keys = Array.from({ length: 70 }, (_, i) => `${i}`);
  for (const key of keys) await store.write(key, entryOf("", { payload, tags: ["t"] }));
  const reads = await Promise.all([...keys, "absent"].map((key) => store.read(key, { lease: 1000 })));
  assertEquals(reads.map(({ state, entry }) => `${state} ${entry?.payload.length}`), [
    ...keys.map(() => "fresh 600000"),
    "none undefined",
  ]);
});

Deno.test("RedisStore forgets no invalidation that an entry could be as old as, and hides no entry that is younger", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const [store, other] = [await harness.open(), await harness.open()];
  const life = { fresh: 900, tags: ["t"] };
  await store.write("touched", entryOf("1", life));
  const fence = await lease(store, "loaded");
  await other.invalidateTags(["x"], "hard");
  await pause(500);
  assertEquals(await store.touch("touched", 900), true);
  assertEquals(await store.write("loaded", entryOf("1", life), fence), true);
  await pause(500);
  // Entries were never written for longer than 900 ms, but these two are older by now.
  await other.invalidateTags(["y"], "hard");
  assertEquals([await look(store, "touched"), await look(store, "loaded")], ["fresh 1", "fresh 1"]);
});
