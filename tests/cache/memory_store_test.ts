import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { entryOf, look } from "./contract/store_reads.ts";

Deno.test("MemoryStore keeps the entries that were used last", async () => {
  await using store = new MemoryStore({ maxEntries: 3 });
  for (const key of ["a", "b", "c"]) await store.write(key, entryOf(key));
  await store.read("a");
  await store.write("d", entryOf("d"));
  assertEquals(await Promise.all(["a", "b", "c", "d"].map((key) => look(store, key))), [
    ...["fresh a", "none", "fresh c", "fresh d"],
  ]);
  assertEquals(store.size, 3);
});

Deno.test("MemoryStore keeps no more bytes than it may", async () => {
  await using store = new MemoryStore({ maxBytes: 10_000 });
  for (let i = 0; i < 50; i++) {
    assertEquals(await store.write(`${i}`, entryOf("", { payload: new Uint8Array(1000) })), true);
    assertLessOrEqual(store.size, 8);
  }
  assertEquals(await look(store, "0"), "none");
  assert((await look(store, "49")).startsWith("fresh"));
});

Deno.test("MemoryStore does not store what is too large for it, nor keep what was there before", async () => {
  await using cache = new Cache(new MemoryStore({ maxBytes: 2000 }));
  assertEquals(await cache.set("a", 1), true);
  assertEquals(await cache.set("a", "x".repeat(3000)), false);
  assertEquals(await cache.get("a"), undefined);
  const text = "x".repeat(3000);
  assertEquals(await cache.getOrSet("b", () => text), text);
  assertEquals([await cache.has("b"), cache.stats().refused], [false, 1]);
  assertEquals(await cache.getOrSet("b", () => "short"), "short");
  assertEquals(await cache.get("b"), "short");
});

Deno.test("MemoryStore loads all the same when there is no room for a lease", async () => {
  await using cache = new Cache(new MemoryStore({ maxBytes: 100 }));
  let loads = 0;
  const load = () => Promise.resolve(++loads);
  const values = await Promise.all([1, 2, 3].map(() => cache.getOrSet("a", load)));
  assertEquals([values.every((value) => value <= loads), loads <= 3], [true, true]);
  assertEquals(await cache.has("a"), false);
});

Deno.test("MemoryStore keeps its order when the time stands still or goes back", async () => {
  let now = 1000;
  await using store = new MemoryStore({ now: () => now });
  let last = 0;
  for (const time of [1000, 1000, 500, 0, 1000, 2000]) {
    now = time;
    await store.write("a", entryOf("1", { tags: ["t"] }));
    const { entry } = await store.read("a");
    assert(entry!.asOf > last);
    last = entry!.asOf;
    await store.invalidateTags(["t"], "hard");
    assertEquals(await look(store, "a"), "none");
    await store.write("a", entryOf("2", { tags: ["t"] }));
    assertEquals(await look(store, "a"), "fresh 2");
  }
});

Deno.test("MemoryStore says unknown for the oldest when very many tags were invalidated, and serves nothing wrong", async () => {
  await using store = new MemoryStore();
  await store.write("hidden", entryOf("1", { tags: ["0"] }));
  await store.write("plain", entryOf("1"));
  for (let i = 0; i < 25_000; i += 1000) {
    await store.invalidateTags(Array.from({ length: 1000 }, (_, j) => `${i + j}`), "hard");
  }
  assertEquals([await look(store, "hidden"), await look(store, "plain")], ["none", "fresh 1"]);
  await store.write("new", entryOf("1", { tags: ["0"] }));
  assertEquals(await look(store, "new"), "fresh 1");
});

Deno.test("MemoryStore needs no timer, and takes the time from where it is told", async () => {
  const clock = new ManualClock(5000);
  await using store = new MemoryStore({ now: clock.now });
  await store.write("a", entryOf("1", { fresh: 1000 }));
  assertEquals((await store.read("a")).now, 5000);
  clock.advance("999ms");
  assertEquals(await look(store, "a"), "fresh 1");
  clock.advance("1ms");
  assertEquals(await look(store, "a"), "none");
});
