import { assert, assertEquals } from "@std/assert";
import type { LarderEvent } from "../../../src/observe/events.ts";
import { Gate, openOnHarness } from "../contract/cache_tools.ts";
import { openCache, untilCopied } from "../../support/open_cache.ts";
import { until } from "../../support/until.ts";
import { behaviours, type Cases, type RedisCases } from "./peers.ts";

type LoadError = Extract<LarderEvent, { type: "cache.load_error" }>;

const never = (): never => {
  throw new Error("this loader is not to be run");
};

const cases: Cases = {
  "Callers that come one after the other during a slow load are all given the older value": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10, staleIfError: "6h", timeout: "5ms" });
    await cache.set("a", "old");
    await harness.advance(11_000);
    const gate = new Gate<string>();
    for (let i = 0; i < 20; i++) assertEquals(await cache.getOrSet("a", gate.load), "old");
    gate.open("new");
    await until(async () => await cache.get("a") === "new", "the loader's value is stored");
    assertEquals(gate.calls, 1);
  },

  "A refresh in the background keeps nobody waiting, however patient": async (harness) => {
    const caches = [await openOnHarness(harness), await openOnHarness(harness)];
    const life = { ttl: 10, staleWhileRevalidate: "6h" };
    await caches[0]!.cache.set("a", "old", life);
    await harness.advance(11_000);
    const gate = new Gate<string>();
    for (const timeout of [undefined, 0, "5m"]) {
      for (const { cache } of caches) {
        assertEquals(await cache.getOrSet("a", gate.load, { ...life, timeout, lock: timeout !== 0 }), "old");
      }
    }
    assertEquals(gate.calls, 1);
    gate.open("new");
    await until(async () => await caches[1]!.cache.get("a") === "new", "the refresh is stored");
  },

  "Entries with several tags go with the first tag that is invalidated, whoever invalidates": async (harness) => {
    const [one, two, three] = await Promise.all([
      openOnHarness(harness),
      openOnHarness(harness),
      openOnHarness(harness),
    ]);
    const seen = async () => {
      const each = await Promise.all([one, two, three].map(({ cache }) => cache.getMany(["xy", "y", "xz"])));
      const found = each.map((values) => [...values.keys()].join());
      assertEquals(new Set(found).size, 1);
      return found[0];
    };
    await one.cache.set("xy", 1, { tags: ["x", "y"] });
    await two.cache.set("y", 2, { tags: ["y"] });
    await three.cache.getOrSet("xz", ({ setTags }) => (setTags(["x", "z"]), 3));
    assertEquals(await seen(), "xy,y,xz");
    await two.cache.invalidateByTag([]);
    await two.cache.invalidateByTag(["w"]);
    assertEquals(await seen(), "xy,y,xz");
    await three.cache.invalidateByTag(["x", "w"]);
    assertEquals(await seen(), "y");
    assertEquals(await one.cache.getOrSet("xz", () => 33, { tags: ["z"] }), 33);
    assertEquals(await two.cache.getOrSet("xz", never), 33);
    await one.cache.invalidateByTag(["y", "z"]);
    assertEquals(await seen(), "");
  },

  "The same tag in caches beside each other is three tags": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const caches = [cache, cache.namespace("users"), cache.namespace("posts")];
    for (const [i, each] of caches.entries()) await each.set("a", i, { tags: ["x"] });
    const left = async () => (await Promise.all(caches.map((each) => each.has("a")))).join();
    await caches[2]!.invalidateByTag("x");
    assertEquals(await left(), "true,true,false");
    await cache.invalidateByTag("x");
    assertEquals(await left(), "false,true,false");
    await caches[1]!.invalidateByTag("x");
    assertEquals(await left(), "false,false,false");
  },

  "Each operation tells what it did, once": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { staleWhileRevalidate: 60 });
    const told = async (work: Promise<unknown>) => {
      const before = events.all.length;
      await work;
      return events.all.slice(before).filter(({ type }) => type.startsWith("cache.")).map((event) =>
        event.type === "cache.hit"
          ? `hit${event.stale ? " stale" : ""}`
          : event.type === "cache.invalidate"
          ? `${event.by} ${event.what.join("+")} ${event.status}`
          : event.type.slice("cache.".length)
      ).join();
    };
    assertEquals(await told(cache.get("a")), "miss");
    assertEquals(await told(cache.set("a", 1)), "");
    assertEquals(await told(cache.get("a")), "hit");
    assertEquals(await told(cache.getOrSet("a", never)), "hit");
    assertEquals(await told(cache.getOrSet("b", () => 2, { ttl: 10 })), "miss,load");
    await harness.advance(11_000);
    const stale = told(cache.getOrSet("b", () => 3).then(() => events.until("cache.load", 2)));
    assertEquals((await stale).split(",").sort(), ["hit stale", "load"]);
    assertEquals(await told(cache.invalidateMany(["a", "b", "a"])), "key a+b done");
    assertEquals(await told(cache.invalidateByTag(["t", "u"])), "tag t+u done");
    assertEquals(await told(cache.invalidateByPattern("x*")), "pattern x* done");
    assertEquals(await told(cache.clear()), "clear  done");
  },

  "invalidateMany() of nothing is done, and invalidates nothing": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1);
    assertEquals(await cache.invalidateMany([]), { status: "done", removed: 0 });
    assertEquals(await cache.get("a"), 1);
  },

  "A failed refresh in the background is nobody's unhandled rejection, and is told": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleIfError: "6h", timeout: 0 });
    await cache.set("a", "old");
    await harness.advance(11_000);
    const gate = new Gate<string>();
    const unhandled: unknown[] = [];
    const note = (event: PromiseRejectionEvent) => (event.preventDefault(), unhandled.push(event.reason));
    addEventListener("unhandledrejection", note);
    try {
      assertEquals(await cache.getOrSet("a", gate.load), "old");
      gate.fail(new Error("no"));
      await events.until("cache.load_error", 1);
      await new Promise((resolve) => setTimeout(resolve, 0));
      assertEquals(unhandled, []);
    } finally {
      removeEventListener("unhandledrejection", note);
    }
    const [{ key, fallback, error }] = events.of("cache.load_error") as [LoadError];
    assertEquals([key, fallback, (error as Error).message], ["a", true, "no"]);
    assertEquals(await cache.getOrSet("a", never), "old");
  },
};

const redisCases: RedisCases = {
  "Copies in other processes go whatever is in the key": async ({ namespace }, server) => {
    await using one = await openCache(server, { namespace });
    await using two = await openCache(server, { namespace, local: true });
    for (const key of ["ключ:👩‍👩‍👧", "{a}:b", "e", "k", "h:x", " ", "a".repeat(512)]) {
      await one.cache.set(key, "old");
      await untilCopied(server, two, key);
      await one.cache.invalidate(key);
      await until(async () => await two.cache.get(key) === undefined, `the copy of "${key}" is gone`);
    }
  },

  "A null is copied like any other value": async ({ namespace }, server) => {
    await using opened = await openCache(server, { namespace, local: true });
    await opened.cache.set("a", null);
    await untilCopied(server, opened, "a");
    assert(await opened.cache.get("a") === null);
    assert(await opened.cache.getOrSet("a", never) === null);
  },
};

behaviours("bentocache", cases, redisCases);
