import { assertEquals } from "@std/assert";
import { z } from "zod";
import { openOnHarness, outcome, Source } from "../contract/cache_tools.ts";
import { behaviours, type Cases } from "./peers.ts";

const cases: Cases = {
  "getOrSetMany() gives nothing for what the loader does not find, rather than an older value": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 60, staleIfError: "1h" });
    await cache.setMany({ gone: "old", here: "old" });
    await harness.advance(61_000);
    const found = await cache.getOrSetMany(["gone", "here"], () => ({ here: "new" }));
    assertEquals(found, new Map([["here", "new"]]));
  },

  "What is invalidated as stale is served until its own time is over, and not longer": async (harness) => {
    for (const staleWhileRevalidate of [0, 30]) {
      const { cache } = await openOnHarness(harness, { ttl: 60, staleWhileRevalidate, retryAfter: 0 });
      const source = new Source();
      assertEquals(await cache.getOrSet("a", source.load, { tags: ["t"] }), 1);
      source.down = true;
      await cache.invalidateByTag("t", { mode: "stale" });
      await harness.advance((59 + staleWhileRevalidate) * 1000);
      assertEquals(await outcome(cache.getOrSet("a", source.load)), "value 1");
      await cache.invalidateByTag("t", { mode: "stale" });
      await harness.advance(1_000);
      assertEquals(await outcome(cache.getOrSet("a", source.load)), "error: the source is down");
      await cache.clear();
    }
  },

  "What lasts for ever is served for ever once it is invalidated as stale, until it is refreshed": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 0, retryAfter: 0 });
    const source = new Source();
    await cache.getOrSet("a", source.load, { tags: ["t"] });
    await cache.invalidateByTag("t", { mode: "stale" });
    await harness.advance(1_000_000_000);
    source.down = true;
    assertEquals(await cache.getOrSet("a", source.load), 1);
    await events.until("cache.load_error", 1);
    source.down = false;
    assertEquals(await cache.getOrSet("a", source.load), 1);
    await events.until("cache.load", 2);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [2, 3]);
  },

  "An invalidation as stale revives nothing that is over": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 10 });
    await cache.set("a", 1, { tags: ["t"] });
    await harness.advance(11_000);
    await cache.invalidateByTag("t", { mode: "stale" });
    assertEquals((await cache.lookup("a")).status, "miss");
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },

  "A value of an older shape is migrated on its way to a new namespace, without the source": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("user:1", { name: "Ada Lovelace" });
    const old = z.object({ name: z.string() }).transform(({ name }) => name.split(" "));
    const v2 = cache.namespace("v2");
    const load = async () => await cache.get("user:1", { schema: old }) ?? ["from", "source"];
    assertEquals(await v2.getOrSet("user:1", load), ["Ada", "Lovelace"]);
    assertEquals(await v2.getOrSet("user:2", load), ["Ada", "Lovelace"]);
    await cache.set("user:1", "in no shape that is known");
    assertEquals(await v2.getOrSet("user:3", load), ["from", "source"]);
  },

  "Many callers of a stale value refresh it once, and the next of them get the new one": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 60 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    await harness.advance(11_000);
    const values = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet("a", source.load)));
    assertEquals(new Set(values), new Set([1]));
    await events.until("cache.load", 2);
    assertEquals([await cache.getOrSet("a", source.load), source.calls], [2, 2]);
  },
};

behaviours("cachified", cases);
