import { assert, assertEquals, assertGreater, assertStrictEquals } from "@std/assert";
import { deepStrictEqual } from "node:assert/strict";
import type { Case } from "./harness.ts";
import { openOnHarness } from "./cache_tools.ts";

/** One value of each kind that is promised to come back equal (C7). */
export const VALUES: Readonly<Record<string, unknown>> = {
  "a string": "héllo \u0000 \ud83d\ude00",
  "an empty string": "",
  "a number": -1.5,
  "minus zero": -0,
  "not a number": NaN,
  "an infinity": -Infinity,
  "a large number": Number.MAX_SAFE_INTEGER,
  "a big integer": -(2n ** 70n),
  "true": true,
  "false": false,
  "null": null,
  "undefined": undefined,
  "a date": new Date("1815-12-10T12:00:00.123Z"),
  "a map": new Map<unknown, unknown>([["a", 1], [2n, new Map([[null, undefined]])]]),
  "a set": new Set<unknown>([1, "1", 1n, null, undefined, NaN]),
  "bytes": Uint8Array.from({ length: 300 }, (_, i) => i),
  "no bytes": new Uint8Array(0),
  "floats": new Float64Array([0, -0, NaN, 1e300]),
  "big integers": new BigInt64Array([-1n, 2n ** 62n]),
  "a buffer": new Uint16Array([1, 2, 65535]).buffer,
  "a list": [1, [2, [undefined, null]], {}],
  "an object": { a: { b: { c: [new Date(0), 1n, undefined] } }, "": 0, "__proto__x": 1 },
  "a pattern": /a+b/gi,
  "a URL": new URL("https://example.com/?a=1#b"),
  "a text of 100 kB": "lorem ipsum ".repeat(9000),
};

export const cacheBasics: Readonly<Record<string, Case>> = {
  "set() stores, get() finds, and what is not there is undefined": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const other = await openOnHarness(harness);
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await cache.set("a", { n: 1 }), true);
    assertEquals(await other.cache.get("a"), { n: 1 });
    assertEquals(await other.cache.set("a", { n: 2 }), true);
    assertEquals(await cache.get("a"), { n: 2 });
    assertEquals(await cache.get("A"), undefined);
  },

  "Values come back equal, however they are read (C7)": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const keys = Object.keys(VALUES);
    assertEquals(await cache.setMany(VALUES), true);
    const many = await cache.getMany(keys);
    for (const [key, value] of Object.entries(VALUES)) {
      deepStrictEqual(await cache.get(key), value, key);
      deepStrictEqual((await cache.lookup(key)).value, value, key);
      deepStrictEqual(await cache.getOrSet(key, () => assert(false)), value, key);
      deepStrictEqual(many.get(key), value, key);
      const callers = [1, 2, 3].map(() => cache.getOrSet(`load ${key}`, () => value));
      for (const loaded of await Promise.all(callers)) deepStrictEqual(loaded, value, key);
    }
    assertEquals(many.size, keys.length);
    assertEquals(events.of("cache.unreadable"), []);
  },

  "null and undefined can be cached": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    let loads = 0;
    const load = () => {
      loads++;
      return null;
    };
    assertEquals(await cache.set("undefined", undefined), true); // a loader cannot: see "absent means gone"
    for (let i = 0; i < 3; i++) {
      assertStrictEquals(await cache.getOrSet("null", load), null);
      assertStrictEquals(await cache.getOrSet("undefined", load), undefined);
    }
    assertEquals(loads, 1);
    assertStrictEquals(await cache.get("null"), null);
    assertEquals(await cache.has("undefined"), true);
    assertEquals((await cache.lookup("undefined")).status, "hit");
    assertEquals([...await cache.getMany(["null", "undefined", "absent"])], [["null", null], ["undefined", undefined]]);
    assertEquals([events.count("cache.hit"), events.count("cache.miss")], [5 + 1 + 2, 1 + 1]);
  },

  "Each caller gets a value of its own": async (harness) => {
    const { cache } = await openOnHarness(harness);
    type Value = { list: number[]; bytes: Uint8Array };
    const make = (): Value => ({ list: [1], bytes: new Uint8Array([1]) });
    const spoil = (value: Value) => {
      value.list.push(2);
      value.bytes[0] = 9;
    };
    const source = make();
    await cache.set("a", source);
    spoil(source);
    for (let i = 0; i < 2; i++) {
      for (
        const value of [
          await cache.get<Value>("a"),
          (await cache.getMany<Value>(["a"])).get("a"),
          (await cache.lookup<Value>("a")).value,
          await cache.getOrSet("a", make),
        ]
      ) {
        assertEquals(value, make());
        spoil(value!);
      }
    }
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => cache.getOrSet("b", make)));
    assert(first !== second && second !== third && first !== third);
    for (const value of [first, second, third]) spoil(value!);
    assertEquals(await cache.get("b"), make());

    const bytes = new Uint8Array([1, 2, 3]);
    await cache.set("bytes", bytes);
    bytes[0] = 9;
    const read = await cache.get<Uint8Array>("bytes");
    assertEquals(read, new Uint8Array([1, 2, 3]));
    read![0] = 9;
    assertEquals(await cache.get("bytes"), new Uint8Array([1, 2, 3]));
  },

  "getMany() finds what there is, in the order asked for": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.setMany({ a: 1, b: 2, c: 3 });
    await cache.invalidate("b");
    assertEquals([...await cache.getMany(["c", "x", "a", "c", "b"])], [["c", 3], ["a", 1]]);
    assertEquals([...await cache.getMany(new Set(["a"]))], [["a", 1]]);
    assertEquals((await cache.getMany([])).size, 0);
    const keys = Array.from({ length: 700 }, (_, i) => `${i}`);
    await cache.setMany(keys.filter((_, i) => i % 2 === 0).map((key) => [key, Number(key)] as const));
    const found = await cache.getMany<number>(keys);
    assertEquals([...found.values()], keys.map(Number).filter((i) => i % 2 === 0));
  },

  "setMany() takes a map, pairs, an object or a generator": async (harness) => {
    const { cache } = await openOnHarness(harness);
    function* pairs(): Generator<[string, number]> {
      yield ["d", 1];
      yield ["d", 2];
    }
    assertEquals(await cache.setMany(new Map([["a", 1]]), { tags: ["t"] }), true);
    assertEquals(await cache.setMany([["b", 1]], { ttl: 0 }), true);
    assertEquals(await cache.setMany({ c: 1, constructor: 2 }), true);
    assertEquals(await cache.setMany(pairs()), true);
    assertEquals(await cache.setMany([]), true);
    assertEquals(
      [...await cache.getMany(["a", "b", "c", "constructor", "d"])],
      [["a", 1], ["b", 1], ["c", 1], ["constructor", 2], ["d", 2]],
    );
    assertEquals((await cache.lookup("a")).tags, ["t"]);
    assertEquals(await cache.ttl("b"), Infinity);
  },

  "has(), ttl() and lookup() tell how an entry stands": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const near = (actual: number | undefined, wanted: number) =>
      assert(actual !== undefined && actual <= wanted && actual > wanted - 2, `${actual} is not ${wanted}`);
    await cache.set("a", 1, { ttl: 100, staleWhileRevalidate: 100, staleIfError: 1000, tags: ["t", "u", "t"] });
    assertEquals([await cache.has("a"), await cache.has("b")], [true, false]);
    near(await cache.ttl("a"), 100);
    assertEquals(await cache.ttl("b"), undefined);
    await harness.advance(50_000);
    const hit = await cache.lookup("a");
    near(hit.ttl, 50);
    assertEquals([hit.status, hit.value, hit.tags], ["hit", 1, ["t", "u"]]);
    assert(hit.age >= 0 && hit.age < 60);
    for (const wait of [60_000, 500_000]) {
      await harness.advance(wait);
      const { status, value, ttl, tags } = await cache.lookup("a");
      assertEquals([status, value, ttl, tags], ["stale", 1, 0, ["t", "u"]]);
      assertEquals([await cache.has("a"), await cache.ttl("a"), await cache.get("a")], [false, undefined, undefined]);
    }
    await harness.advance(500_000);
    assertEquals(await cache.lookup("a"), { status: "miss", age: 0, ttl: 0, tags: [] });
  },

  "lookup() and ttl() know entries that last for ever": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1, { ttl: 0, staleWhileRevalidate: 5, staleIfError: 5 });
    await harness.advance(1e12);
    assertEquals([await cache.ttl("a"), (await cache.lookup("a")).ttl], [Infinity, Infinity]);
    assertEquals(await cache.get("a"), 1);
  },

  "The ttl is an hour unless the cache or the call says otherwise": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const short = await openOnHarness(harness, { ttl: "10s", staleWhileRevalidate: "10s" });
    await cache.set("hour", 1);
    await short.cache.set("ten", 1);
    await short.cache.set("own", 1, { ttl: "1m" });
    await short.cache.getOrSet("none", () => 1, { staleWhileRevalidate: 0 });
    await harness.advance(15_000);
    const stands = async () =>
      await Promise.all(["hour", "ten", "own", "none"].map(async (key) => (await cache.lookup(key)).status));
    assertEquals(await stands(), ["hit", "stale", "hit", "miss"]);
    await harness.advance(3_500_000);
    assertEquals(await stands(), ["hit", "miss", "miss", "miss"]);
    await harness.advance(100_000);
    assertEquals(await stands(), ["miss", "miss", "miss", "miss"]);
  },

  "touch() makes a value fresh again": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1, { ttl: 10, staleWhileRevalidate: 20 });
    await harness.advance(15_000);
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await cache.touch("a", "20s"), true);
    await harness.advance(15_000);
    assertEquals(await cache.get("a"), 1);
    assertEquals(await cache.touch("a", 0), true);
    assertEquals(await cache.ttl("a"), Infinity);
    assertEquals(await cache.touch("b", 10), false);
  },

  "Each kind of invalidation removes what it should, and says how it ended": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    // What others have changed, a copy may be a second behind of.
    const other = await openOnHarness(harness, { local: false });
    const fill = () =>
      Promise.all(["user:1", "user:2", "org:1"].map((key) => cache.set(key, key, { tags: [key, "all"] })));
    const left = async () => [...(await other.cache.getMany(["user:1", "user:2", "org:1"])).keys()];
    await fill();
    assertEquals(await cache.invalidate("user:1"), { status: "done", removed: 1 });
    assertEquals(await cache.invalidate("user:1"), { status: "done", removed: 0 });
    assertEquals(await left(), ["user:2", "org:1"]);
    assertEquals(await cache.invalidateMany(["user:1", "user:2", "user:2", "x"]), { status: "done", removed: 1 });
    assertEquals(await cache.invalidateMany([]), { status: "done", removed: 0 });
    assertEquals(await left(), ["org:1"]);
    assertEquals([await cache.delete("org:1"), await cache.delete("org:1")], [true, false]);
    await fill();
    assertEquals((await cache.invalidateByTag("user:1")).status, "done");
    assertEquals(await left(), ["user:2", "org:1"]);
    assertEquals((await cache.invalidateByTag(["org:1", "user:2", "org:1"])).status, "done");
    assertEquals((await cache.invalidateByTag([])).status, "done");
    assertEquals(await left(), []);
    await fill();
    let told = 0;
    assertEquals(await cache.invalidateByPattern("user:*", { onProgress: (removed) => told = removed }), {
      status: "done",
      removed: 2,
    });
    assertEquals([told, await left()], [2, ["org:1"]]);
    await fill();
    assertEquals((await cache.invalidateByTag("all", { mode: "stale" })).status, "done");
    assertEquals((await other.cache.lookup("user:1")).status, "stale");
    assertEquals(await left(), []);
    await fill();
    assertEquals((await cache.clear()).status, "done");
    assertEquals(await left(), []);
    assertEquals(
      events.of("cache.invalidate").map(({ by, what, status }) => `${by} ${what.join("+")} ${status}`),
      [
        ...["key user:1 done", "key user:1 done", "key user:1+user:2+x done", "key org:1 done", "key org:1 done"],
        ...["tag user:1 done", "tag org:1+user:2 done", "pattern user:* done", "tag all done", "clear  done"],
      ],
    );
    assertEquals(cache.stats().invalidations, 10);
  },

  "invalidateByTag() takes more tags than an entry may have": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.set("a", 1, { tags: ["99"] });
    await cache.invalidateByTag(Array.from({ length: 100 }, (_, i) => `${i}`));
    assertEquals(await cache.has("a"), false);
  },

  "stats() counts every read once": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const zero = cache.stats();
    assert(Object.values(zero).every((count) => count === 0));
    await cache.get("a"); // miss
    await cache.set("a", 1, { ttl: 10, staleWhileRevalidate: 10, staleIfError: 100, tags: ["t"] });
    await cache.get("a"); // hit
    await cache.getMany(["a", "b"]); // hit, miss
    await cache.getOrSet("a", () => 2); // hit
    await cache.getOrSet("b", () => 2); // miss, load
    await harness.advance(50_000);
    const broken = () => Promise.reject(new Error("no"));
    assertEquals(await cache.getOrSet("a", broken), 1); // stale, since the loader fails
    await cache.getOrSet("c", broken).catch(() => {}); // miss
    await cache.invalidate("a");
    await Promise.all([1, 2, 3].map(() => cache.getOrSet("d", () => 4))); // 3 misses, 1 load
    const { hits, misses, stale, loads, loadErrors, coalesced, sets, invalidations, hitRate, loading } = cache.stats();
    assertEquals(
      { hits, misses, stale, loads, loadErrors, coalesced, sets, invalidations, loading },
      { hits: 3, misses: 7, stale: 1, loads: 4, loadErrors: 2, coalesced: 2, sets: 1, invalidations: 1, loading: 0 },
    );
    assertEquals(hitRate, 4 / 11);
    assertEquals([events.count("cache.hit"), events.count("cache.miss")], [4, 7]);
    assertEquals(events.of("cache.hit").filter(({ stale }) => stale).map(({ key }) => key), ["a"]);
    assertEquals(events.of("cache.load").map(({ key, stored }) => `${key} ${stored}`), ["b true", "d true"]);
    assertEquals(events.of("cache.load_error").map(({ key, fallback }) => `${key} ${fallback}`), ["a true", "c false"]);
  },

  "Jitter shortens the ttl, differently for each entry, and never the windows after it": async (harness) => {
    const { cache, store } = await openOnHarness(harness, { jitter: 0.5 });
    const lives: number[] = [];
    for (let i = 0; i < 40; i++) {
      await cache.set(`${i}`, 1, { ttl: 1000, staleWhileRevalidate: 100, staleIfError: 300 });
      const { entry } = await store.read(`${i}`);
      lives.push((await cache.ttl(`${i}`))!);
      assertEquals([entry!.staleUntil - entry!.freshUntil, entry!.errorUntil - entry!.freshUntil], [100_000, 300_000]);
    }
    assert(Math.max(...lives) <= 1000 && Math.min(...lives) > 498);
    assertGreater(Math.max(...lives) - Math.min(...lives), 100);
    await cache.set("for ever", 1, { ttl: 0, jitter: 1 });
    assertEquals(await cache.ttl("for ever"), Infinity);
    await cache.set("least", 1, { ttl: 0.001, jitter: 1, staleWhileRevalidate: 10 });
    assertEquals((await cache.lookup("least")).value, 1);
    await cache.set("none", 1, { ttl: 1000, jitter: 0 });
    assertGreater((await cache.ttl("none"))!, 998);
  },
};
