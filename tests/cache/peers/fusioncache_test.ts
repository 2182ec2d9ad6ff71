import { assertEquals } from "@std/assert";
import { Gate, openOnHarness, outcome, Source } from "../contract/cache_tools.ts";
import { until } from "../../support/until.ts";
import { behaviours, type Cases } from "./peers.ts";

const LIFE = { ttl: 10, staleIfError: 600 };

const cases: Cases = {
  "Other processes see what a loader gives after its caller was given the older value": async (harness) => {
    const [one, two] = [await openOnHarness(harness, LIFE), await openOnHarness(harness, LIFE)];
    await one.cache.set("a", 10);
    assertEquals(await two.cache.get("a"), 10);
    await harness.advance(11_000);
    const gate = new Gate<number>();
    assertEquals(await one.cache.getOrSet("a", gate.load, { timeout: "5ms" }), 10);
    gate.open(30);
    await until(async () => await two.cache.get("a") === 30, "the other process sees the value");
  },

  "A loader that goes on behind the older value does not overwrite what another process set": async (harness) => {
    const [one, two] = [await openOnHarness(harness, LIFE), await openOnHarness(harness, LIFE)];
    await one.cache.set("a", 10);
    await harness.advance(11_000);
    const gate = new Gate<number>();
    assertEquals(await one.cache.getOrSet("a", gate.load, { timeout: "5ms" }), 10);
    await two.cache.set("a", 40);
    gate.open(30);
    await one.events.until("cache.load", 1);
    assertEquals(await Promise.all([one, two].map(({ cache }) => cache.get("a"))), [40, 40]);
    assertEquals(one.cache.stats().refused, 1);
  },

  "A ttl that a loader sets after its caller was given the older value counts": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...LIFE, timeout: 0 });
    await cache.set("a", 1);
    await harness.advance(11_000);
    const gate = new Gate<number>();
    const load = async ({ setTtl }: { setTtl(ttl: number): void }) => {
      const value = await gate.load();
      setTtl(100);
      return value;
    };
    assertEquals(await cache.getOrSet("a", load), 1);
    gate.open(2);
    await events.until("cache.load", 1);
    await harness.advance(90_000);
    assertEquals(await cache.get("a"), 2);
    await harness.advance(11_000);
    assertEquals(await cache.get("a"), undefined);
  },

  "Two processes near the end of a value refresh it once, and neither waits": async (harness) => {
    const options = { ttl: 20, refreshAhead: 10 };
    const [one, two] = [await openOnHarness(harness, options), await openOnHarness(harness, options)];
    await one.cache.set("a", "old");
    for (const { cache } of [one, two]) {
      assertEquals(await cache.getOrSet("a", () => "too early"), "old");
    }
    await harness.advance(11_000);
    const gate = new Gate<string>();
    for (const { cache } of [one, two, one, two]) assertEquals(await cache.getOrSet("a", gate.load), "old");
    await gate.started;
    gate.open("new");
    for (const { cache } of [one, two]) await until(async () => await cache.get("a") === "new", "it is refreshed");
    assertEquals(gate.calls, 1);
  },

  "When a value ends while it is refreshed ahead, callers wait for that refresh": async (harness) => {
    const options = { ttl: 20, refreshAhead: 10, lease: "1h" };
    const [one, two] = [await openOnHarness(harness, options), await openOnHarness(harness, options)];
    await one.cache.set("a", "old");
    await harness.advance(11_000);
    const gate = new Gate<string>();
    assertEquals(await one.cache.getOrSet("a", gate.load), "old");
    await gate.started;
    await harness.advance(10_000);
    assertEquals(await two.cache.get("a"), undefined);
    const waiting = [one, one, two].map(({ cache }) => cache.getOrSet("a", () => "another"));
    await two.cache.get("a");
    gate.open("new");
    assertEquals(await Promise.all(waiting), ["new", "new", "new"]);
  },

  "A caller that goes away does not take the refresh ahead along": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 20, refreshAhead: 10 });
    await cache.set("a", "old");
    await harness.advance(11_000);
    const gate = new Gate<string>();
    const caller = new AbortController();
    assertEquals(await cache.getOrSet("a", gate.load, { signal: caller.signal }), "old");
    await gate.started;
    caller.abort();
    gate.open("new");
    await events.until("cache.load", 1);
    assertEquals(await cache.get("a"), "new");
  },

  "An invalidation while a value is refreshed ahead hides both the old and the new": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 20, refreshAhead: 10 });
    await cache.set("a", "old", { tags: ["t"] });
    await harness.advance(11_000);
    const gate = new Gate<string>();
    assertEquals(await cache.getOrSet("a", gate.load, { tags: ["t"] }), "old");
    await gate.started;
    await cache.invalidateByTag("t");
    gate.open("from before");
    await events.until("cache.load", 1);
    assertEquals([await cache.get("a"), events.of("cache.load")[0]!.stored], [undefined, false]);
  },

  "Tags are those of the newest value, whatever it had before": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const getOrSet = (value: number, tags?: string[]) => one.cache.getOrSet("a", () => value, { tags });
    assertEquals(await getOrSet(1, ["t1", "t2"]), 1);
    await two.cache.invalidateByTag("t1");
    assertEquals(await getOrSet(2, ["t1", "t2", "t3"]), 2);
    await two.cache.invalidateByTag("t3");
    assertEquals(await getOrSet(3, ["t1"]), 3);
    await two.cache.invalidateByTag("t2");
    assertEquals(await getOrSet(4), 3);
    await two.cache.invalidateByTag(["t1", "t2", "t3", "t4"]);
    assertEquals(await getOrSet(5), 5);
    await two.cache.invalidateByTag(["t1", "t2", "t3", "t4"]);
    assertEquals(await two.cache.get("a"), 5);
  },

  "No tag has a meaning of its own": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const tags = ["*", "e", "k", "h:x", "[a-z]*"];
    for (const tag of ["x", ...tags]) await cache.set(tag, 1, { tags: [tag] });
    for (const tag of tags) {
      await cache.invalidateByTag(tag);
      assertEquals(await cache.has(tag), false);
      assertEquals((await cache.getMany(["x", ...tags])).size, tags.length - tags.indexOf(tag));
    }
  },

  "Jitter does not change for how long a loader that failed is left alone": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10, staleIfError: "1h", jitter: 1, retryAfter: 30 });
    const source = new Source();
    assertEquals(await cache.getOrSet("a", source.load), 1);
    await harness.advance(11_000);
    source.down = true;
    assertEquals(await cache.getOrSet("a", source.load), 1);
    source.down = false;
    await harness.advance(29_000);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [1, 2]);
    await harness.advance(1_000);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [2, 3]);
  },

  "get() neither serves what is past its freshness nor prolongs it": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 10, staleIfError: 20 });
    await cache.set("a", 1);
    for (const seconds of [11, 10]) {
      await harness.advance(seconds * 1000);
      assertEquals([await cache.get("a"), await cache.has("a"), await cache.ttl("a")], [undefined, false, undefined]);
      assertEquals((await cache.lookup("a")).status, "stale");
    }
    await harness.advance(9_000);
    assertEquals((await cache.lookup("a")).status, "miss");
  },

  "After clear() a loader that fails has nothing to fall back on, in a process that starts late too": async (
    harness,
  ) => {
    const { cache } = await openOnHarness(harness, LIFE);
    await cache.setMany({ a: 1, b: 2 });
    await harness.advance(11_000);
    await cache.clear();
    const late = await openOnHarness(harness, LIFE);
    const fail = () => Promise.reject(new Error("no"));
    assertEquals(await outcome(late.cache.getOrSet("a", fail)), "error: no");
    assertEquals(await outcome(cache.getOrSet("b", fail)), "error: no");
  },
};

behaviours("FusionCache", cases);
