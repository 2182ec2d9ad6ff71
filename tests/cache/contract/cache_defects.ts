import { assertEquals } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import type { LoaderContext } from "../../../src/cache/options.ts";
import { FlakyStore } from "../../../src/testing/flaky_store.ts";
import type { Case } from "./harness.ts";
import { Gate, openOnHarness, outcome, pause, Source } from "./cache_tools.ts";

/** Runs a loader that began before an invalidation by another process, and gives what is cached afterwards. */
async function loadedMeanwhile(
  harness: Parameters<Case>[0],
  stale: boolean,
  invalidate: (cache: Cache) => Promise<unknown>,
): Promise<unknown> {
  const [one, two] = [
    await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 100 }),
    await openOnHarness(harness),
  ];
  const options = { tags: ["t"] };
  if (stale) {
    await one.cache.set("a", "older", options);
    await harness.advance(20_000);
  }
  const gate = new Gate<string>();
  const loading = one.cache.getOrSet("a", gate.load, options);
  await gate.started;
  await invalidate(two.cache);
  gate.open("old");
  await loading;
  await one.events.until("cache.load", 1);
  return await two.cache.get("a");
}

/** Defects of other caches, each with a case in which they show. */
export const cacheDefects: Readonly<Record<string, Case>> = {
  "bentocache: a refresh in the background is not given the previous value": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 100 });
    await cache.set("a", { etag: "x" });
    await harness.advance(20_000);
    let given: unknown;
    const load = ({ stale, notModified }: LoaderContext<{ etag: string }>) => {
      given = stale;
      return notModified();
    };
    await cache.getOrSet("a", load);
    await events.until("cache.load", 1);
    assertEquals(given, { etag: "x" });
  },

  "bentocache: callers of a failing loader run it again, several at a time": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    for (const [round, error] of ["first", "second"].entries()) {
      const gate = new Gate<never>();
      const callers: Promise<string>[] = [];
      for (let i = 0; i < 20; i++) {
        callers.push(outcome(cache.getOrSet("a", gate.load)));
        await pause(i % 2);
      }
      await events.until("cache.miss", 20 * (round + 1)); // all of them wait
      gate.fail(new Error(error));
      assertEquals(new Set(await Promise.all(callers)), new Set([`error: ${error}`]));
      assertEquals(gate.calls, 1);
    }
  },

  "bentocache: deleteByTag during a factory is lost": async (harness) => {
    assertEquals(await loadedMeanwhile(harness, false, (cache) => cache.invalidateByTag("t")), undefined);
  },

  "bentocache: deleteByTag during a refresh in the background is lost": async (harness) => {
    assertEquals(await loadedMeanwhile(harness, true, (cache) => cache.invalidateByTag("t")), undefined);
  },

  "bentocache: delete during a factory is lost": async (harness) => {
    assertEquals(await loadedMeanwhile(harness, false, (cache) => cache.delete("a")), undefined);
  },

  "bentocache: delete during a refresh in the background is lost": async (harness) => {
    assertEquals(await loadedMeanwhile(harness, true, (cache) => cache.delete("a")), undefined);
  },

  "bentocache: a record of an invalidation that is forgotten makes old values valid again": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", "old", { tags: ["t"] });
    await cache.invalidateByTag("t");
    // More than a process keeps track of.
    const tags = Array.from({ length: 10_500 }, (_, i) => `${i}`);
    await cache.invalidateByTag(tags);
    assertEquals(await cache.get("a"), undefined);
    const other = await openOnHarness(harness);
    assertEquals(await other.cache.get("a"), undefined);
  },

  "bentocache: a reader writes what it has read over a newer value": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", "old", { tags: ["t"] });
    await two.cache.invalidateByTag("t");
    for (let i = 0; i < 5; i++) {
      const reads = [one.cache.get("a"), one.cache.lookup("a"), one.cache.has("a"), one.cache.ttl("a")];
      await Promise.all([two.cache.set("a", `new ${i}`, { tags: ["t"] }), ...reads]);
      assertEquals([await one.cache.get("a"), await two.cache.get("a")], [`new ${i}`, `new ${i}`]);
      await two.cache.invalidateByTag("t");
    }
  },

  "bentocache: tags that a loader gives are ignored": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.getOrSet("a", ({ setTags }) => (setTags(["t"]), 1));
    await cache.invalidateByTag("t");
    assertEquals(await cache.get("a"), undefined);
  },

  "bentocache: a back-off that counts from the old end of freshness lets calls through to a broken source": async (
    harness,
  ) => {
    const { cache } = await openOnHarness(harness, { ttl: 1, staleIfError: 1000, retryAfter: 2 });
    await cache.set("a", 1);
    await harness.advance(6000);
    const source = new Source();
    source.down = true;
    for (let i = 0; i < 5; i++) assertEquals(await cache.getOrSet("a", source.load), 1);
    assertEquals(source.calls, 1);
  },

  "bentocache: each failure makes the old value last longer": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 1, staleIfError: 10, retryAfter: 1 });
    await cache.set("a", 1);
    const source = new Source();
    source.down = true;
    for (let i = 0; i < 3; i++) {
      await harness.advance(3000);
      assertEquals(await outcome(cache.getOrSet("a", source.load)), "value 1");
    }
    await harness.advance(3000);
    assertEquals(await outcome(cache.getOrSet("a", source.load)), "error: the source is down");
  },

  "bentocache: a lease of a process that died blocks all others": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.store.read("a", { lease: 100 });
    const value = two.cache.getOrSet("a", () => "value");
    await harness.advance(100);
    assertEquals(await value, "value");
  },

  "cacheable: a set after an invalidation serves the old value": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const read = await one.store.read("a", { lease: 1000 });
    await two.cache.invalidateByTag("t");
    const entry = { payload: new Uint8Array([49]), flags: 0, loadTime: 0, fresh: 1e6, stale: 1e6, error: 1e6 };
    assertEquals(await one.store.write("a", { ...entry, tags: ["t"] }, read), false);
    assertEquals(await two.cache.get("a"), undefined);
  },

  "cacheable: getOrSet and wrap cannot have tags": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new Source();
    const wrapped = cache.wrap(source.load, { key: () => "b", tags: ["t"] });
    assertEquals([await cache.getOrSet("a", source.load, { tags: ["t"] }), await wrapped(), await wrapped()], [
      1,
      2,
      2,
    ]);
    await cache.invalidateByTag("t");
    assertEquals([await cache.getOrSet("a", source.load, { tags: ["t"] }), await wrapped()], [3, 4]);
  },

  "cacheable: what a loader throws is swallowed": async (harness) => {
    const { cache } = await openOnHarness(harness);
    assertEquals(await outcome(cache.getOrSet("a", () => Promise.reject(new Error("no")))), "error: no");
  },

  "cachified: getOrSet rejects when the store is down": async (harness) => {
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store);
    store.down = true;
    assertEquals(await cache.getOrSet("a", () => 1), 1);
  },

  "cachified: a store that goes down during the load makes getOrSet reject": async (harness) => {
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store);
    const gate = new Gate<number>();
    const callers = [cache.getOrSet("a", gate.load), cache.getOrSet("a", gate.load)];
    await gate.started;
    await cache.get("b");
    store.down = true;
    gate.open(1);
    assertEquals(await Promise.all(callers), [1, 1]);
  },

  "cachified: batches that overlap wait for each other for ever": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const asked: string[] = [];
    const load = async (missing: readonly string[]) => {
      asked.push(...missing);
      await pause(2);
      return new Map(missing.map((key) => [key, key.toUpperCase()]));
    };
    const batches = [["a", "b", "c"], ["c", "b", "d"], ["d", "a"]].map((keys) => cache.getOrSetMany(keys, load));
    const values = (await Promise.all(batches)).map((map) => [...map.values()].join(""));
    assertEquals([values, asked.sort()], [["ABC", "CBD", "DA"], ["a", "b", "c", "d"]]);
  },

  "cache-manager: a process that has never read a value does not find it": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", 1);
    assertEquals(await two.cache.get("a"), 1);
    assertEquals(await two.cache.getOrSet("a", () => 2), 1);
  },

  "ocache: a refresh that fails throws the stale value away": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 100 });
    await cache.set("a", 1);
    await harness.advance(20_000);
    const broken = () => Promise.reject(new Error("no"));
    assertEquals(await cache.getOrSet("a", broken), 1);
    await events.until("cache.load_error", 1);
    assertEquals(await cache.getOrSet("a", broken), 1);
  },

  "Laravel: a process that dies while it refreshes keeps all others from it": async (harness) => {
    const [one, two] = [
      await openOnHarness(harness),
      await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 100 }),
    ];
    await two.cache.set("a", 1);
    await harness.advance(20_000);
    await one.store.read("a", { lease: 10_000 });
    const source = new Source();
    source.value = 1;
    assertEquals([await two.cache.getOrSet("a", source.load), source.calls], [1, 0]);
    await harness.advance(11_000);
    assertEquals(await two.cache.getOrSet("a", source.load), 1);
    await two.events.until("cache.load", 1);
    assertEquals(await one.cache.get("a"), 2);
  },

  "Laravel: readers and writers have to name the same tags": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", 1, { tags: ["t", "u"] });
    assertEquals(await two.cache.getOrSet("a", () => 2, { tags: ["v"] }), 1);
    await two.cache.invalidateByTag("u");
    assertEquals(await one.cache.get("a"), undefined);
  },

  "FusionCache: a lock is left held by a loader that stores nothing": async (harness) => {
    const { cache, store } = await openOnHarness(harness);
    await cache.getOrSet("a", ({ skip }) => skip(1));
    assertEquals((await store.read("a")).held, 0);
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },

  "FusionCache: an early refresh loads although another process has refreshed already": async (harness) => {
    const options = { ttl: 100, refreshAhead: 50 };
    const [one, two] = [await openOnHarness(harness, options), await openOnHarness(harness, options)];
    const source = new Source();
    await one.cache.getOrSet("a", source.load);
    assertEquals(await two.cache.getOrSet("a", source.load), 1);
    await harness.advance(60_000);
    await one.cache.getOrSet("a", source.load);
    await one.events.until("cache.load", 2);
    assertEquals(await two.cache.getOrSet("a", source.load), 2);
    await pause(5);
    assertEquals(source.calls, 2);
  },

  "FusionCache: clear() leaves what only the shared store has": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", 1, { ttl: 10, staleIfError: 1000 });
    await harness.advance(20_000);
    await two.cache.clear();
    assertEquals(await outcome(two.cache.getOrSet("a", () => Promise.reject(new Error("no")))), "error: no");
  },
};
