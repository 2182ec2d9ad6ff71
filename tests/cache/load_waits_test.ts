import { assert, assertEquals, assertLess } from "@std/assert";
import { Cache } from "../../src/cache/cache.ts";
import { DisabledStore } from "../../src/cache/disabled_store.ts";
import { FlakyStore } from "../../src/testing/flaky_store.ts";
import { RedisServer } from "../support/redis_server.ts";
import { runCases } from "../support/run_cases.ts";
import { until } from "../support/until.ts";
import { Events, Gate, openOnHarness, outcome, pause } from "./contract/cache_tools.ts";
import { type Case, type Harness, MemoryHarness, RedisHarness } from "./contract/harness.ts";

/** A wait that nobody ends takes a minute here. */
const MINUTE = 60_000;
const SOON = 20_000;

/** What frees everybody who waits for a key. */
const FREES: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  "a key": (cache) => cache.invalidate("k"),
  "several keys": (cache) => cache.invalidateMany(["j", "k"]),
  "a pattern": (cache) => cache.invalidateByPattern("k*"),
  clear: (cache) => cache.clear(),
  set: (cache) => cache.set("k", 1),
};

/** Callers that all wait for a loader that hangs, and one loader more at most that ends their wait. */
async function herd(harness: Harness, own: boolean): Promise<void> {
  const { cache } = await openOnHarness(harness);
  const { cache: other } = await openOnHarness(harness);
  const hangs = new Gate<number>();
  const stuck = outcome((own ? cache : other).getOrSet("a", hangs.load));
  await hangs.started;
  const gate = new Gate<number>();
  const callers = Array.from({ length: 20 }, () => cache.getOrSet("a", gate.load, { waitTimeout: "500ms" }));
  await gate.started;
  await pause(20);
  gate.open(5);
  assertEquals(new Set(await Promise.all(callers)), new Set([5]));
  assertEquals(gate.calls, 1);
  assertEquals(await cache.get("a"), 5);
  hangs.open(0);
  assertEquals([await stuck, await other.get("a")], ["value 0", 5]);
}

const CASES: Readonly<Record<string, Case>> = {
  "Whatever takes a key away ends the wait for its loader": async (harness) => {
    const { store, cache } = await openOnHarness(harness);
    const { cache: other } = await openOnHarness(harness);
    for (const [how, free] of Object.entries(FREES)) {
      const hangs = new Gate<number>();
      const stuck = outcome(other.getOrSet("k", hangs.load));
      await hangs.started;
      using watch = store.watch("k");
      await until(() => watch.live, "changes are told");
      await watch.next(50); // what was told until now
      const began = performance.now();
      const ended = watch.next(MINUTE);
      await free(cache);
      await ended;
      assertLess(performance.now() - began, SOON, how);
      hangs.open(0);
      await stuck;
      await cache.invalidate("k");
    }
  },

  "Whoever gives up waiting for a loader of this process joins who gave up before": (harness) => herd(harness, true),

  "Whoever gives up waiting for another process joins who gave up before": (harness) => herd(harness, false),

  "waitTimeout bounds the wait where there is no store, too": async (harness) => {
    const flaky = new FlakyStore(await harness.open());
    flaky.down = true;
    for (const store of [flaky, new DisabledStore(await harness.open())]) {
      const cache = new Cache(store);
      const hangs = new Gate<number>();
      const stuck = outcome(cache.getOrSet("a", hangs.load));
      await hangs.started;
      assertEquals(await cache.getOrSet("a", () => 1, { waitTimeout: "20ms" }), 1);
      const load = (keys: readonly string[]) => new Map(keys.map((key) => [key, 2]));
      assertEquals((await cache.getOrSetMany(["a", "b"], load, { waitTimeout: "20ms" })).size, 2);
      hangs.open(0);
      assertEquals(await stuck, "value 0");
    }
  },

  "After a value that could not be stored nobody is served an older one that is of use for errors only": async (
    harness,
  ) => {
    const windows = { ttl: 10, staleIfError: 60 };
    const { cache } = await openOnHarness(harness, { ...windows, maxBytes: 100 });
    const { cache: other } = await openOnHarness(harness, windows);
    for (const [i, unstorable] of ["x".repeat(200), () => 1].entries()) {
      const key = `k${i}`;
      await cache.set(key, "old");
      await harness.advance(20_000);
      assertEquals(await cache.getOrSet<unknown>(key, () => unstorable), unstorable);
      assertEquals(await other.getOrSet(key, () => "new"), "new");
    }
  },

  "What a loader has started and not awaited does not wait for it once the loader has ended": async (harness) => {
    const events = new Events();
    const flaky = new FlakyStore(await harness.open());
    const cache = new Cache(flaky, {}, events.on);
    const ended = Promise.withResolvers<void>();
    let inner: Promise<string> | undefined;
    const outer = cache.getOrSet("a", () => {
      inner = ended.promise.then(() => outcome(cache.getOrSet("a", () => 2)));
      flaky.delay = 50; // the write that comes of this
      return 1;
    });
    await until(() => inner !== undefined, "the loader has run");
    await pause(5);
    ended.resolve();
    assertEquals([await outer, await inner!], [1, "value 1"]);
    assert(events.count("cache.load_error") === 0);
  },
};

Deno.test("Waits for loaders end, on the embedded store", async (t) => {
  await runCases(t, CASES, () => new MemoryHarness());
});

Deno.test("Waits for loaders end, on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, CASES, () => new RedisHarness(server));
});
