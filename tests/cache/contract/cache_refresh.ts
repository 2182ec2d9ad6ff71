import { assert, assertEquals, assertRejects } from "@std/assert";
import type { LoaderContext } from "../../../src/cache/options.ts";
import type { Case } from "./harness.ts";
import { Gate, openOnHarness, outcome, pause, Source } from "./cache_tools.ts";
import { WITH_LOCAL } from "../../support/contract_target.ts";

/** Fresh for 10 s, stale for 20 s more, a fallback for 60 s beyond its freshness. */
const WINDOWS = { ttl: 10, staleWhileRevalidate: 20, staleIfError: 60 };
const STALE = 15_000;
const EXPIRED = 40_000;

export const cacheRefresh: Readonly<Record<string, Case>> = {
  "A stale value is served at once while one caller in all processes refreshes it": async (harness) => {
    const caches = [await openOnHarness(harness, WINDOWS), await openOnHarness(harness, WINDOWS)];
    const { cache, events } = caches[0]!;
    const source = new Source();
    assertEquals(await cache.getOrSet("a", source.load), 1);
    await harness.advance(STALE);
    const gate = new Gate<number>();
    const load = async () => {
      await gate.load();
      return source.load();
    };
    const get = (i: number) => caches[i % 2]!.cache.getOrSet("a", load);
    assertEquals(new Set(await Promise.all(Array.from({ length: 100 }, (_, i) => get(i)))), new Set([1]));
    assertEquals([await get(0), await get(1), gate.calls], [1, 1, 1]);
    gate.open(0);
    const loaders = () =>
      caches.flatMap(({ events }) => events.of("cache.load")).filter(({ background }) => background);
    await Promise.race(caches.map(({ events }, i) => events.until("cache.load", i === 0 ? 2 : 1)));
    assertEquals([await get(0), await get(1), gate.calls, loaders().length], [2, 2, 1, 1]);
    assertEquals((await cache.lookup("a")).status, "hit");
    assert(events.of("cache.hit").some(({ stale }) => stale));
  },

  "A value that is stale too long is loaded while callers wait": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 20 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    await harness.advance(EXPIRED);
    assertEquals(await cache.getOrSet("a", source.load), 2);
  },

  "A refresh that fails leaves the value, and nobody tries again for a while": async (harness) => {
    const caches = [await openOnHarness(harness, { ...WINDOWS, retryAfter: 4 }), await openOnHarness(harness, WINDOWS)];
    const { cache, events } = caches[0]!;
    const source = new Source();
    await cache.getOrSet("a", source.load);
    await harness.advance(STALE);
    source.down = true;
    const get = (i: number) => caches[i]!.cache.getOrSet("a", source.load);
    assertEquals(await get(0), 1);
    await events.until("cache.load_error", 1);
    for (const i of [0, 1, 0, 1]) assertEquals(await get(i), 1);
    await harness.advance(3000);
    for (const i of [0, 1]) assertEquals(await get(i), 1);
    assertEquals(source.calls, 2);
    await harness.advance(1500);
    assertEquals(await get(0), 1);
    await events.until("cache.load_error", 2);
    assertEquals(source.calls, 3);
    assertEquals(events.of("cache.load_error").map(({ fallback, background }) => [fallback, background]), [
      [true, true],
      [true, true],
    ]);
    source.down = false;
    await harness.advance(4500);
    assertEquals(await get(0), 1);
    await events.until("cache.load", 2);
    assertEquals(await get(1), 2);
  },

  "An older value is served when the loader fails, until its time is over": async (harness) => {
    const caches = [await openOnHarness(harness, { ...WINDOWS, retryAfter: 4 }), await openOnHarness(harness, WINDOWS)];
    const source = new Source();
    const get = (i: number) => outcome(caches[i]!.cache.getOrSet("a", source.load));
    assertEquals(await get(0), "value 1");
    await harness.advance(EXPIRED);
    source.down = true;
    assertEquals(await Promise.all([0, 1, 0, 1].map(get)), Array(4).fill("value 1"));
    assertEquals(source.calls, 2);
    await harness.advance(5000);
    assertEquals(await Promise.all([0, 1, 0, 1].map(get)), Array(4).fill("value 1"));
    assertEquals(source.calls, 3);
    await harness.advance(20_000);
    assertEquals(await get(0), "value 1");
    await harness.advance(6000); // 71 s
    assertEquals(await Promise.all([0, 1].map(get)), Array(2).fill("error: the source is down"));
    source.down = false;
    assertEquals(await get(1), "value 2");
  },

  "Failures do not make a value last longer": async (harness) => {
    const { cache } = await openOnHarness(harness, { ...WINDOWS, retryAfter: 1 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    source.down = true;
    const outcomes: string[] = [];
    for (let seconds = 7; seconds < 90; seconds += 7) {
      await harness.advance(7000);
      outcomes.push(await outcome(cache.getOrSet("a", source.load)));
      await cache.get("other");
    }
    const last = Math.floor(70 / 7) - 1;
    assertEquals(outcomes.slice(0, last), Array(last).fill("value 1"));
    assertEquals(outcomes.slice(last + 1), Array(outcomes.length - last - 1).fill("error: the source is down"));
  },

  "A loader that fails is tried again at once where nothing older can be served": async (harness) => {
    const { cache } = await openOnHarness(harness, { retryAfter: 60 });
    const source = new Source();
    source.down = true;
    for (let i = 1; i <= 3; i++) {
      assertEquals(await outcome(cache.getOrSet("a", source.load)), "error: the source is down");
      assertEquals(source.calls, i);
    }
  },

  "With a `timeout`, callers are given the older value, and the loader goes on": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...WINDOWS, timeout: "30ms" });
    const other = await openOnHarness(harness, { ...WINDOWS, timeout: "30ms" });
    await cache.set("a", 1);
    await harness.advance(EXPIRED);
    const gate = new Gate<number>();
    const callers = [cache, cache, other.cache, other.cache].map((by) => by.getOrSet("a", gate.load));
    assertEquals(await Promise.all(callers), [1, 1, 1, 1]);
    gate.open(2);
    // Either of them may have been the first.
    await Promise.race([events, other.events].map((events) => events.until("cache.load", 1)));
    assertEquals([await cache.get("a"), gate.calls], [2, 1]);
  },

  "`refreshAhead` refreshes what is about to end, once, while it is served": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 100, refreshAhead: 20 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    await harness.advance(70_000);
    assertEquals(await cache.getOrSet("a", source.load), 1);
    await pause(5);
    assertEquals(source.calls, 1);
    await harness.advance(15_000);
    const values = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet("a", source.load)));
    assertEquals(new Set(values), new Set([1]));
    await events.until("cache.load", 2);
    await pause(5);
    assertEquals([source.calls, await cache.getOrSet("a", source.load)], [2, 2]);
  },

  "`beta` refreshes what took long to load before it ends": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, beta: 1e6 });
    const slow = async () => (await pause(20), source.load());
    const source = new Source();
    await cache.getOrSet("a", slow);
    assertEquals(await cache.getOrSet("a", slow), 1);
    await events.until("cache.load", 2);
    assertEquals(await cache.get("a"), 2);
  },

  "The ttl may depend on the value": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 100 });
    const ttl = (value: number | null) => value === null ? 5 : "1h";
    assertEquals(await cache.getOrSet("none", () => null, { ttl }), null);
    assertEquals(await cache.getOrSet("some", () => 1, { ttl }), 1);
    await harness.advance(10_000);
    assertEquals([await cache.has("none"), await cache.has("some")], [false, true]);
    assert((await cache.ttl("some"))! > 3500);
  },

  "A loader is given the key, the previous value and a signal": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    const given: unknown[] = [];
    const load = ({ key, stale, signal }: LoaderContext<{ n: number }>) => {
      given.push([key, stale, signal.aborted]);
      return { n: given.length };
    };
    await cache.getOrSet("a", load);
    await harness.advance(STALE);
    assertEquals(await cache.getOrSet("a", load), { n: 1 });
    await events.until("cache.load", 2);
    await harness.advance(EXPIRED);
    assertEquals(await cache.getOrSet("a", load), { n: 3 });
    await cache.invalidate("a");
    await cache.getOrSet("a", load);
    assertEquals(given, [
      ["a", undefined, false],
      ["a", { n: 1 }, false],
      ["a", { n: 2 }, false],
      ["a", undefined, false],
    ]);
  },

  "A loader is given the previous value of what was invalidated as stale, not of what is gone": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const load = ({ stale }: LoaderContext<string>) => `after ${stale}`;
    const options = { tags: ["t"] };
    await cache.set("a", "first", options);
    await cache.invalidateByTag("t", { mode: "stale" });
    assertEquals(await cache.getOrSet("a", load, options), "first");
    await events.until("cache.load", 1);
    assertEquals(await cache.get("a"), "after first");
    await cache.invalidateByTag("t");
    assertEquals(await cache.getOrSet("a", load, options), "after undefined");
  },

  "notModified() keeps the previous value and makes it fresh again": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    const value = { at: new Date(0), list: [1n] };
    const load = ({ stale, notModified }: LoaderContext<typeof value>) => stale ? notModified() : value;
    const options = { tags: ["t"] };
    await cache.getOrSet("a", load, options);
    for (const [wait, count] of [[STALE, 2], [EXPIRED, 3]] as const) {
      await harness.advance(wait);
      assertEquals(await cache.getOrSet("a", load, options), value);
      await events.until("cache.load", count);
      assertEquals(await cache.get("a"), value);
      assertEquals((await cache.lookup("a")).tags, ["t"]);
    }
    const { message } = await assertRejects(
      () => cache.getOrSet("b", ({ notModified }) => notModified()),
      TypeError,
    );
    assertEquals(message, 'Cannot keep "b": wanted a previous value, got none');
  },

  "What callers do to a value does not reach the loader, nor the cache through it": async (harness) => {
    for (const wait of [STALE, EXPIRED]) {
      const { cache, events } = await openOnHarness(harness, {
        ...WINDOWS,
        timeout: "20ms",
        ...(WITH_LOCAL && { local: { protect: "clone" } }), // else nobody can change what he is given
      });
      await cache.set("a", { list: [1] });
      await harness.advance(wait);
      const gate = new Gate<void>();
      const load = async ({ notModified }: LoaderContext<{ list: number[] }>) => {
        await gate.load();
        return notModified();
      };
      const value = await cache.getOrSet("a", load);
      value.list.push(2);
      gate.open();
      await events.until("cache.load", 1);
      assertEquals(await cache.get("a"), { list: [1] });
    }
  },

  "skip() gives a value without storing it, to all who wait": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const load = async ({ skip }: LoaderContext<number>) => skip(await gate.load());
    const callers = [cache.getOrSet("a", load), cache.getOrSet("a", load)];
    await gate.started;
    gate.open(1);
    assertEquals(await Promise.all(callers), [1, 1]);
    assertEquals([gate.calls, await cache.has("a")], [1, false]);
    assertEquals(events.of("cache.load").map(({ stored }) => stored), [false]);
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },

  "skip() leaves the previous value as it was": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", 1);
    await harness.advance(STALE);
    assertEquals(await cache.getOrSet("a", ({ skip }) => skip(2)), 1);
    await events.until("cache.load", 1);
    assertEquals((await cache.lookup("a")).value, 1);
    await harness.advance(EXPIRED - STALE);
    assertEquals(await cache.getOrSet("a", ({ skip }) => skip(3)), 3);
    assertEquals((await cache.lookup("a")).value, 1);
  },

  "setTtl() and setTags() are about this value": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 1000 });
    const load = (ctx: LoaderContext<string>) => {
      ctx.setTtl("10s");
      ctx.setTags(["mine", "mine", "own"]);
      return "value";
    };
    await cache.getOrSet("a", load, { tags: ["options"] });
    assertEquals((await cache.lookup("a")).tags, ["mine", "own"]);
    assert((await cache.ttl("a"))! <= 10);
    await cache.invalidateByTag("options");
    assertEquals(await cache.get("a"), "value");
    await cache.invalidateByTag("own");
    assertEquals(await cache.get("a"), undefined);
    await cache.getOrSet("b", ({ setTtl }) => (setTtl(0), 1), { ttl: () => 5 });
    assertEquals(await cache.ttl("b"), Infinity);
  },

  "Tags may depend on the value and the key": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const options = { tags: (value: { org: number }, key: string) => [`org:${value.org}`, `key:${key}`] };
    await cache.getOrSet("a", () => ({ org: 7 }), options);
    assertEquals((await cache.lookup("a")).tags, ["org:7", "key:a"]);
    await cache.invalidateByTag("org:8");
    assertEquals(await cache.get("a"), { org: 7 });
    await cache.invalidateByTag("org:7");
    assertEquals(await cache.get("a"), undefined);
  },

  "Without staleWhileRevalidate and with a ttl of 0, nothing is ever refreshed": async (harness) => {
    const { cache } = await openOnHarness(harness, { staleWhileRevalidate: 10, staleIfError: 10, jitter: 1 });
    const source = new Source();
    await cache.getOrSet("a", source.load, { ttl: 0 });
    await harness.advance(1e12);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [1, 1]);
  },

  "touch() during a refresh loses neither": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", 1);
    await harness.advance(STALE);
    const gate = new Gate<number>();
    assertEquals(await cache.getOrSet("a", gate.load), 1);
    assertEquals(await cache.touch("a", 1000), true);
    assertEquals(await cache.getOrSet("a", gate.load), 1);
    gate.open(2);
    await events.until("cache.load", 1);
    assertEquals([await cache.get("a"), gate.calls], [2, 1]);
    assertEquals(events.of("cache.load")[0]!.stored, true);
  },

  "The age of a loaded value counts from when its loader began": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.getOrSet("a", async () => {
      await pause(30);
      await harness.advance(3000);
      return 1;
    });
    // Redis has a clock of its own, which does not advance.
    assert((await cache.lookup("a")).age >= (harness.kind === "memory" ? 3 : 0.025));
  },
};
