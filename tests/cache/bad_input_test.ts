import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import type { CacheOptions } from "../../src/cache/options.ts";
import type { CacheStore } from "../../src/cache/store.ts";

/** A store that counts what reaches it. */
class CountingStore {
  calls: string[] = [];
  readonly store: CacheStore;

  constructor() {
    this.store = new Proxy<CacheStore>(new MemoryStore(), {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          this.calls.push(String(property));
          return Reflect.apply(value, target, args);
        };
      },
    });
  }
}

type Call = (cache: Cache, value: never) => Promise<unknown>;

/** A value that is not as it should be, and how it is refused. */
interface Bad {
  readonly value: unknown;
  readonly error: typeof TypeError | typeof RangeError;
  /** The end of the message. */
  readonly message: string;
}

const KEYS: readonly Bad[] = [
  { value: undefined, error: TypeError, message: "wanted a string as the key, got undefined" },
  { value: null, error: TypeError, message: "wanted a string as the key, got null" },
  { value: 1, error: TypeError, message: "wanted a string as the key, got 1" },
  { value: ["a"], error: TypeError, message: "wanted a string as the key, got an array with 1 element" },
  { value: Symbol("a"), error: TypeError, message: "wanted a string as the key, got a symbol" },
  { value: "", error: RangeError, message: "wanted a key of 1 to 512 bytes, got an empty string" },
  {
    value: "x".repeat(513),
    error: RangeError,
    message: `wanted a key of 1 to 512 bytes, got "${"x".repeat(64)}"… (513 characters) with 513 or more bytes`,
  },
  {
    value: "é".repeat(257),
    error: RangeError,
    message: `wanted a key of 1 to 512 bytes, got "${"é".repeat(64)}"… (257 characters) with 514 bytes`,
  },
  { value: "a\nb", error: TypeError, message: 'wanted a key without control characters, got "a\\nb" with U+000A at 1' },
  {
    value: "\x00",
    error: TypeError,
    message: 'wanted a key without control characters, got "\\u0000" with U+0000 at 0',
  },
  {
    value: "a\x7f",
    error: TypeError,
    message: 'wanted a key without control characters, got "a\\u007f" with U+007F at 1',
  },
  {
    value: "a\ud800",
    error: TypeError,
    message: 'wanted a key of well-formed text, got "a\\ud800" with half a surrogate pair at 1',
  },
];

const TAGS: readonly Bad[] = [
  { value: "t", error: TypeError, message: 'wanted an array of strings as the tags, got "t"' },
  { value: null, error: TypeError, message: "wanted an array of strings as the tags, got null" },
  {
    value: new Set(["t"]),
    error: TypeError,
    message: "wanted an array of strings as the tags, got an instance of Set",
  },
  { value: [1], error: TypeError, message: "wanted a string as the tag, got 1" },
  { value: ["t", undefined], error: TypeError, message: "wanted a string as the tag, got undefined" },
  { value: [""], error: RangeError, message: "wanted a tag of 1 to 512 bytes, got an empty string" },
  { value: ["t\r"], error: TypeError, message: 'wanted a tag without control characters, got "t\\r" with U+000D at 1' },
  {
    value: Array.from({ length: 65 }, (_, i) => `${i}`),
    error: RangeError,
    message: "wanted at most 64 different tags, got 65 tags",
  },
];

const WANTED = 'wanted seconds as a number or a string such as "30s"';
const DURATIONS: readonly Bad[] = [
  { value: -1, error: RangeError, message: `${WANTED}, got -1` },
  { value: NaN, error: RangeError, message: `${WANTED}, got NaN` },
  { value: -Infinity, error: RangeError, message: `${WANTED}, got -Infinity` },
  { value: "-5s", error: RangeError, message: `${WANTED}, got "-5s"` },
  { value: "soon", error: TypeError, message: `${WANTED}, got "soon"` },
  { value: "5", error: TypeError, message: `${WANTED}, got "5"` },
  { value: "", error: TypeError, message: `${WANTED}, got ""` },
  { value: null, error: TypeError, message: `${WANTED}, got null` },
  { value: {}, error: TypeError, message: `${WANTED}, got an object` },
  { value: 5n, error: TypeError, message: `${WANTED}, got 5n` },
];

const load = () => 1;

/** Each call with one argument to be replaced, the action that its error names, and what is not accepted there. */
const CALLS: Readonly<Record<string, readonly [call: Call, action: string, bad: readonly Bad[]]>> = {
  "get(key)": [(cache, key) => cache.get(key), "read from the cache", KEYS],
  "getMany(keys)": [(cache, key) => cache.getMany(["a", key]), "read from the cache", KEYS],
  "lookup(key)": [(cache, key) => cache.lookup(key), "look up in the cache", KEYS],
  "has(key)": [(cache, key) => cache.has(key), "look up in the cache", KEYS],
  "ttl(key)": [(cache, key) => cache.ttl(key), "look up in the cache", KEYS],
  "set(key)": [(cache, key) => cache.set(key, 1), "write to the cache", KEYS],
  "setMany(entries)": [(cache, key) => cache.setMany([["a", 1], [key, 1]]), "write to the cache", KEYS],
  "getOrSet(key)": [(cache, key) => cache.getOrSet(key, load), "read from the cache", KEYS],
  "getOrSetMany(keys)": [(cache, key) => cache.getOrSetMany(["a", key], () => ({})), "read from the cache", KEYS],
  "touch(key)": [(cache, key) => cache.touch(key, 1), "touch in the cache", KEYS],
  "invalidate(key)": [(cache, key) => cache.invalidate(key), "invalidate in the cache", KEYS],
  "invalidateMany(keys)": [(cache, key) => cache.invalidateMany(["a", key]), "invalidate in the cache", KEYS],
  "delete(key)": [(cache, key) => cache.delete(key), "invalidate in the cache", KEYS],
  "invalidateByPattern(pattern)": [(cache, key) => cache.invalidateByPattern(key), "invalidate by pattern", KEYS],
  "set(tags)": [(cache, tags) => cache.set("a", 1, { tags }), "write to the cache", TAGS],
  "setMany(tags)": [(cache, tags) => cache.setMany({ a: 1 }, { tags }), "write to the cache", TAGS],
  "getOrSet(tags)": [(cache, tags) => cache.getOrSet("a", load, { tags }), "read from the cache", TAGS],
  "invalidateByTag(tags)": [(cache, tags) => cache.invalidateByTag(tags), "invalidate by tag", [
    ...TAGS.filter(({ value }) => Array.isArray(value) && value.length < 65),
    { value: undefined, error: TypeError, message: "wanted a tag or several, got undefined" },
    { value: 1, error: TypeError, message: "wanted a tag or several, got 1" },
    { value: "", error: RangeError, message: "wanted a tag of 1 to 512 bytes, got an empty string" },
    { value: { t: 1 }, error: TypeError, message: "wanted a tag or several, got an object" },
  ]],
  "set(ttl)": [(cache, ttl) => cache.set("a", 1, { ttl }), 'use "ttl"', DURATIONS],
  "setMany(ttl)": [(cache, ttl) => cache.setMany({ a: 1 }, { ttl }), 'use "ttl"', DURATIONS],
  "getOrSet(ttl)": [(cache, ttl) => cache.getOrSet("a", load, { ttl }), 'use "ttl"', DURATIONS],
  "touch(ttl)": [(cache, ttl) => cache.touch("a", ttl), 'use "ttl"', [
    ...DURATIONS,
    { value: undefined, error: TypeError, message: `${WANTED}, got undefined` },
  ]],
  "set(staleWhileRevalidate)": [
    (cache, staleWhileRevalidate) => cache.set("a", 1, { staleWhileRevalidate }),
    'use "staleWhileRevalidate"',
    DURATIONS,
  ],
  "getOrSet(staleIfError)": [
    (cache, staleIfError) => cache.getOrSet("a", load, { staleIfError }),
    'use "staleIfError"',
    DURATIONS,
  ],
  "getOrSet(jitter)": [(cache, jitter) => cache.getOrSet("a", load, { jitter }), 'use "jitter"', [
    { value: -0.1, error: RangeError, message: "wanted a number from 0 to 1, got -0.1" },
    { value: 1.1, error: RangeError, message: "wanted a number from 0 to 1, got 1.1" },
    { value: NaN, error: RangeError, message: "wanted a number from 0 to 1, got NaN" },
    { value: "0.1", error: TypeError, message: 'wanted a number from 0 to 1, got "0.1"' },
  ]],
  "getOrSet(lease)": [(cache, lease) => cache.getOrSet("a", load, { lease }), 'use "lease"', [
    { value: 0, error: RangeError, message: `${WANTED}, from 10ms to 1d, got 0` },
    { value: "2d", error: RangeError, message: `${WANTED}, from 10ms to 1d, got "2d"` },
    { value: "x", error: TypeError, message: `${WANTED}, from 10ms to 1d, got "x"` },
  ]],
  "getOrSet(loader)": [(cache, loader) => cache.getOrSet("a", loader), 'read "a" from the cache', [
    { value: undefined, error: TypeError, message: "wanted a function as the loader, got undefined" },
    { value: { ttl: 1 }, error: TypeError, message: "wanted a function as the loader, got an object" },
    {
      value: Promise.resolve(1),
      error: TypeError,
      message: "wanted a function as the loader, got an instance of Promise",
    },
  ]],
  "get(schema)": [(cache, schema) => cache.get("a", { schema }), "read from the cache", [
    { value: null, error: TypeError, message: "wanted a Standard Schema as the schema, got null" },
    { value: {}, error: TypeError, message: "wanted a Standard Schema as the schema, got an object" },
    { value: () => 1, error: TypeError, message: "wanted a Standard Schema as the schema, got a function" },
  ]],
  "getMany(list)": [(cache, keys) => cache.getMany(keys), "read from the cache", [
    { value: "ab", error: TypeError, message: 'wanted several keys, got "ab"' },
    { value: undefined, error: TypeError, message: "wanted several keys, got undefined" },
    { value: { a: 1 }, error: TypeError, message: "wanted several keys, got an object" },
  ]],
  "setMany(list)": [(cache, entries) => cache.setMany(entries), "write to the cache", [
    { value: "ab", error: TypeError, message: 'wanted keys and values, got "ab"' },
    { value: null, error: TypeError, message: "wanted keys and values, got null" },
    { value: ["ab"], error: TypeError, message: 'wanted pairs of key and value, got "ab"' },
    { value: [["a", 1], undefined], error: TypeError, message: "wanted pairs of key and value, got undefined" },
    { value: [{ key: "a" }], error: TypeError, message: "wanted pairs of key and value, got an object" },
  ]],
  "invalidateByTag(mode)": [(cache, mode) => cache.invalidateByTag("t", { mode }), "invalidate by tag", [
    { value: "soft", error: TypeError, message: 'wanted "hard" or "stale" as the mode, got "soft"' },
    { value: null, error: TypeError, message: 'wanted "hard" or "stale" as the mode, got null' },
  ]],
  "invalidateByPattern(onProgress)": [
    (cache, onProgress) => cache.invalidateByPattern("*", { onProgress }),
    "invalidate by pattern",
    [{ value: "yes", error: TypeError, message: 'wanted a function to tell, got "yes"' }],
  ],
  "set(value)": [(cache, value) => cache.set("a", value), 'cache "a"', [
    { value: () => 1, error: TypeError, message: "wanted plain data, got a function" },
    { value: Symbol("s"), error: TypeError, message: "wanted plain data, got a symbol" },
    { value: "x".repeat(1001), error: RangeError, message: "wanted at most 1000 bytes, got at least 1003 bytes" },
    { value: "é".repeat(600), error: RangeError, message: "wanted at most 1000 bytes, got 1202 bytes" },
    { value: new Uint8Array(1001), error: RangeError, message: "wanted at most 1000 bytes, got 1001 bytes" },
  ]],
  "setMany(value)": [(cache, value) => cache.setMany({ ok: 1, a: value }), 'cache "a"', [
    { value: new Uint8Array(1001), error: RangeError, message: "wanted at most 1000 bytes, got 1001 bytes" },
  ]],
};

for (const [name, [call, action, bads]] of Object.entries(CALLS)) {
  Deno.test(`Cache.${name} says what was wanted and what came, before any I/O`, async () => {
    const counting = new CountingStore();
    await using cache = new Cache(counting.store, { maxBytes: 1000 });
    counting.calls = [];
    for (const { value, error, message } of bads) {
      const thrown = await assertRejects(() => call(cache, value as never), error, undefined, String(message));
      assertEquals(thrown.message, `Cannot ${action}: ${message}`);
      assertEquals(thrown.constructor, error, thrown.message);
    }
    assertEquals(counting.calls, []);
    assertEquals(cache.stats().loads, 0);
  });
}

Deno.test("Cache refuses values that cannot be stored by their place, before any I/O", async () => {
  const counting = new CountingStore();
  await using cache = new Cache(counting.store);
  counting.calls = [];
  const cyclic = (depth: number): unknown => depth === 0 ? 1 : { a: cyclic(depth - 1) };
  class Account {}
  const values: Record<string, unknown> = {
    function: { a: [{ b: () => 1 }] },
    symbol: new Map([["a", Symbol("s")]]),
    class: { a: new Account() },
    promise: [Promise.resolve(1)],
    "weak map": new WeakMap(),
    "too deep": cyclic(5000),
    "8 MiB": new Uint8Array(8 * 2 ** 20 + 1),
  };
  for (const [name, value] of Object.entries(values)) {
    const error = await assertRejects(() => cache.set("key", value), Error, undefined, name);
    assert(error instanceof TypeError || error instanceof RangeError, name);
    assertMatch(error.message, /^Cannot cache "key.*: wanted .+, got .+/);
    assertMatch(error.message, /^[^\n]{1,400}$/);
  }
  assertEquals(counting.calls, []);
  assertEquals(await cache.set("key", new Uint8Array(8 * 2 ** 20)), true);
});

Deno.test("Cache takes what is at the edge of what it accepts", async () => {
  await using cache = new Cache(new MemoryStore());
  for (const key of ["x".repeat(512), "é".repeat(256), " ", "\u00a0", "💥".repeat(128), "a b:c{d}*?[e]\\"]) {
    assertEquals(await cache.set(key, 1, { tags: [key] }), true);
    assertEquals(await cache.getOrSet(key, () => 2), 1);
    assertEquals(await cache.delete(key), true);
  }
  const tags = Array.from({ length: 64 }, (_, i) => `${i}`);
  assertEquals(await cache.set("a", 1, { tags: [...tags, ...tags] }), true);
  for (const ttl of [0, 0.0001, "0s", "1ms", "1.5h", 36_525 * 86_400]) {
    assertEquals(await cache.set("a", 1, { ttl }), true);
  }
  await assertRejects(() => cache.set("a", 1, { ttl: 36_525 * 86_400 + 1 }), RangeError);
});

Deno.test("Cache keeps its own limits on keys", async () => {
  await using cache = new Cache(new MemoryStore(), { maxKeyBytes: 4 });
  assertEquals(await cache.set("abcd", 1), true);
  const message = 'Cannot read from the cache: wanted a key of 1 to 4 bytes, got "abcde" with 5 or more bytes';
  assertEquals((await assertRejects(() => cache.get("abcde"), RangeError)).message, message);
});

Deno.test("new Cache() refuses wrong options", () => {
  const wrong: [unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [{ ttl: -1 }, RangeError, /"ttl"/],
    [{ ttl: "x" }, TypeError, /"ttl"/],
    [{ staleWhileRevalidate: NaN }, RangeError, /"staleWhileRevalidate"/],
    [{ staleIfError: "1" }, TypeError, /"staleIfError"/],
    [{ jitter: 2 }, RangeError, /"jitter"/],
    [{ lease: 0 }, RangeError, /"lease"/],
    [{ retryAfter: -1 }, RangeError, /"retryAfter"/],
    [{ timeout: "x" }, TypeError, /"timeout"/],
    [{ hardTimeout: -1 }, RangeError, /"hardTimeout"/],
    [{ beta: "1" }, TypeError, /"beta"/],
    [{ refreshAhead: -1 }, RangeError, /"refreshAhead"/],
    [{ maxBytes: 0 }, RangeError, /"maxBytes"/],
    [{ maxBytes: 1.5 }, RangeError, /"maxBytes"/],
    [{ maxKeyBytes: 0 }, RangeError, /"maxKeyBytes"/],
    [{ maxKeyBytes: "512" }, RangeError, /"maxKeyBytes"/],
    [{ serializer: {} }, TypeError, /"serializer"/],
    [{ compress: 1 }, TypeError, /"compress"/],
    [{ compress: { threshold: -1 } }, RangeError, /"compress.threshold"/],
  ];
  for (const [options, error, message] of wrong) {
    const thrown = assertThrows(() => new Cache(new MemoryStore(), options as CacheOptions), error);
    assertMatch(thrown.message, message);
    assertMatch(thrown.message, /^Cannot /);
  }
});

Deno.test("new MemoryStore() refuses wrong options", () => {
  for (const options of [{ maxEntries: 0 }, { maxEntries: -1 }, { maxBytes: NaN }, { maxEntries: 1.5 }]) {
    const error = assertThrows(() => new MemoryStore(options), RangeError);
    assertMatch(
      error.message,
      /^Cannot create cache as "max(Entries|Bytes)" must be an integer >= 1: current value is /,
    );
  }
});
