import { assert, assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import type { Cache } from "../../src/cache/cache.ts";
import type { Inspected } from "../../src/cache/options.ts";
import { openOnHarness, pause } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

async function all(cache: Cache, pattern?: string): Promise<Map<string, Inspected>> {
  const found = new Map<string, Inspected>();
  for await (const entry of cache.inspect(pattern)) found.set(entry.key, entry);
  return found;
}

const names = async (cache: Cache, pattern?: string): Promise<string[]> =>
  [...(await all(cache, pattern)).keys()].sort();

const inspect: Readonly<Record<string, Case>> = {
  "inspect() shows what can be served, with its age, freshness, tags and size": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", "x".repeat(1000), { ttl: 100, tags: ["t", "u"] });
    await cache.set("ever", 1, { ttl: 0 });
    await harness.advance(30_000);
    const found = await all(cache);
    const { key, ttl, tags, bytes } = found.get("a")!;
    assertEquals([key, tags, found.get("ever")!.ttl, found.get("ever")!.tags], ["a", ["t", "u"], Infinity, []]);
    assert(ttl > 68 && ttl <= 70, `${ttl}`);
    assert(bytes >= 1000 && bytes < 1200, `${bytes}`);
  },

  "inspect() tells ages by the store's clock": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1);
    const { age } = (await all(cache)).get("a")!;
    assert(age >= 0 && age < 5, `${age}`);
  },

  "inspect() follows a pattern": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.setMany({ "user:1": 1, "user:12": 1, "User:1": 1, "post:1": 1, "a*b": 1, "a[b]": 1, "é": 1 });
    assertEquals(await names(cache, "user:*"), ["user:1", "user:12"]);
    assertEquals(await names(cache, "user:?"), ["user:1"]);
    assertEquals(await names(cache, "[uU]ser:1"), ["User:1", "user:1"]);
    assertEquals(await names(cache, "a\\*b"), ["a*b"]);
    assertEquals(await names(cache, "a\\[b\\]"), ["a[b]"]);
    assertEquals(await names(cache, "nothing"), []);
    assertEquals((await names(cache)).length, 7);
  },

  "inspect() shows stale entries without freshness, and nothing that is over or invalidated or only a lease": async (
    harness,
  ) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("stale", 1, { ttl: 10, staleWhileRevalidate: 100 });
    await one.cache.set("fallback", 1, { ttl: 10, staleIfError: 100 });
    await one.cache.set("over", 1, { ttl: 10 });
    await one.cache.set("tagged", 1, { tags: ["t"] });
    await one.cache.set("matched", 1);
    await one.cache.set("removed", 1);
    await harness.advance(20_000);
    await two.cache.set("fresh", 1);
    await two.cache.invalidateByTag("t");
    await two.cache.invalidateByPattern("mat*");
    await two.cache.invalidate("removed");
    const gate = Promise.withResolvers<number>();
    const loading = two.cache.getOrSet("loading", () => gate.promise);
    await pause(5);
    for (const { cache } of [one, two]) assertEquals(await names(cache), ["fallback", "fresh", "stale"]);
    assertEquals((await all(one.cache)).get("stale")!.ttl, 0);
    gate.resolve(1);
    await loading;
    await two.cache.clear();
    assertEquals(await names(one.cache), []);
  },

  "inspect() shows each of many entries once, and can be left at any time": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.setMany(Array.from({ length: 2500 }, (_, i) => [`${i}`, i] as const));
    const seen: string[] = [];
    for await (const { key } of cache.inspect()) seen.push(key);
    assertEquals([seen.length, new Set(seen).size], [2500, 2500]);
    for await (const { key } of cache.inspect("1*")) {
      assert(key.startsWith("1"));
      break;
    }
    assertEquals(await cache.get("1"), 1);
  },

  "inspect() counts as no read and grants no lease": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    await cache.set("a", 1);
    const told = events.all.length;
    await all(cache);
    const { hits, misses, stale } = cache.stats();
    assertEquals([hits, misses, stale, events.all.length], [0, 0, 0, told]);
  },

  "inspect() shows values where they are wanted": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const values = {
      plain: { b: 1, a: [2] },
      date: new Date(0),
      map: new Map([["k", 1n]]),
      nothing: undefined,
      none: null,
    };
    await cache.setMany(values);
    const shown: Record<string, unknown> = {};
    for await (const entry of cache.inspect("*", { values: true })) {
      assertEquals(Object.keys(entry), ["key", "age", "ttl", "tags", "bytes", "value"]);
      shown[entry.key] = entry.value;
    }
    assertEquals(shown, values);
    for await (const entry of cache.inspect()) assertEquals(Object.keys(entry), ["key", "age", "ttl", "tags", "bytes"]);
    const { hits, misses } = cache.stats();
    assertEquals([hits, misses, events.of("cache.hit").length], [0, 0, 0]);
  },

  "inspect() shows no value that does not fit the schema, and tells so": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    await cache.setMany({ a: { n: 1 }, b: { n: "x" } });
    const schema = z.object({ n: z.number() });
    const shown = new Map<string, unknown>();
    for await (const entry of cache.inspect("*", { values: true, schema })) shown.set(entry.key, entry.value?.n);
    assertEquals([shown.size, shown.get("a"), shown.get("b")], [2, 1, undefined]);
    assertEquals(events.of("cache.schema_mismatch").length, 1);
  },

  "inspect() is ended by a signal": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.setMany({ a: 1, b: 2, c: 3 });
    const controller = new AbortController();
    let seen = 0;
    const walk = async () => {
      for await (const _ of cache.inspect("*", { signal: controller.signal })) {
        seen++;
        controller.abort(new Error("enough"));
      }
    };
    await assertRejects(walk, Error, "enough");
    assertEquals(seen, 1);
  },

  "inspect() tells the size of an entry as it is stored, the same on each store": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", "x".repeat(1000), { tags: ["t", "über", "€"] });
    await cache.set("b", 1);
    const found = await all(cache);
    // 68 bytes of header, 2 for the length of each tag; a string has its quotes.
    assertEquals([found.get("a")!.bytes, found.get("b")!.bytes], [68 + (2 + 1) + (2 + 5) + (2 + 3) + 1002, 68 + 1]);
  },

  "inspect() rejects for what is no pattern": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const wrong of ["", 5, "a\nb", "x".repeat(600)]) {
      const error = await cache.inspect(wrong as string).next().then(() => undefined, (error) => error);
      assert(error instanceof TypeError || error instanceof RangeError, `${wrong}`);
    }
    await assertRejects(() => all(cache, ""), RangeError);
  },
};

Deno.test("Cache.inspect() on the embedded store", async (t) => {
  await runCases(t, inspect, () => new MemoryHarness());
});

Deno.test("Cache.inspect() on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, inspect, () => new RedisHarness(server));
});

Deno.test("Cache.inspect() on Redis with several buckets", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, inspect, () => new RedisHarness(server, { buckets: 3 }));
});
