import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ManyLoader } from "../../src/cache/load_many.ts";
import { openOnHarness, outcome, pause, Source } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

/** A loader of several that says what it was asked for, and waits until it may answer. */
class ManySource {
  readonly asked: string[][] = [];
  readonly #gate = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<void>();
  readonly open: () => void = () => this.#gate.resolve();

  readonly load: ManyLoader<string> = async (keys) => {
    this.asked.push([...keys].sort());
    this.#started.resolve();
    await this.#gate.promise;
    return new Map(keys.map((key) => [key, `${key}!`]));
  };

  get started(): Promise<void> {
    return this.#started.promise;
  }
}

const named = (...keys: string[]): Map<string, string> => new Map(keys.map((key) => [key, `${key}!`]));

const many: Readonly<Record<string, Case>> = {
  "getOrSetMany() gives the loader only what is missing, all at once": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.setMany({ b: "b!", d: "d!" });
    const source = new ManySource();
    source.open();
    assertEquals(await cache.getOrSetMany(["a", "b", "c", "d", "a"], source.load), named("a", "b", "c", "d"));
    assertEquals(source.asked, [["a", "c"]]);
    assertEquals(await cache.getOrSetMany(["c", "b", "a"], source.load), named("c", "b", "a"));
    assertEquals([source.asked.length, await cache.get("a")], [1, "a!"]);
  },

  "getOrSetMany() loads a thousand keys with one call": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new ManySource();
    source.open();
    const keys = Array.from({ length: 1500 }, (_, i) => `${i}`);
    assertEquals((await cache.getOrSetMany(keys, source.load)).size, 1500);
    assertEquals(source.asked.map(({ length }) => length), [1500]);
    assertEquals((await cache.getMany(keys)).size, 1500);
  },

  "getOrSetMany() of nothing asks nobody": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new ManySource();
    assertEquals([await cache.getOrSetMany([], source.load), source.asked], [new Map(), []]);
  },

  "getOrSetMany() takes an object, and what is not in it is absent and loaded anew": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let calls = 0;
    const load = () => (calls++, { a: null, extra: 1, undefined: undefined });
    assertEquals([...await cache.getOrSetMany<unknown>(["a", "b", "undefined"], load)], [["a", null]]);
    assertEquals([await cache.get("a"), await cache.has("undefined"), await cache.has("extra")], [null, false, false]);
    await cache.getOrSetMany<unknown>(["a", "b"], load);
    assertEquals(calls, 2);
  },

  "getOrSetMany() with a loader that gives something else rejects, and holds up nobody": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    for (const wrong of [undefined, null, "a", ["a"], 5]) {
      await assertRejects(
        () => one.cache.getOrSetMany(["a", "b"], () => wrong as unknown as Map<string, string>),
        TypeError,
        "wanted a Map or an object",
      );
      assertEquals(await two.cache.getOrSetMany(["a", "b"], () => ({ a: 1, b: 2 })), new Map([["a", 1], ["b", 2]]));
      await two.cache.clear();
    }
  },

  "cachified: batches that overlap, in both directions and with single reads, wait for nobody who waits for them":
    async (harness) => {
      const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
      const first = new ManySource();
      const second = new ManySource();
      const keys = ["a", "b", "c", "d"];
      const waits = [
        one.cache.getOrSetMany(["a", "b"], first.load),
        one.cache.getOrSetMany(["b", "c"], first.load),
        two.cache.getOrSetMany(["c", "d", "b"], second.load),
        two.cache.getOrSetMany(["d", "a"], second.load),
        one.cache.getOrSetMany(["d", "c", "b", "a"], first.load),
      ];
      await Promise.race([first.started, second.started]);
      await pause(20);
      first.open();
      second.open();
      const found = await Promise.all(waits);
      assertEquals(found, [
        named("a", "b"),
        named("b", "c"),
        named("c", "d", "b"),
        named("d", "a"),
        named(...keys.reverse()),
      ]);
      const asked = [...first.asked, ...second.asked].flat().sort();
      assertEquals(asked, ["a", "b", "c", "d"]);
    },

  "getOrSetMany() and getOrSet() share what the other loads": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new ManySource();
    const batch = cache.getOrSetMany(["a", "b"], source.load);
    await source.started;
    const never = () => Promise.reject(new Error("loaded twice"));
    const single = cache.getOrSet<string>("a", never);
    const gate = Promise.withResolvers<string>();
    const other = cache.getOrSet("c", () => gate.promise);
    const wider = cache.getOrSetMany(["b", "c", "d"], source.load);
    await pause(10);
    source.open();
    gate.resolve("c!");
    assertEquals([await batch, await single, await other], [named("a", "b"), "a!", "c!"]);
    assertEquals(await wider, named("b", "c", "d"));
    assertEquals(source.asked, [["a", "b"], ["d"]]);
  },

  "A key that a batch does not find is loaded by whoever asks for it alone": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = Promise.withResolvers<Map<string, string>>();
    const started = Promise.withResolvers<void>();
    const batch = one.cache.getOrSetMany(["a", "b"], () => (started.resolve(), gate.promise));
    await started.promise;
    const alone = [one, two].map(({ cache }) => cache.getOrSet("a", () => "alone"));
    const batches = [one, two].map(({ cache }) => cache.getOrSetMany<string>(["a"], () => new Map()));
    await pause(10);
    gate.resolve(named("b"));
    assertEquals(await batch, named("b"));
    assertEquals(await Promise.all(alone), ["alone", "alone"]);
    for (const found of await Promise.all(batches)) assert(found.size === 0 || found.get("a") === "alone");
    assertEquals(await two.cache.get("b"), "b!");
  },

  "A batch that fails rejects for all who share it, is not kept, and holds up nobody": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    let calls = 0;
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<never>();
    const fail = () => (calls++, started.resolve(), gate.promise);
    const waits = [outcome(one.cache.getOrSetMany(["a", "b"], fail)), outcome(one.cache.getOrSetMany(["b"], fail))];
    await started.promise;
    await until(() => one.cache.stats().misses === 3, "both have looked");
    await pause(5);
    gate.reject(new Error("down"));
    assertEquals([await Promise.all(waits), calls], [["error: down", "error: down"], 1]);
    assertEquals(await two.cache.getOrSetMany(["a", "b"], () => ({ a: 1, b: 2 })), new Map([["a", 1], ["b", 2]]));
  },

  "getOrSetMany() serves what is stale and refreshes it, serves what is older when the loader fails": async (
    harness,
  ) => {
    const options = { ttl: 10, staleWhileRevalidate: 10, staleIfError: 100 };
    const { cache, events } = await openOnHarness(harness, options);
    await cache.set("old", 1);
    await harness.advance(8000);
    await cache.set("stale", 1);
    await harness.advance(15_000);
    const source = new Source();
    source.down = true;
    const load = () => Promise.reject(new Error("down"));
    assertEquals(await cache.getOrSetMany(["old", "stale"], load), new Map([["old", 1], ["stale", 1]]));
    await events.until("cache.load_error", 2);
    await harness.advance(2000); // after the pause
    const again = () => ({ old: 2, stale: 2 });
    assertEquals(await cache.getOrSetMany(["old", "stale"], again), new Map([["old", 2], ["stale", 1]]));
    await events.until("cache.load", 2);
    assertEquals(await cache.getMany(["old", "stale"]), new Map([["old", 2], ["stale", 2]]));
  },

  "getOrSetMany() gives each value its own tags and ttl": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.getOrSetMany(["a", "b"], () => ({ a: 1, b: 2 }), {
      tags: (value, key) => [`value:${value}`, `key:${key}`],
      ttl: (value) => value * 100,
    });
    assertEquals((await cache.lookup("b")).tags, ["value:2", "key:b"]);
    assert((await cache.ttl("a"))! <= 100 && (await cache.ttl("b"))! > 100);
    await cache.invalidateByTag("key:a");
    assertEquals(await cache.getMany(["a", "b"]), new Map([["b", 2]]));
  },

  "An invalidation during a batch hides what it loaded before, of those keys only": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const source = new ManySource();
    const batch = one.cache.getOrSetMany(["a", "b", "c"], source.load, { tags: (_, key) => [key] });
    await source.started;
    await two.cache.invalidate("a");
    await two.cache.invalidateByTag("b");
    source.open();
    assertEquals(await batch, named("a", "b", "c")); // these callers came before
    assertEquals(await two.cache.getMany(["a", "b", "c"]), named("c"));
    assertEquals(one.cache.stats().refused, 2);
  },

  "A batch may ask for further batches": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const load: ManyLoader<string> = async (keys) => {
      const parents = keys.filter((key) => key.length < 4).map((key) => `${key}x`);
      if (parents.length > 0) await cache.getOrSetMany(parents, load);
      return named(...keys);
    };
    assertEquals(await cache.getOrSetMany(["a", "b"], load), named("a", "b"));
    assertEquals(await cache.get("bxxx"), "bxxx!");
  },

  "getOrSetMany() with a signal ends for its caller only": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new ManySource();
    const abort = new AbortController();
    const given = outcome(cache.getOrSetMany(["a", "b"], source.load, { signal: abort.signal }));
    await source.started;
    const other = cache.getOrSetMany(["a", "b"], source.load);
    abort.abort(new Error("enough"));
    assertEquals(await given, "error: enough");
    source.open();
    assertEquals([await other, source.asked], [named("a", "b"), [["a", "b"]]]);
  },

  "getOrSetMany() rejects for wrong arguments before it reads": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const load = () => new Map<string, string>();
    await assertRejects(() => cache.getOrSetMany("a", load), TypeError, "several keys");
    await assertRejects(() => cache.getOrSetMany(["a", ""], load), RangeError, "key");
    await assertRejects(() => cache.getOrSetMany(["a"], undefined as unknown as typeof load), TypeError, "loader");
    await assertRejects(() => cache.getOrSetMany(["a"], load, { ttl: -1 }), RangeError, "ttl");
    await assertRejects(() => cache.getOrSetMany(["a"], load, { schema: {} as never }), TypeError, "schema");
    assertEquals(cache.stats().misses, 0);
  },
};

Deno.test("Cache.getOrSetMany() on the embedded store", async (t) => {
  await runCases(t, many, () => new MemoryHarness());
});

Deno.test("Cache.getOrSetMany() on Redis", async (t) => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await runCases(t, many, () => new RedisHarness(server));
});

Deno.test("Cache.getOrSetMany() on Redis with several buckets", async (t) => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await runCases(t, many, () => new RedisHarness(server, { buckets: 3 }));
});
