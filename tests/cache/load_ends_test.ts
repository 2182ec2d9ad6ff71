import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheOptions, LoaderContext } from "../../src/cache/options.ts";
import { LoaderCycleError, LoaderTimeoutError } from "../../src/errors.ts";
import { FlakyStore } from "../../src/testing/flaky_store.ts";
import { Events, Gate, openOnHarness, outcome, pause } from "./contract/cache_tools.ts";
import { type Case, type Harness, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

/** A wait for a lease that nobody holds takes 10 s; what is not held up takes far less. */
const SOON = 3000;
const WINDOWS = { ttl: 10, staleWhileRevalidate: 20, staleIfError: 60 };
const STALE = 15_000;
const EXPIRED = 40_000;

/** What a call gives, which nothing must hold up. */
async function soon<T>(call: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const value = await call();
  assertLess(performance.now() - began, SOON, "held up");
  return value;
}

/** A cache on a store that can be taken down, and another, as another process has it. */
async function openFlaky(harness: Harness, options: CacheOptions = {}): Promise<{
  store: FlakyStore;
  cache: Cache;
  other: Cache;
  events: Events;
}> {
  const events = new Events();
  const store = new FlakyStore(await harness.open(events.on));
  const other = (await openOnHarness(harness, options)).cache;
  return { store, cache: new Cache(store, options, events.on), other, events };
}

const over: Readonly<Record<string, Case>> = {
  "A load that ends while the store is away holds nobody up once the store is back": async (harness) => {
    const ends: Readonly<Record<string, (context: LoaderContext<unknown>) => unknown>> = {
      value: () => 1,
      null: () => null,
      skip: ({ skip }) => skip(1),
      absent: () => undefined,
      throw: () => {
        throw new Error("no");
      },
    };
    for (const older of [false, true]) {
      for (const [name, end] of Object.entries(ends)) {
        const { store, cache, other } = await openFlaky(harness, WINDOWS);
        const key = `${name} ${older}`;
        if (older) {
          await cache.set(key, "older");
          await harness.advance(EXPIRED);
        }
        const gate = new Gate<void>();
        const first = outcome(cache.getOrSet(key, async (context) => {
          await gate.load();
          return end(context);
        }));
        await gate.started;
        store.down = true;
        gate.open();
        await first;
        store.down = false;
        assertEquals(
          await soon(() => cache.getOrSet(key, () => "again")),
          older && ["value", "null", "throw"].includes(name) ? "older" : "again",
        );
        await soon(() => other.getOrSet(key, () => "again"));
      }
    }
  },

  "A value that the store does not take is given to all, and the lease back": async (harness) => {
    const events = new Events();
    const store = await harness.open(events.on);
    const refusing = new Proxy(store, {
      get(target, property) {
        if (property === "write") return () => Promise.reject(new TypeError("no room"));
        const value = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const cache = new Cache(refusing, {}, events.on);
    const { cache: other } = await openOnHarness(harness);
    for (let i = 1; i <= 3; i++) assertEquals(await soon(() => cache.getOrSet("a", () => i)), i);
    assertEquals(await soon(() => other.getOrSet("a", () => 4)), 4);
    assertEquals(events.of("cache.load").map(({ end }) => end), Array(3).fill("unavailable"));
  },
};

const kept: Readonly<Record<string, Case>> = {
  "notModified() keeps the tags, however they were given": async (harness) => {
    const load = ({ notModified }: LoaderContext<string>) => notModified();
    type Give = (cache: Cache, key: string) => Promise<unknown>;
    const ways: Readonly<Record<string, Give>> = {
      "set()": (cache, key) => cache.set(key, "old", { ...WINDOWS, tags: ["t"] }),
      "setMany()": (cache, key) => cache.setMany({ [key]: "old" }, { ...WINDOWS, tags: ["t"] }),
      options: (cache, key) => cache.getOrSet(key, () => "old", { ...WINDOWS, tags: ["t"] }),
      "a function": (cache, key) => cache.getOrSet(key, () => "old", { ...WINDOWS, tags: () => ["t"] }),
      "setTags()": (cache, key) => cache.getOrSet(key, ({ setTags }) => (setTags(["t"]), "old"), WINDOWS),
      "getOrSetMany()": (cache, key) =>
        cache.getOrSetMany([key], () => ({ [key]: "old" }), { ...WINDOWS, tags: ["t"] }),
      "define()": (cache, key) =>
        cache.define({ name: "def", key: () => key, load: () => "old", ...WINDOWS, tags: ["t"] }).get(0),
    };
    for (const wait of [STALE, EXPIRED]) {
      for (const [name, give] of Object.entries(ways)) {
        const { cache, events } = await openOnHarness(harness, WINDOWS);
        await give(cache, name);
        const key = name === "define()" ? `def:${name}` : name;
        const { tags } = await cache.lookup(key);
        assert(tags.includes("t"), name);
        await harness.advance(wait);
        const loads = events.count("cache.load");
        assertEquals(await cache.getOrSet(key, load, { tags: ["another"] }), "old");
        await events.until("cache.load", loads + 1);
        const { tags: after, status } = await cache.lookup(key);
        assertEquals([after, status], [tags, "hit"], name);
        await cache.invalidateByTag("t");
        assertEquals(await cache.get(key), undefined, name);
      }
    }
  },

  "notModified() with setTags() or setTtl() in the same run takes those": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", "old", { tags: ["t"] });
    await harness.advance(EXPIRED);
    const load = ({ notModified, setTags, setTtl }: LoaderContext<string>) => {
      setTags(["own"]);
      setTtl(1000);
      return notModified();
    };
    assertEquals(await cache.getOrSet("a", load, { tags: ["options"] }), "old");
    const { tags, ttl } = await cache.lookup("a");
    assertEquals(tags, ["own"]);
    assert(ttl > 900);
  },

  "notModified() keeps what is stored, whatever the loader does to the previous value": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", { list: [1] });
    await harness.advance(EXPIRED);
    const load = ({ stale, notModified }: LoaderContext<{ list: number[] }>) => {
      stale!.list.push(2);
      return notModified();
    };
    assertEquals(await cache.getOrSet("a", load), { list: [1] });
    assertEquals(await cache.get("a"), { list: [1] });
  },

  "An invalidation of a tag that a value has, while its loader finds it not modified, is not lost": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", "old", { tags: ["t"] });
    await harness.advance(EXPIRED);
    const gate = new Gate<void>();
    const call = cache.getOrSet("a", async ({ notModified }: LoaderContext<string>) => {
      await gate.load();
      return notModified();
    });
    await gate.started;
    await cache.invalidateByTag("t");
    gate.open();
    assertEquals([await call, await cache.get("a")], ["old", undefined]);
  },
};

const gone: Readonly<Record<string, Case>> = {
  "What the source has no more is gone, in the foreground and in the background, however it is read": async (
    harness,
  ) => {
    type Read = (cache: Cache, key: string) => Promise<unknown>;
    const reads: Readonly<Record<string, Read>> = {
      "getOrSet()": (cache, key) => cache.getOrSet<unknown>(key, () => undefined),
      "getOrSetMany()": (cache, key) => cache.getOrSetMany([key], () => ({})),
      "getOrSetMany() with undefined": (cache, key) => cache.getOrSetMany<unknown>([key], () => ({ [key]: undefined })),
      "getMany() of a definition": (cache, key) =>
        cache.define<string, string>({ name: "row", key: (id) => id, load: () => "", loadMany: () => new Map() })
          .getMany([key]),
      "getMany() of a definition without loadMany": (cache, key) =>
        cache.define<string, string | undefined>({ name: "row", key: (id) => id, load: () => undefined }).getMany([
          key,
        ]),
      "wrap()": (cache, key) => cache.wrap(() => undefined, { key: () => key })(),
    };
    for (const wait of [STALE, EXPIRED]) {
      for (const [name, read] of Object.entries(reads)) {
        const { cache, events } = await openOnHarness(harness, WINDOWS);
        const key = name.includes("definition") ? `row:${name}` : name;
        await cache.set(key, "row");
        await harness.advance(wait);
        const found = await read(cache, name);
        const values = found instanceof Map ? [...found.values()] : [found];
        assertEquals(values.filter((value) => value !== undefined), wait === STALE ? ["row"] : [], name);
        for (let i = 0; i < 200 && (await cache.lookup(key)).status !== "miss"; i++) await pause(5);
        assertEquals((await cache.lookup(key)).status, "miss", name);
        const fail = () => Promise.reject(new Error("down"));
        assertEquals(await outcome(cache.getOrSet(key, fail)), "error: down", name); // it does not come back
        assertEquals(events.count("cache.load_error"), 1);
      }
    }
  },

  "A value that is set while its loader finds nothing stays": async (harness) => {
    const [one, two] = [await openOnHarness(harness, WINDOWS), await openOnHarness(harness, WINDOWS)];
    await one.cache.set("a", "old");
    await harness.advance(EXPIRED);
    const gate = new Gate<undefined>();
    const call = one.cache.getOrSet<unknown>("a", gate.load);
    await gate.started;
    await two.cache.set("a", "new");
    gate.open(undefined);
    assertEquals([await call, await one.cache.get("a")], [undefined, "new"]);
  },

  "A loader's undefined is told once for each place, and null is kept": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    for (let i = 0; i < 5; i++) {
      assertEquals(await cache.getOrSet<unknown>(`a${i}`, () => undefined), undefined);
      assertEquals(await cache.getOrSet(`b${i}`, () => null), null);
    }
    const users = cache.define<number, string | undefined>({ name: "user", key: (id) => id, load: () => undefined });
    const orders = cache.define<number, string | undefined>({ name: "order", key: (id) => id, load: () => undefined });
    for (const kind of [users, orders, users, orders]) assertEquals(await kind.get(1), undefined);
    const told = events.of("warning").map(({ message }) => message);
    assertEquals(told.map((text) => /"(.*?)"/.exec(text)?.[1]), ["a0", "user:1", "order:1"]);
    assertEquals([await cache.has("a0"), await cache.has("b0"), await cache.get("b0")], [false, true, null]);
    await cache.set("c", undefined);
    assertEquals(await cache.has("c"), true);
  },

  "A removal that does not reach the store is made up for": async (harness) => {
    const { store, cache, other } = await openFlaky(harness, WINDOWS);
    await cache.set("a", "row");
    await harness.advance(EXPIRED);
    const gate = new Gate<undefined>();
    const call = cache.getOrSet<unknown>("a", gate.load);
    await gate.started;
    store.down = true;
    gate.open(undefined);
    assertEquals(await call, undefined);
    store.down = false;
    await cache.get("b");
    assertEquals((await other.lookup("a")).status, "miss");
  },
};

const cycles: Readonly<Record<string, Case>> = {
  "A loader that has its own key loaded anew ends with the chain of keys": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let loads = 0;
    const count = () => assertLess(++loads, 100, "no end");
    const own = (): Promise<unknown> => cache.getOrSet("own", () => (count(), own()), { fresh: true });
    assertEquals((await soon(() => assertRejects(own, LoaderCycleError))).chain, ["own", "own"]);
    const ring = (i: number): Promise<unknown> => cache.getOrSet(`${i}`, () => (count(), ring(1 - i)), { fresh: true });
    assertEquals((await soon(() => assertRejects(() => ring(0), LoaderCycleError))).chain.length, 3);
    assertEquals(await soon(() => cache.getOrSet("own", () => 1)), 1);
  },
  "A loader that waits for itself ends with an error that names the chain": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const own = (): Promise<number> => cache.getOrSet<number>("a", async () => 1 + await own());
    const error = await soon(() => assertRejects(own, LoaderCycleError));
    assertEquals(error.chain, ["a", "a"]);
    assertEquals(await soon(() => cache.getOrSet("a", () => 2)), 2);
  },

  "Loaders of one process that wait for each other end with an error, and hold nobody up": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const keys = ["a", "b", "c"];
    const load = (i: number): Promise<number> =>
      cache.getOrSet(keys[i]!, async () => {
        await pause(20); // so that all of them run
        return await load((i + 1) % keys.length);
      });
    const errors = await soon(() => Promise.all(keys.map((_, i) => assertRejects(() => load(i), LoaderCycleError))));
    for (const { chain } of errors) {
      assertEquals([new Set(chain).size, chain[0]], [3, chain.at(-1)]);
    }
    assertEquals(await soon(() => cache.getOrSet("b", () => 1)), 1);
  },

  "A loader of several that asks for one of them ends with an error": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const asks: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
      "getOrSet()": (key) => cache.getOrSet(key, () => 1),
      "getOrSetMany()": (key) => cache.getOrSetMany([key, "other"], (keys) => new Map(keys.map((key) => [key, 1]))),
      "another, which asks for it": (key) => cache.getOrSet("between", () => cache.getOrSet(key, () => 1)),
    };
    for (const key of ["x", "y"]) {
      for (const [name, ask] of Object.entries(asks)) {
        const call = () =>
          cache.getOrSetMany(["x", "y"], async (keys) => {
            await ask(key);
            return new Map(keys.map((key) => [key, 1]));
          });
        const error = await soon(() => assertRejects(call, LoaderCycleError, undefined, name));
        assert(error.chain.includes(key), name);
      }
    }
    assertEquals(await soon(() => cache.getOrSet("x", () => 2)), 2);
  },

  "A loader may ask for a key whose loader does not wait for it": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    const leaf = () => cache.getOrSet("leaf", async () => (await pause(10), 1));
    const [a, b] = await Promise.all([cache.getOrSet("a", leaf), cache.getOrSet("b", leaf)]);
    assertEquals([a, b], [1, 1]);
    // A stale value is given at once, so nobody waits for its refresh, which may ask for whoever had it refreshed.
    await cache.set("stale", "old");
    await harness.advance(STALE);
    const refresh = () => cache.getOrSet("top", () => "never");
    const top = await cache.getOrSet("top", async () => {
      const value = await cache.getOrSet("stale", refresh);
      await pause(20);
      return value;
    });
    assertEquals(top, "old");
    await events.until("cache.load", 5);
    assertEquals(events.of("cache.load_error"), []);
  },

  "What a loader has started and not awaited is no chain once the loader is over": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const later = Promise.withResolvers<void>();
    let inner: Promise<number> | undefined;
    await cache.getOrSet("a", () => {
      inner = later.promise.then(() => cache.getOrSet("a", () => 2));
      return 1;
    });
    await cache.invalidate("a");
    const gate = new Gate<number>();
    const outer = cache.getOrSet("a", gate.load);
    await gate.started;
    later.resolve();
    await pause(5);
    gate.open(3);
    assertEquals([await outer, await inner!], [3, 3]);
  },

  "With an older value, a loader that asks for its own key is given that": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", 1);
    await harness.advance(EXPIRED);
    assertEquals(await soon(() => cache.getOrSet<number>("a", async () => 1 + await cache.getOrSet("a", () => 5))), 2);
  },

  "With a hardTimeout, that ends the wait, and the chain is its cause": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const call = cache.getOrSet("a", () => cache.getOrSet<number>("a", () => 1, { hardTimeout: "500ms" }));
    const error = await assertRejects(() => call, LoaderTimeoutError);
    assertInstanceOf(error.cause, LoaderCycleError);
  },

  "waitTimeout bounds the wait for somebody else, who then is not stored": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<string>();
    const first = one.cache.getOrSet("a", gate.load);
    await gate.started;
    for (const { cache } of [one, two]) {
      await cache.get("b");
      assertEquals(await cache.getOrSet("a", () => "by itself", { waitTimeout: "30ms" }), "by itself");
      await one.cache.invalidate("a");
      const again = new Gate<string>();
      void one.cache.getOrSet("a", again.load);
      await again.started;
      assertEquals(await cache.getOrSet("a", () => "by itself", { waitTimeout: "30ms" }), "by itself");
      again.open("late");
    }
    gate.open("late");
    assertEquals([await first, await two.cache.get("a")], ["late", "by itself"]);
  },

  "Loaders of two processes that wait for each other end with an error that names the chain": async (harness) => {
    const caches = [
      await openOnHarness(harness, { waitTimeout: "80ms" }),
      await openOnHarness(harness, { waitTimeout: "80ms" }),
    ];
    const load = (by: number, key: string): Promise<number> =>
      caches[by]!.cache.getOrSet(key, async () => {
        await pause(20);
        return await load(by, key === "a" ? "b" : "a");
      });
    const errors = await soon(() =>
      Promise.all(
        [["a", 0], ["b", 1]].map(([key, by]) => assertRejects(() => load(Number(by), `${key}`), LoaderCycleError)),
      )
    );
    for (const { chain } of errors) assertEquals(new Set(chain).size, 2);
    for (const { cache } of caches) assertEquals(await soon(() => cache.getOrSet("a", () => 1)), 1);
  },
};

const fresh: Readonly<Record<string, Case>> = {
  "`fresh` loads anew, stores, and joins no loader that began before": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("a", 1);
    assertEquals(await one.cache.getOrSet("a", () => 2, { fresh: true }), 2);
    assertEquals(await two.cache.get("a"), 2);
    for (const { cache } of [one, two]) {
      await one.cache.invalidate("a");
      const gate = new Gate<number>();
      const before = one.cache.getOrSet("a", gate.load);
      await gate.started;
      assertEquals(await cache.getOrSet("a", () => 3, { fresh: true }), 3);
      gate.open(0);
      assertEquals([await before, await two.cache.get("a")], [0, 3]);
    }
  },

  "Callers of one tick with `fresh` share one load, those that come while it runs do not": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 0);
    const gate = new Gate<number>();
    const callers = Array.from({ length: 20 }, () => cache.getOrSet("a", gate.load, { fresh: true }));
    await gate.started;
    assertEquals(gate.calls, 1);
    assertEquals(await cache.getOrSet("a", () => 2, { fresh: true }), 2);
    gate.open(1);
    assertEquals(new Set(await Promise.all(callers)), new Set([1]));
    assertEquals(await cache.get("a"), 2);
  },

  "`fresh` shows the previous value, leaves it where the loader fails, and rejects": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    await cache.set("a", "old", { tags: ["t"] });
    const fail = () => Promise.reject(new Error("down"));
    assertEquals(await outcome(cache.getOrSet("a", fail, { fresh: true })), "error: down");
    assertEquals(await cache.get("a"), "old");
    const load = ({ stale, notModified }: LoaderContext<string>) => stale === "old" ? notModified() : "?";
    assertEquals(await cache.getOrSet("a", load, { fresh: true }), "old");
    assertEquals((await cache.lookup("a")).tags, ["t"]);
    assertEquals(await soon(() => cache.getOrSet("a", () => "new", { fresh: true })), "new");
  },

  "`fresh` holds for several, and for definitions": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let n = 0;
    const load = (keys: readonly string[]) => (n++, new Map(keys.map((key) => [key, n])));
    await cache.getOrSetMany(["a", "b"], load);
    assertEquals([...(await cache.getOrSetMany(["a", "b"], load, { fresh: true })).values()], [2, 2]);
    const kind = cache.define({ name: "n", key: (id: number) => id, load: () => ++n });
    assertEquals([await kind.get(1), await kind.get(1), await kind.get(1, { fresh: true }), await kind.get(1)], [
      3,
      3,
      4,
      4,
    ]);
  },
};

const version: Readonly<Record<string, Case>> = {
  "A value of another version is a miss for all who read, and is replaced": async (harness) => {
    const { cache } = await openOnHarness(harness, { compress: { threshold: 200 } });
    const text = "x".repeat(1000);
    for (const value of [{ n: 1 }, text, new Map([[1, 2n]])]) {
      await cache.set("a", value, { tags: ["t"] });
      assertEquals(await cache.get("a", { version: 2 }), undefined);
      assertEquals((await cache.getMany(["a"], { version: 2 })).size, 0);
      assertEquals((await cache.lookup("a", { version: 2 })).status, "miss");
      assertEquals([await cache.has("a", { version: 2 }), await cache.ttl("a", { version: 2 })], [false, undefined]);
      assertEquals(await cache.get("a"), value);
      assertEquals(await cache.getOrSet("a", () => "two", { version: 2 }), "two");
      assertEquals([await cache.get("a", { version: "2" }), await cache.has("a", { version: 2 })], ["two", true]);
      assertEquals([await cache.get("a"), await cache.get("a", { version: 3 })], [undefined, undefined]);
      assertEquals(await cache.set("a", value, { version: 3 }), true);
      assertEquals(await cache.get("a", { version: 3 }), value);
      await cache.invalidate("a");
      assertEquals(await cache.get("a", { version: 3 }), undefined);
    }
  },

  "Who waits for a loader of another version loads for itself": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const end of ["value", "skip"]) {
      const gate = new Gate<string>();
      const one = cache.getOrSet(end, async ({ skip }: LoaderContext<string>) => {
        const value = await gate.load();
        return end === "skip" ? skip(value) : value;
      }, { version: 1 });
      await gate.started;
      const two = cache.getOrSet(end, () => "two", { version: 2 });
      await pause(5);
      gate.open("one");
      assertEquals([await one, await two], ["one", "two"]);
    }
  },

  "A definition has a version": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    const define = (version: number) =>
      cache.define<number, string>({
        name: "user",
        key: (id) => id,
        load: (id, { stale }) => `${id} ${version} ${stale}`,
        version,
      });
    const [one, two] = [define(1), define(2)];
    assertEquals([await one.get(7), await two.get(7), (await two.lookup(7)).value], [
      "7 1 undefined",
      "7 2 undefined",
      "7 2 undefined",
    ]);
    assertEquals([(await one.lookup(7)).status, await one.set(7, "set"), await one.get(7)], ["miss", true, "set"]);
    await two.invalidate(7);
    assertEquals((await one.lookup(7)).status, "miss");
  },

  "A version is checked": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const version of ["", "x".repeat(65)]) {
      await assertRejects(() => cache.get("a", { version }), RangeError, '"version"');
    }
    for (const version of [null, NaN, {}] as unknown as number[]) {
      await assertRejects(() => cache.getOrSet("a", () => 1, { version }), TypeError, '"version"');
    }
  },
};

const policies: Readonly<Record<string, Case>> = {
  "`refreshAhead` that is not shorter than the ttl counts as half of it, and is said once": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, refreshAhead: 20 });
    let loads = 0;
    const load = ({ setTtl }: LoaderContext<number>) => (setTtl(8), ++loads);
    for (const [key, options] of [["a", {}], ["b", { ttl: () => 10 }]] as const) {
      loads = 0;
      for (let i = 0; i < 20; i++) {
        assertEquals(await cache.getOrSet(key, () => ++loads, options), 1);
        await pause(1);
      }
      assertEquals(loads, 1, key);
      assertEquals(events.of("warning").length, 1);
    }
    loads = 0;
    for (let i = 0; i < 20; i++) {
      await cache.getOrSet("c", load, { ttl: 1000, refreshAhead: 100 });
      await pause(1);
    }
    assertEquals(loads, 1);
    await harness.advance(6000);
    assertEquals(await cache.getOrSet("a", () => 2), 1);
    await events.until("cache.load", 4);
    assertEquals(await cache.get("a"), 2);
  },

  "A loader that computes does not hold up who is given the stale value": async (harness) => {
    const { cache, events } = await openOnHarness(harness, WINDOWS);
    const compute = () => {
      const end = performance.now() + 100;
      while (performance.now() < end);
      return "new";
    };
    const kind = cache.define({ name: "k", key: () => "a", load: compute });
    for (const [key, read] of [["a", () => cache.getOrSet("a", compute)], ["k:a", () => kind.get(0)]] as const) {
      await cache.set(key, "old");
      await harness.advance(STALE);
      const before = events.count("cache.load");
      let served = false;
      const call = read().then((value) => (served = true, value));
      while (!served) await Promise.race([call, pause(1)]);
      assertEquals([await call, events.count("cache.load")], ["old", before]);
      await events.until("cache.load", before + 1);
      assertEquals(await cache.get(key), "new");
    }
  },

  "A `hardTimeout` of 0 is none": async (harness) => {
    const { cache } = await openOnHarness(harness, { hardTimeout: "10ms" });
    assertEquals(await cache.getOrSet("a", async () => (await pause(40), 1), { hardTimeout: 0 }), 1);
  },

  "A signal ends a read whose schema hangs": async (harness) => {
    const { cache } = await openOnHarness(harness, WINDOWS);
    const end = Promise.withResolvers<{ value: number }>();
    const hangs = { "~standard": { version: 1 as const, vendor: "test", validate: () => end.promise } };
    await cache.set("a", 1);
    await cache.set("b", 1);
    await harness.advance(0);
    for (
      const read of [
        (signal: AbortSignal) => cache.get("a", { schema: hangs, signal }),
        (signal: AbortSignal) => cache.getMany(["a"], { schema: hangs, signal }),
        (signal: AbortSignal) => cache.lookup("a", { schema: hangs, signal }),
        (signal: AbortSignal) => cache.getOrSet("a", () => 2, { schema: hangs, signal }),
        (signal: AbortSignal) => cache.getOrSet("c", () => 2, { schema: hangs, signal }),
      ]
    ) {
      const abort = new AbortController();
      const call = outcome(read(abort.signal));
      await pause(5);
      abort.abort(new Error("enough"));
      assertEquals(await soon(() => call), "error: enough");
    }
    await harness.advance(STALE);
    const abort = new AbortController();
    const call = outcome(cache.getOrSet("b", () => 2, { schema: hangs, signal: abort.signal }));
    await pause(5);
    abort.abort(new Error("enough"));
    assertEquals(await call, "error: enough");
    assertEquals(await soon(() => cache.getOrSet("b", () => 3, { fresh: true })), 3); // no lease is left
    end.resolve({ value: 1 }); // a load of "c" hangs, as its schema does
    await cache[Symbol.asyncDispose]();
  },

  "A value that cannot be stored is given to the callers, and told": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...WINDOWS, maxBytes: 1000 });
    const { cache: other } = await openOnHarness(harness);
    for (const [key, value] of [["long", "x".repeat(2000)], ["function", () => 1], ["symbol", Symbol("s")]] as const) {
      const gate = new Gate<unknown>();
      const callers = [1, 2, 3].map(() => cache.getOrSet<unknown>(key, gate.load));
      await gate.started;
      const [told, loads] = [events.count("cache.error"), events.count("cache.load")];
      gate.open(value);
      assertEquals(new Set(await Promise.all(callers)), new Set([value]));
      assertEquals([events.count("cache.error") - told, events.count("cache.load") - loads, gate.calls], [1, 1, 1]);
      assertEquals([events.of("cache.load").at(-1)!.end, await cache.has(key)], ["unstorable", false]);
      assertEquals(await soon(() => other.getOrSet(key, () => 1)), 1);
      await other.invalidate(key);
      const wanted = key === "long" ? RangeError : TypeError;
      await assertRejects(() => cache.getOrSet<unknown>(key, () => value, { unstorable: "throw" }), wanted);
    }
    await cache.set("stale", "old");
    await harness.advance(STALE);
    let loads = 0;
    for (let i = 0; i < 5; i++) {
      assertEquals(await cache.getOrSet<unknown>("stale", () => (loads++, Symbol("s"))), "old");
      await pause(5);
    }
    assertEquals(loads, 1); // the next attempt waits
  },

  "A loader that invalidates its own tag runs once for all who wait, and says why it is not stored": async (
    harness,
  ) => {
    const { cache, events } = await openOnHarness(harness);
    let calls = 0;
    const load = async () => {
      calls++;
      await pause(10);
      await cache.invalidateByTag("t");
      return calls;
    };
    const callers = Array.from({ length: 30 }, () => cache.getOrSet("a", load, { tags: ["t"] }));
    assertEquals(new Set(await Promise.all(callers)), new Set([1]));
    assertEquals(calls, 1);
    assertEquals([events.of("cache.load")[0]!.end, events.count("warning")], ["invalidated", 1]);
    assertEquals(await cache.get("a"), undefined);
  },
};

const ALL = { ...over, ...kept, ...gone, ...cycles, ...fresh, ...version, ...policies };

Deno.test("Loads, whatever way they end, on the embedded store", async (t) => {
  await runCases(t, ALL, () => new MemoryHarness());
});

Deno.test("Loads, whatever way they end, on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, ALL, () => new RedisHarness(server));
});
