/**
 * What users of other libraries have reported about loads, tried here. `tests/cache/README.md` has the reports.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import { runCases } from "../../support/run_cases.ts";
import { until } from "../../support/until.ts";
import { Gate, openOnHarness, outcome, pause } from "../contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "../contract/harness.ts";

const AHEAD = { ttl: 100, refreshAhead: 50 };
const WINDOWS = { ttl: 10, staleWhileRevalidate: 60 };

const CASES: Readonly<Record<string, Case>> = {
  "FusionCache 647: a loader that throws at once in an early refresh holds nobody up": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    await cache.set("a", 1, 100);
    await harness.advance(60_000);
    const fail = (): number => {
      throw new Error("no");
    };
    assertEquals(await cache.getOrSet("a", fail, AHEAD), 1);
    await events.until("cache.load_error", 1);
    await cache.invalidate("a");
    assertEquals(await cache.getOrSet("a", () => 2, AHEAD), 2);
  },

  "FusionCache 218: a caller who goes away during an early refresh leaves nothing behind": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1, 100);
    await harness.advance(60_000);
    const gate = new Gate<number>();
    const abort = new AbortController();
    const options = { ...AHEAD, lease: "10m" } as const;
    assertEquals(await cache.getOrSet("a", gate.load, { ...options, signal: abort.signal }), 1);
    await gate.started;
    abort.abort();
    await pause(20); // the lease was extended
    await harness.advance(60_000); // what was fresh is over
    const next = cache.getOrSet("a", () => 3, options);
    await pause(20);
    gate.open(2);
    assertEquals(await next, 2);
  },

  "FusionCache 651: an early refresh of another process is not made again": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", 1, 100);
    await harness.advance(60_000);
    let loads = 0;
    const load = () => ++loads + 1;
    assertEquals(await one.cache.getOrSet("a", load, AHEAD), 1);
    await until(async () => await one.cache.get("a") === 2, "it is refreshed");
    assertEquals([await two.cache.getOrSet("a", load, AHEAD), loads], [2, 1]);
  },

  "FusionCache 644: a value that is not to be stored gives the lease back": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    assertEquals(await one.cache.getOrSet("a", ({ skip }) => skip(1)), 1);
    assertEquals(await two.cache.getOrSet("a", () => 2, { waitTimeout: 0 }), 2);
  },

  "bentocache 103: a stale value is served at once, whatever the wait for others": async (harness) => {
    const { cache } = await openOnHarness(harness, { ...WINDOWS, waitTimeout: "1m" });
    await cache.set("a", 1);
    await harness.advance(20_000);
    const gate = new Gate<number>();
    for (let i = 0; i < 5; i++) assertEquals(await cache.getOrSet("a", gate.load), 1);
    assertEquals(gate.calls, 1);
    gate.open(2);
    await until(async () => await cache.get("a") === 2, "it is refreshed");
  },

  "bentocache 115: a refresh behind the scenes is shown the previous value": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", "old");
    await harness.advance(20_000);
    await cache.getOrSet<string>("a", ({ stale }) => `${stale}, and new`);
    await until(async () => await cache.get("a") === "old, and new", "it is refreshed");
  },

  "bentocache 71: what was invalidated by tag is not served within its stale windows": async (harness) => {
    const { cache } = await openOnHarness(harness, { ...WINDOWS, staleIfError: 600 });
    await cache.set("a", 1, { tags: ["t"] });
    await harness.advance(20_000);
    await cache.invalidateByTag("t");
    assertEquals(await outcome(cache.getOrSet("a", () => Promise.reject(new Error("down")))), "error: down");
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },

  "cacheable 619: reads that come while a refresh runs start no other": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1, 100);
    await harness.advance(60_000);
    const gate = new Gate<number>();
    for (let i = 0; i < 20; i++) assertEquals(await cache.getOrSet("a", gate.load, AHEAD), 1);
    await gate.started;
    for (let i = 0; i < 20; i++) assertEquals(await cache.getOrSet("a", gate.load, AHEAD), 1);
    assertEquals(gate.calls, 1);
    gate.open(2);
  },

  "Altinn 4300: a loader that hangs does not keep a key for ever": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const hangs = new Gate<number>();
    assertEquals(
      (await outcome(cache.getOrSet("a", hangs.load, { hardTimeout: "20ms" }))).startsWith("error: "),
      true,
    );
    assertEquals(await cache.getOrSet("a", () => 2, { waitTimeout: "20ms" }), 2);
    assertEquals(await cache.getOrSet("a", () => 3), 2);
    hangs.open(1);
  },

  "nestjs-redisx 2: a value that is refreshed again and again keeps its windows": async (harness) => {
    const { cache } = await openOnHarness(harness); // no windows but those of the call
    let n = 0;
    await cache.getOrSet("a", () => n, WINDOWS);
    for (let round = 1; round <= 3; round++) {
      await harness.advance(20_000);
      assertEquals([await cache.getOrSet("a", () => ++n, WINDOWS), (await cache.lookup("a")).status !== "miss"], [
        round - 1,
        true,
      ]);
      await until(async () => await cache.get("a") === round, "it is refreshed");
    }
  },

  "keyv 1222: clear() leaves the namespaces beside it alone": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.namespace("n").set("a", 1);
    await cache.set("a", 2);
    await cache.clear();
    assertEquals([await cache.get("a"), await cache.namespace("n").get("a")], [undefined, 1]);
  },
};

Deno.test("Reports of other libraries about loads, on the embedded store", async (t) => {
  await runCases(t, CASES, () => new MemoryHarness());
});

Deno.test("Reports of other libraries about loads, on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, CASES, () => new RedisHarness(server));
});
