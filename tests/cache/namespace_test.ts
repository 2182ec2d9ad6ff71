import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import { UnavailableError } from "../../src/errors.ts";
import { Gate, openOnHarness, outcome } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { openCache, untilCopied } from "../support/open_cache.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

async function names(cache: Cache): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of cache.inspect()) found.push(key);
  return found.sort();
}

const namespace: Readonly<Record<string, Case>> = {
  "A namespace has keys, tags, patterns and a clear() of its own": async (harness) => {
    const { cache } = await openOnHarness(harness);
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
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    assertStrictEquals(one.cache.namespace("v2"), one.cache.namespace("v2"));
    await one.cache.namespace("v2").set("a", 1);
    assertEquals([await two.cache.namespace("v2").get("a"), await two.cache.get("a")], [1, undefined]);
    await two.cache.namespace("v2").invalidate("a");
    assertEquals(await one.cache.namespace("v2").get("a"), undefined);
  },

  "A namespace loads once for all processes, apart from what is loaded beside it": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
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
    const { cache, events } = await openOnHarness(harness, { ttl: 20, maxKeyBytes: 5 });
    const v2 = cache.namespace("v2");
    await v2.set("a", 1);
    assert((await v2.ttl("a"))! <= 20);
    await assertRejects(() => v2.get("too long"), RangeError);
    assertEquals(await v2.get("a"), 1);
    assertEquals(events.of("cache.hit").length, 1);
    assertEquals([cache.stats().hits, v2.stats().hits], [0, 1]);
  },

  "Moving to another shape of values needs no cold start": async (harness) => {
    const { cache } = await openOnHarness(harness);
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
    const { cache } = await openOnHarness(harness);
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

  "Dots in a name nest: it is one cache however it was reached": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const inner = one.cache.namespace("a").namespace("b").namespace("c");
    for (const same of [one.cache.namespace("a.b.c"), one.cache.namespace("a.b").namespace("c")]) {
      assertStrictEquals(same, inner);
    }
    await inner.set("key", 1);
    assertEquals(await two.cache.namespace("a").namespace("b.c").get("key"), 1);
    const gate = new Gate<number>();
    const loads = [inner, one.cache.namespace("a").namespace("b.c")].map((cache) => cache.getOrSet("cold", gate.load));
    await gate.started;
    gate.open(2);
    assertEquals([await Promise.all(loads), gate.calls], [[2, 2], 1]);
    await two.cache.namespace("a.b").clear();
    assertEquals(await inner.get("key"), 1, "the one above is another");
    await two.cache.namespace("a.b").namespace("c").clear();
    assertEquals(await inner.get("key"), undefined);
  },

  "namespaces() lists those that hold something, whoever filled them": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    assertEquals(await one.cache.namespaces(), []);
    await one.cache.set("a", 1);
    for (const name of ["v2", "tenants.ada", "tenants.bob", "tenants.bob.old", "V._-1"]) {
      await one.cache.namespace(name).set("a", 1);
    }
    assertEquals(await two.cache.namespaces(), ["V._-1", "tenants.ada", "tenants.bob", "tenants.bob.old", "v2"]);
    assertEquals(await two.cache.namespace("tenants").namespaces(), ["ada", "bob", "bob.old"]);
    assertEquals(await two.cache.namespace("v2").namespaces(), []);
    const aborted = AbortSignal.abort(new Error("enough"));
    await assertRejects(() => two.cache.namespaces({ signal: aborted }), Error, "enough");
  },

  "drop() removes one namespace and leaves those with a longer name": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const names = ["v1", "v1.1", "v10", "v2"];
    for (const name of names) await one.cache.namespace(name).set("a", name, { tags: ["t"] });
    await one.cache.set("a", "root");
    for (let i = 0; i < 50; i++) await one.cache.namespace("v1").set(`more:${i}`, i);
    const progress: number[] = [];
    const result = await two.cache.drop("v1", { onProgress: (removed) => progress.push(removed) });
    assertEquals([result, progress.at(-1)], [{ status: "done", removed: 51 }, 51]);
    assertEquals(await one.cache.namespaces(), ["v1.1", "v10", "v2"]);
    assertEquals(await Promise.all(names.map((name) => one.cache.namespace(name).get("a"))), [
      undefined,
      ...names.slice(1),
    ]);
    assertEquals(await one.cache.get("a"), "root");
    assertEquals(await two.cache.drop("never"), { status: "done", removed: 0 });
    // It may be used again, by who knew it before too.
    assertEquals(await one.cache.namespace("v1").set("a", "again", { tags: ["t"] }), true);
    assertEquals(await two.cache.namespace("v1").get("a"), "again");
    await one.cache.namespace("v1").invalidateByTag("t");
    assertEquals(await two.cache.namespace("v1").get("a"), undefined);
    for (const wrong of ["", "a:b", "*", undefined]) {
      await assertRejects(() => one.cache.drop(wrong as string), TypeError, "Cannot drop from the cache: wanted");
    }
    await assertRejects(() => one.cache.drop("v1", { onProgress: 5 as never }), TypeError, "wanted a function");
  },

  "A load that began before its namespace was dropped stores nothing": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<number>();
    const loaded = one.cache.namespace("v1").getOrSet("a", gate.load);
    await gate.started;
    await two.cache.drop("v1");
    gate.open(1);
    assertEquals([await loaded, await two.cache.namespace("v1").get("a")], [1, undefined]);
  },

  "A namespace cannot have a name that reaches into another": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const wrong of ["", "a.", ".a", "a..b", "a:b", "a*", "{a}", "a b", "é", "x".repeat(65), 5, undefined, null]) {
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
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await runCases(t, namespace, () => new RedisHarness(server));
});

Deno.test({
  name: "Cache.drop() leaves no key behind, and takes copies in other processes along",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using opened = await openCache(server, { local: true });
    await using other = await openCache(server);
    const v2 = opened.cache.namespace("v2");
    await v2.set("a", 1, { tags: ["t"] });
    await v2.invalidateByTag("other");
    await untilCopied(server, { ...opened, cache: v2 }, "a");
    const held = Promise.withResolvers<void>();
    const loading = other.cache.namespace("v2").getOrSet("leased", () => held.promise);
    await until(async () => (await server.cli("KEYS", "*leased") as string[]).length === 1, "it is leased");
    assertEquals(await other.cache.drop("v2"), { status: "done", removed: 2 });
    assertEquals(await server.cli("KEYS", "*v2*") as string[], []);
    await until(async () => await v2.get("a") === undefined, "the copy is gone");
    held.resolve();
    await loading;
    // 3,000 keys go in several steps.
    const big = other.cache.namespace("big");
    await big.setMany(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i] as const));
    const steps: number[] = [];
    await other.cache.drop("big", { onProgress: (removed) => steps.push(removed) });
    assert(steps.length >= 3 && steps.at(-1) === 3000, String(steps));
    await using hasty = await openCache(server, { commandTimeout: 200 });
    await server.pause();
    assertEquals(await hasty.cache.drop("v2"), { status: "queued" });
    await server.resume();
  },
});

Deno.test({
  name: "A ledger outlives the entries by an hour, counted from the last write, and goes by itself",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using opened = await openCache(server);
    const v2 = opened.cache.namespace("v2");
    const [ledger] = await (async () => {
      await v2.get("a");
      return await server.cli("KEYS", "*v2}:ledger") as string[];
    })();
    const left = async () => Number(await server.cli("PTTL", ledger!)) / 3_600_000;
    const about = async (hours: number, after: string) => {
      const found = await left();
      assert(found > hours - 0.1 && found <= hours, `${found} hours after ${after}`);
    };
    await about(1, "a read");
    await v2.set("a", 1, { ttl: "2h" });
    await about(3, "a write");
    await v2.set("b", 1, { ttl: "1m", staleIfError: "5h" });
    await about(6.02, "a longer one");
    await server.cli("PEXPIRE", ledger!, 3_600_000);
    await v2.set("c", 1, { ttl: "1m" });
    await about(6.02, "a shorter one: others may live as long as the longest");
    await server.cli("PEXPIRE", ledger!, 3_600_000);
    await v2.touch("a", "1m");
    await about(6.02, "touch()");
    await server.cli("PEXPIRE", ledger!, 3_600_000);
    await v2.getOrSet("d", () => 1, { ttl: "1m" });
    await about(6.02, "a load");
    await v2.set("e", 1, { ttl: 0 });
    assertEquals(await server.cli("PTTL", ledger!), -1);
    await v2.clear();
    await about(1, "a new beginning");
    // Whatever is there when it goes is not served, and what comes after is.
    await v2.set("a", 1);
    await server.cli("PEXPIRE", ledger!, 1);
    await until(async () => await server.cli("EXISTS", ledger!) === 0, "it is gone");
    assertEquals(await v2.get("a"), undefined);
    await v2.set("a", 2);
    assertEquals(await v2.get("a"), 2);
  },
});

Deno.test({
  name: "500 namespaces with copies share one subscription and reserve no memory",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using one = await openCache(server, { local: true });
    await using two = await openCache(server);
    // Of this test alone: others run in the same process.
    const memory = () => Deno.memoryUsage().heapUsed + Deno.memoryUsage().external;
    const before = memory();
    const names = Array.from({ length: 500 }, (_, i) => `tenant-${i}`);
    await Promise.all(names.map((name, i) => one.cache.namespace(name).set("a", i)));
    const subscribers = String(await server.cli("CLIENT", "LIST", "TYPE", "pubsub")).trim().split("\n");
    assertEquals(subscribers.length, 1);
    assert(Number(/connected_clients:(\d+)/.exec(String(await server.cli("INFO", "clients")))![1]) <= 5);
    const grown = (memory() - before) / 2 ** 20;
    assert(grown < 64, `${grown} MiB`);
    for (const name of ["tenant-0", "tenant-250", "tenant-499"]) {
      const cache = one.cache.namespace(name);
      await untilCopied(server, { ...one, cache }, "a");
      await two.cache.namespace(name).set("a", "new");
      await until(async () => await cache.get("a") === "new", `${name} has heard of it`);
    }
  },
});

Deno.test({
  name: "Cache.namespace() keeps copies of its own",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using opened = await openCache(server, { local: true });
    await using other = await openCache(server);
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
