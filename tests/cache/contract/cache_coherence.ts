import { assert, assertEquals } from "@std/assert";
import type { Case } from "./harness.ts";
import { Gate, openOnHarness, outcome, pause } from "./cache_tools.ts";
import { WITH_LOCAL } from "../../support/contract_target.ts";
import { type Kind, KINDS, openTwo } from "./cache_kinds.ts";

const WINDOWS = { ttl: 10, staleWhileRevalidate: 20, staleIfError: 60 };

/** The cases for one way to invalidate. */
function casesOf(name: string, { options, invalidate }: Kind): Readonly<Record<string, Case>> {
  return {
    [`After ${name}, nobody is given what a loader gives that began before`]: async (harness) => {
      for (const by of [0, 1]) {
        const caches = await openTwo(harness);
        const gate = new Gate<string>();
        // Whoever joined this loader, or waited for it, loads anew: what a loader gives that began afterwards is good.
        const load = async () => gate.calls === 0 ? await gate.load() : "again";
        const before = [0, 0, 1].map((i) => caches[i]!.cache.getOrSet("a", load, options));
        await gate.started;
        await caches[by]!.cache.get("warm");
        await invalidate(caches[by]!.cache);
        const after = [0, 1, 1, 0].map((i) => caches[i]!.cache.getOrSet("a", () => `new ${i}`, options));
        await Promise.all(caches.map(({ cache }) => cache.get("warm")));
        gate.open("old");
        const values = new Set(await Promise.all(after));
        assert(!values.has("old") && values.size === 1, [...values].join());
        await Promise.all(before);
        for (const { cache } of caches) assert(values.has(await cache.get("a") as string));
        assertEquals(caches.reduce((sum, { cache }) => sum + cache.stats().refused, 0), 1);
        await caches[0].cache.clear();
      }
    },

    [`After ${name}, what was loaded before is not stored`]: async (harness) => {
      const caches = await openTwo(harness);
      const gate = new Gate<string>();
      const before = caches[0].cache.getOrSet("a", gate.load, options);
      await gate.started;
      await invalidate(caches[1].cache);
      gate.open("old");
      assertEquals(await before, "old");
      for (const { cache } of caches) {
        assertEquals([await cache.get("a"), (await cache.lookup("a")).status], [undefined, "miss"]);
      }
      assertEquals(await caches[0].cache.getOrSet("a", () => "new", options), "new");
    },

    [`After ${name}, what a refresh gives that began before is not stored`]: async (harness) => {
      const caches = await openTwo(harness, WINDOWS);
      const { cache, events } = caches[0];
      await cache.getOrSet("a", () => "first", options);
      await harness.advance(15_000);
      const gate = new Gate<string>();
      assertEquals(await cache.getOrSet("a", gate.load, options), "first");
      await gate.started;
      await invalidate(caches[1].cache);
      const after = caches.map(({ cache }) => cache.getOrSet("a", () => "new", options));
      await caches[0].cache.get("warm");
      gate.open("old");
      assertEquals(await Promise.all(after), ["new", "new"]);
      await events.until("cache.load", 2);
      await pause(2);
      for (const { cache } of caches) assertEquals(await cache.get("a"), "new");
    },

    [`After ${name}, what was there is no fallback for a loader that fails`]: async (harness) => {
      const caches = await openTwo(harness, WINDOWS);
      await caches[0].cache.getOrSet("a", () => "old", options);
      await harness.advance(40_000);
      await invalidate(caches[1].cache);
      const broken = () => Promise.reject(new Error("no"));
      for (const { cache } of caches) assertEquals(await outcome(cache.getOrSet("a", broken, options)), "error: no");
    },

    [`After ${name}, callers do not fall back on what they had not read yet`]: async (harness) => {
      const caches = await openTwo(harness, WINDOWS);
      await caches[0].cache.getOrSet("a", () => "old", options);
      await harness.advance(40_000);
      const gate = new Gate<string>();
      const before = outcome(caches[0].cache.getOrSet("a", gate.load, options));
      await gate.started;
      await invalidate(caches[1].cache);
      const after = outcome(caches[0].cache.getOrSet("a", () => Promise.reject(new Error("new")), options));
      await caches[0].cache.get("warm");
      gate.fail(new Error("old"));
      await before;
      const ended = await after;
      assert(ended === "error: new" || ended === "error: old", ended);
    },

    [`${name} does not reach what is stored after it`]: async (harness) => {
      const caches = await openTwo(harness);
      for (let i = 0; i < 3; i++) {
        await invalidate(caches[i % 2]!.cache);
        assertEquals(await caches[0].cache.getOrSet("a", () => `${i}`, options), `${i}`);
        for (const { cache } of caches) assertEquals(await cache.get("a"), `${i}`);
      }
    },

    [`A read that began before ${name} and one that began after it do not mix`]: async (harness) => {
      const caches = await openTwo(harness);
      for (let i = 0; i < 20; i++) {
        await caches[0].cache.set("a", "old", { tags: ["t"] });
        const before = caches.map(({ cache }) => cache.get("a"));
        const done = invalidate(caches[i % 2]!.cache);
        const during = caches.map(({ cache }) => cache.get("a"));
        await done;
        // With copies, another process may be behind for a second.
        const exact = WITH_LOCAL ? [caches[i % 2]!] : caches;
        const after = await Promise.all(exact.map(({ cache }) => cache.get("a")));
        assertEquals(after, exact.map(() => undefined));
        for (const value of await Promise.all([...before, ...during])) assert(value === "old" || value === undefined);
      }
    },
  };
}

export const cacheCoherence: Readonly<Record<string, Case>> = {
  ...Object.assign({}, ...Object.entries(KINDS).map(([name, kind]) => casesOf(name, kind))),

  "A set beats loaders that began before it, in every process (C3)": async (harness) => {
    for (const by of [0, 1]) {
      const caches = await openTwo(harness);
      const gate = new Gate<string>();
      const before = caches[0].cache.getOrSet("a", gate.load);
      await gate.started;
      await caches[by]!.cache.set("a", "set");
      const after = caches.map(({ cache }) => cache.getOrSet("a", () => "loaded"));
      assertEquals(await Promise.all(after), ["set", "set"]);
      gate.open("old");
      await before;
      for (const { cache } of caches) assertEquals(await cache.get("a"), "set");
      assertEquals(caches[0].cache.stats().refused, 1);
      await caches[0].cache.clear();
    }
  },

  "A set beats a refresh that began before it": async (harness) => {
    const caches = await openTwo(harness, WINDOWS);
    const { cache, events } = caches[0];
    await cache.set("a", "first");
    await harness.advance(15_000);
    const gate = new Gate<string>();
    await cache.getOrSet("a", gate.load);
    await caches[1].cache.set("a", "set");
    gate.open("old");
    await events.until("cache.load", 1);
    assertEquals(events.of("cache.load")[0]!.stored, false);
    for (const { cache } of caches) assertEquals(await cache.get("a"), "set");
  },

  "A refresh that fails after a set pauses nobody": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...WINDOWS, retryAfter: 100 });
    await cache.set("a", "first");
    await harness.advance(15_000);
    const gate = new Gate<string>();
    await cache.getOrSet("a", gate.load);
    await cache.set("a", "set");
    gate.fail(new Error("no"));
    await events.until("cache.load_error", 1);
    await harness.advance(15_000);
    assertEquals(await cache.getOrSet("a", () => "new"), "set");
    await events.until("cache.load", 1);
    assertEquals(await cache.get("a"), "new");
  },

  "An invalidation as stale does not throw away what is being loaded": async (harness) => {
    const caches = await openTwo(harness);
    const options = { tags: ["t"] };
    const gate = new Gate<string>();
    const before = caches[0].cache.getOrSet("a", gate.load, options);
    await gate.started;
    await caches[1].cache.invalidateByTag("t", { mode: "stale" });
    gate.open("old");
    assertEquals(await before, "old");
    assertEquals((await caches[1].cache.lookup("a")).status, "stale");
    assertEquals(await caches[1].cache.getOrSet("a", () => "new", options), "old");
    await caches[1].events.until("cache.load", 1);
    for (const { cache } of caches) assertEquals(await cache.get("a"), "new");
  },

  "InvalidationReplica of other keys and tags disturb no loader": async (harness) => {
    const caches = await openTwo(harness);
    const gate = new Gate<string>();
    const callers = [0, 1, 0].map((i) => caches[i]!.cache.getOrSet("a", gate.load, { tags: ["t"] }));
    await gate.started;
    for (const { cache } of caches) {
      await cache.invalidate("b");
      await cache.invalidateByTag("u");
      await cache.invalidateByPattern("b*");
    }
    callers.push(caches[0].cache.getOrSet("a", gate.load, { tags: ["t"] }));
    gate.open("value");
    assertEquals(new Set(await Promise.all(callers)), new Set(["value"]));
    assertEquals([gate.calls, await caches[1].cache.get("a")], [1, "value"]);
  },
};
