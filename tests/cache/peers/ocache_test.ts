import { assertEquals } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import { MemoryStore } from "../../../src/cache/memory_store.ts";
import { Gate, openOnHarness, outcome, Source } from "../contract/cache_tools.ts";
import { behaviours, type Cases } from "./peers.ts";

/** Names that every object has, and one that makes a prototype of what is put there. */
const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

const cases: Cases = {
  "An invalidation in the moment in which a loader's value is written leaves nothing of it": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const invalidations = [
      (by: Cache) => by.invalidate("a"),
      (by: Cache) => by.invalidateByTag("t"),
      (by: Cache) => by.invalidateByPattern("a"),
      (by: Cache) => by.clear(),
    ];
    for (const { cache: by } of [one, two]) {
      for (const invalidate of invalidations) {
        // The write is under way after a few turns; before, between and after is all the same.
        for (let turns = 0; turns < 12; turns++) {
          const gate = new Gate<string>();
          const loading = one.cache.getOrSet("a", gate.load, { tags: ["t"] });
          await gate.started;
          gate.open("old");
          for (let i = 0; i < turns; i++) await Promise.resolve();
          await invalidate(by);
          assertEquals(await by.get("a"), undefined);
          assertEquals(await loading, "old");
          assertEquals([await one.cache.get("a"), await two.cache.get("a")], [undefined, undefined]);
        }
      }
    }
  },

  "Keys with the names of inherited members are keys like any other": async (harness) => {
    const { cache } = await openOnHarness(harness);
    assertEquals((await cache.getMany(INHERITED)).size, 0);
    const gates = INHERITED.map(() => new Gate<string>());
    const calls = INHERITED.flatMap((key, i) => [1, 2].map(() => cache.getOrSet(key, gates[i]!.load)));
    for (const [i, key] of INHERITED.entries()) gates[i]!.open(`value of ${key}`);
    assertEquals(await Promise.all(calls), INHERITED.flatMap((key) => [`value of ${key}`, `value of ${key}`]));
    assertEquals(gates.map((gate) => gate.calls), INHERITED.map(() => 1));
    await cache.clear();
    const values = JSON.parse(`{${INHERITED.map((key) => `"${key}":"${key}!"`).join()}}`);
    const expected = new Map(INHERITED.map((key) => [key, `${key}!`]));
    await cache.setMany(values);
    assertEquals(await cache.getMany(INHERITED), expected);
    await cache.clear();
    assertEquals(await cache.getOrSetMany(INHERITED, () => values), expected);
    assertEquals(await cache.getMany(INHERITED), expected);
  },

  "An invalidation as stale does not let a value outlive its windows": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 20 });
    const source = new Source();
    await cache.getOrSet("a", source.load, { tags: ["t"] });
    await cache.invalidateByTag("t", { mode: "stale" });
    await harness.advance(31_000);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [2, 2]);
  },

  "A loader that never ends holds up its key only until somebody invalidates or sets it": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const ways = [
      (by: Cache) => by.invalidate("wedged"),
      (by: Cache) => by.clear(),
      (by: Cache) => by.set("wedged", "set"),
    ];
    for (const [i, way] of ways.entries()) {
      const gate = new Gate<string>();
      const wedged = outcome(one.cache.getOrSet("wedged", gate.load, { hardTimeout: "5ms" }));
      assertEquals(await wedged, 'error: Cannot load "wedged": wanted a value within 5 ms, got none');
      await way(two.cache);
      const expected = i === 2 ? "set" : "healthy";
      for (const { cache } of [one, two]) assertEquals(await cache.getOrSet("wedged", () => "healthy"), expected);
      gate.open("too late");
      await one.events.until("cache.load", one.cache.stats().loads);
      assertEquals(await two.cache.get("wedged"), expected);
      await one.cache.clear();
    }
  },

  "A value that the source gives twice is refreshed twice all the same": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 60 });
    for (let i = 1; i <= 3; i++) {
      assertEquals(await cache.getOrSet("a", () => "same"), "same");
      await events.until("cache.load", i);
      assertEquals((await cache.lookup("a")).status, "hit");
      await harness.advance(11_000);
      assertEquals((await cache.lookup("a")).status, "stale");
    }
  },
};

behaviours("ocache", cases);

Deno.test("MemoryStore gets back the bytes of what is overwritten, removed, cleared and evicted", async () => {
  const [big, small] = ["x".repeat(10_000), "y"];
  await using cache = new Cache(new MemoryStore({ maxBytes: 110_000 }));
  const full = async () => {
    // Room for ten, whatever was there before.
    for (let i = 0; i < 10; i++) await cache.set(`${i}`, big);
    return (await cache.getMany(Array.from({ length: 10 }, (_, i) => `${i}`))).size;
  };
  assertEquals(await full(), 10);
  for (let i = 0; i < 100; i++) await cache.set("0", i % 2 ? big : small);
  assertEquals(await full(), 10);
  for (let i = 0; i < 100; i++) {
    await cache.set("more", small);
    await (i % 2 ? cache.delete("more") : cache.invalidateByPattern("m*"));
  }
  assertEquals(await full(), 10);
  await cache.clear();
  assertEquals(await full(), 10);
  for (let i = 0; i < 100; i++) await cache.set(`other ${i}`, big);
  assertEquals(await full(), 10);
});
