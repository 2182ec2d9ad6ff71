import { assert, assertEquals } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import { MemoryStore } from "../../../src/cache/memory_store.ts";
import { Gate, openOnHarness, outcome } from "../contract/cache_tools.ts";
import { behaviours, type Cases } from "./peers.ts";

const cases: Cases = {
  "A load that runs is no entry": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<number>();
    const loading = one.cache.getOrSet("a", gate.load);
    await gate.started;
    for (const { cache } of [one, two]) {
      assertEquals([await cache.has("a"), await cache.get("a"), await cache.ttl("a")], [false, undefined, undefined]);
      assertEquals((await cache.lookup("a")).status, "miss");
      assertEquals((await cache.getMany(["a"])).size, 0);
      assertEquals(await cache.touch("a", 60), false);
      assertEquals(await Array.fromAsync(cache.inspect()), []);
    }
    gate.open(1);
    assertEquals(await loading, 1);
    assertEquals(await two.cache.get("a"), 1);
    const again = new Gate<number>();
    const removed = one.cache.getOrSet("b", again.load);
    await again.started;
    assertEquals(await two.cache.delete("b"), false);
    assertEquals(await two.cache.invalidateByPattern("b"), { status: "done", removed: 0 });
    again.open(2);
    assertEquals(await removed, 2);
  },

  "Loads whose callers have all gone away are stored, each under its key": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const callers = new AbortController();
    const gates = [new Gate<number>(), new Gate<number>()];
    const calls = gates.map((gate, i) => outcome(cache.getOrSet(`${i}`, gate.load, { signal: callers.signal })));
    await Promise.all(gates.map((gate) => gate.started));
    callers.abort(new Error("gone"));
    assertEquals(await Promise.all(calls), ["error: gone", "error: gone"]);
    assertEquals((await cache.getMany(["0", "1"])).size, 0);
    gates[1]!.open(11);
    await events.until("cache.load", 1);
    assertEquals(await cache.getMany(["0", "1"]), new Map([["1", 11]]));
    gates[0]!.open(10);
    await events.until("cache.load", 2);
    assertEquals(await cache.getMany(["0", "1"]), new Map([["0", 10], ["1", 11]]));
  },

  "A set during a load is what is there from then on, and who waits for the load gets one of the two": async (
    harness,
  ) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<string>();
    const waiting = [1, 2].map(() => cache.getOrSet("a", gate.load));
    await gate.started;
    await cache.set("a", "set");
    assertEquals(await cache.getOrSet("a", () => "another"), "set");
    gate.open("loaded");
    for (const value of await Promise.all(waiting)) assert(["set", "loaded"].includes(value));
    await events.until("cache.load", 1);
    assertEquals(await cache.get("a"), "set");
  },
};

behaviours("lru-cache", cases);

Deno.test("MemoryStore stays within its bounds, and keeps nothing of what it has dropped", async () => {
  const store = new MemoryStore({ maxEntries: 100 });
  await using cache = new Cache(store);
  for (let i = 0; i < 8000; i++) {
    const key = `${i}`;
    if (i % 4 === 0) await cache.getOrSet(key, () => i, { tags: [`t${i % 10}`] });
    else if (i % 4 === 1) await cache.set(key, i);
    else if (i % 4 === 2) await cache.getOrSet(key, () => Promise.reject(new Error("no"))).catch(() => {});
    else await cache.invalidate(`${i - 2}`);
  }
  assertEquals(store.size <= 100, true);
  assertEquals(cache.stats().loading, 0);
  assertEquals(await cache.get("7996"), 7996);
  assertEquals((await cache.lookup("0")).status, "miss");
});
