import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import { UnavailableError } from "../../src/errors.ts";
import { Gate, openCache, outcome } from "../contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness, runCases } from "../contract/harness.ts";
import { openCache as openOnServer, untilCopied } from "../support/open_cache.ts";
import { RedisServer } from "../support/redis_server.ts";

async function names(cache: Cache): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of cache.inspect()) found.push(key);
  return found.sort();
}

const namespace: Readonly<Record<string, Case>> = {
  "A namespace has keys, tags, patterns and a clear() of its own": async (harness) => {
    const { cache } = await openCache(harness);
    const [v1, v2] = [cache.namespace("v1"), cache.namespace("v2")];
    const every = [cache, v1, v2];
    const fill = async () => {
      for (const [i, one] of every.entries()) await one.set("a", i, { tags: ["t"] });
    };
    const ways: Record<string, (one: Cache) => Promise<unknown>> = {
      "invalidate()": (one) => one.invalidate("a"),
      "invalidateByTag()": (one) => one.invalidateByTag("t"),
      "invalidateByPattern()": (one) => one.invalidateByPattern("*"),
      "clear()": (one) => one.clear(),
    };
    for (const [name, invalidate] of Object.entries(ways)) {
      for (const [i, one] of every.entries()) {
        await fill();
        await invalidate(one);
        const found = await Promise.all(every.map((other) => other.get("a")));
        assertEquals(found, [0, 1, 2].map((j) => j === i ? undefined : j), `${name} of ${i}`);
      }
    }
    await fill();
    await v1.set("b", 1);
    assertEquals([await names(cache), await names(v1), await names(v2)], [["a"], ["a", "b"], ["a"]]);
  },

  "The same name gives the same cache, and each process the same entries": async (harness) => {
    const [one, two] = [await openCache(harness), await openCache(harness)];
    assertStrictEquals(one.cache.namespace("v2"), one.cache.namespace("v2"));
    await one.cache.namespace("v2").set("a", 1);
    assertEquals([await two.cache.namespace("v2").get("a"), await two.cache.get("a")], [1, undefined]);
    await two.cache.namespace("v2").invalidate("a");
    assertEquals(await one.cache.namespace("v2").get("a"), undefined);
  },

  "A namespace loads once for all processes, apart from what is loaded beside it": async (harness) => {
    const [one, two] = [await openCache(harness), await openCache(harness)];
    const [beside, inside] = [new Gate<number>(), new Gate<number>()];
    const caches = [one, two].map(({ cache }) => cache);
    const values = [
      ...caches.map((cache) => cache.getOrSet("a", beside.load)),
      ...caches.map((cache) => cache.namespace("v2").getOrSet("a", inside.load)),
    ];
    await Promise.all([beside.started, inside.started]);
    beside.open(1);
    inside.open(2);
    assertEquals([await Promise.all(values), beside.calls, inside.calls], [[1, 1, 2, 2], 1, 1]);
  },

  "A namespace has the options of its cache, and tells the same listener": async (harness) => {
    const { cache, events } = await openCache(harness, { ttl: 20, maxKeyBytes: 5 });
    const v2 = cache.namespace("v2");
    await v2.set("a", 1);
    assert((await v2.ttl("a"))! <= 20);
    await assertRejects(() => v2.get("too long"), RangeError);
    assertEquals(await v2.get("a"), 1);
    assertEquals(events.of("cache.hit").length, 1);
    assertEquals([cache.stats().hits, v2.stats().hits], [0, 1]);
  },

  "Moving to another shape of values needs no cold start": async (harness) => {
    const { cache } = await openCache(harness);
    await cache.set("user:1", { name: "Ada Lovelace" });
    const v2 = cache.namespace("v2");
    let asked = 0;
    const load = async () => {
      const old = await cache.get<{ name: string }>("user:1");
      if (!old) asked++;
      const [first, last] = (old?.name ?? "Grace Hopper").split(" ");
      return { first, last };
    };
    assertEquals([await v2.getOrSet("user:1", load), asked], [{ first: "Ada", last: "Lovelace" }, 0]);
    await Promise.all([cache.invalidate("user:1"), v2.invalidate("user:1")]);
    assertEquals([await v2.getOrSet("user:1", load), asked], [{ first: "Grace", last: "Hopper" }, 1]);
  },

  "Namespaces nest, and are closed with their cache": async (harness) => {
    const { cache } = await openCache(harness);
    const inner = cache.namespace("v2").namespace("de");
    await inner.set("a", 1);
    assertEquals([await inner.get("a"), await cache.namespace("v2").get("a")], [1, undefined]);
    const gate = new Gate<number>();
    let aborted = 0;
    const loads = [cache, cache.namespace("v2"), inner].map((one) =>
      outcome(one.getOrSet("slow", async ({ signal }) => {
        signal.addEventListener("abort", () => aborted++);
        return await gate.load();
      }))
    );
    await gate.started;
    while (gate.calls < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    await cache[Symbol.asyncDispose]();
    assertEquals(aborted, 3);
    gate.open(1);
    await Promise.all(loads);
    for (const one of [cache, cache.namespace("v2"), inner]) {
      const error = await one.get("a").then(() => undefined, (error) => error);
      assert(error instanceof UnavailableError && error.reason === "closed", `${error}`);
    }
  },

  "A namespace cannot have a name that reaches into another": async (harness) => {
    const { cache } = await openCache(harness);
    for (const wrong of ["", "a:b", "a*", "{a}", "a b", "é", "x".repeat(65), 5, undefined, null]) {
      assertThrows(() => cache.namespace(wrong as string), TypeError, "namespace");
    }
    for (const name of ["v2", "V.2_a-b", "__proto__", "constructor"]) {
      await cache.namespace(name).set("a", name);
      assertEquals([await cache.namespace(name).get("a"), await cache.get("a")], [name, undefined]);
    }
  },
};

Deno.test("Cache.namespace() on the embedded store", async (t) => {
  await runCases(t, namespace, () => new MemoryHarness());
});

Deno.test("Cache.namespace() on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, namespace, () => new RedisHarness(server));
});

Deno.test({
  name: "Cache.namespace() keeps copies of its own",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openOnServer(server, { local: true });
    await using other = await openOnServer(server);
    const { cache } = opened;
    await cache.set("a", 1);
    await cache.namespace("v2").set("a", 2);
    await untilCopied(server, opened, "a");
    await untilCopied(server, { ...opened, cache: cache.namespace("v2") }, "a");
    await other.cache.namespace("v2").clear();
    while (await cache.namespace("v2").get("a") !== undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(await cache.get("a"), 1);
  },
});
