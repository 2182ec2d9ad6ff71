import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { LoaderTimeoutError } from "../../../src/errors.ts";
import type { StandardSchema } from "../../../src/values/standard_schema.ts";
import type { Case } from "./harness.ts";
import { Gate, openOnHarness, outcome, pause, Source } from "./cache_tools.ts";

/** Fits values of one type; says so after a while if `later`. */
export function schemaOf<T>(type: string, options: { later?: boolean } = {}): StandardSchema<unknown, T> {
  const judge = (value: unknown) => {
    const actual: string = typeof value;
    return actual === type ? { value: value as T } : { issues: [{ message: `not a ${type}`, path: ["x"] }] };
  };
  const validate = options.later ? async (value: unknown) => (await pause(2), judge(value)) : judge;
  return { "~standard": { version: 1, vendor: "test", validate } };
}

export const cacheLoading: Readonly<Record<string, Case>> = {
  "getOrSet() loads once for a thousand callers, and each gets a copy": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<{ n: number }>();
    const callers = Array.from({ length: 1000 }, () => cache.getOrSet("a", gate.load));
    await gate.started;
    callers.push(...Array.from({ length: 10 }, () => cache.getOrSet("a", gate.load)));
    await cache.get("other");
    gate.open({ n: 1 });
    const values = await Promise.all(callers);
    assertEquals(gate.calls, 1);
    assertEquals(new Set(values).size, 1010);
    assert(values.every(({ n }) => n === 1));
    assertEquals(await cache.getOrSet("a", gate.load), { n: 1 });
    assertEquals([cache.stats().coalesced, events.count("cache.load")], [1009, 1]);
  },

  "getOrSet() loads different keys at a time": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let running = 0;
    let most = 0;
    const load = async () => {
      most = Math.max(most, ++running);
      await pause(5);
      return running--;
    };
    await Promise.all(Array.from({ length: 300 }, (_, i) => cache.getOrSet(`${i % 100}`, load)));
    assertEquals([most > 50, cache.stats().loads], [true, 100]);
  },

  "getOrSet() loads once for several processes": async (harness) => {
    const caches = [await openOnHarness(harness), await openOnHarness(harness), await openOnHarness(harness)];
    const source = new Source();
    const load = async () => {
      await pause(20);
      return source.load();
    };
    const callers = Array.from({ length: 300 }, (_, i) => caches[i % 3]!.cache.getOrSet("a", load));
    assertEquals(new Set(await Promise.all(callers)), new Set([1]));
    assertEquals(source.calls, 1);
  },

  "getOrSet() shares a rejection, and the next call loads anew": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const callers = Array.from({ length: 100 }, () => outcome(cache.getOrSet("a", gate.load)));
    await gate.started;
    const error = new Error("no");
    gate.fail(error);
    assertEquals(new Set(await Promise.all(callers)), new Set(["error: no"]));
    assertEquals(gate.calls, 1);
    assertStrictEquals(events.of("cache.load_error")[0]?.error, error);
    assertEquals(await cache.getOrSet("a", () => 2), 2);
    assertEquals(await cache.get("a"), 2);
  },

  "getOrSet() rejects with whatever the loader throws": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const thrown of [new Error("sync"), "text", undefined, null, 0]) {
      for (
        const load of [
          () => {
            throw thrown;
          },
          () => Promise.reject(thrown),
        ]
      ) {
        const rejected = await cache.getOrSet("a", load).then(() => undefined, (error) => ({ error }));
        assert(rejected);
        assertStrictEquals(rejected.error, thrown);
      }
    }
    assertEquals(await cache.getOrSet("a", () => 1), 1);
  },

  "getOrSet() loads when the loader of another process failed": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<number>();
    const first = outcome(one.cache.getOrSet("a", gate.load));
    await gate.started;
    const second = two.cache.getOrSet("a", () => 2);
    await two.cache.get("b");
    gate.fail(new Error("no"));
    assertEquals([await first, await second], ["error: no", 2]);
    assertEquals(await one.cache.get("a"), 2);
  },

  "getOrSet() loads when the process that was loading is dead": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.store.read("a", { lease: 100 });
    const source = new Source();
    const callers = Promise.all(Array.from({ length: 20 }, () => two.cache.getOrSet("a", source.load)));
    await two.cache.get("b");
    await harness.advance(100);
    assertEquals(new Set(await callers), new Set([1]));
    assertEquals(source.calls, 1);
  },

  "getOrSet() with `lock: false` does not wait for another process": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<string>();
    const first = one.cache.getOrSet("a", gate.load, { lock: false });
    await gate.started;
    assertEquals(await two.cache.getOrSet("a", () => "second", { lock: false }), "second");
    gate.open("first");
    assertEquals(await first, "first");
    assertEquals(await one.cache.get("a"), "second");
  },

  "With `unstorable` as throw, a loader's value that cannot be stored is a TypeError, and the next call loads anew":
    async (
      harness,
    ) => {
      const { cache } = await openOnHarness(harness, { maxBytes: 1000, unstorable: "throw" });
      const bad: [unknown, new () => Error, string][] = [
        [() => 1, TypeError, "a function"],
        [Symbol("s"), TypeError, "symbol"],
        [{ a: { b: new WeakMap() } }, TypeError, "WeakMap"],
        ["x".repeat(2000), RangeError, "1000 bytes"],
      ];
      for (const [value, kind, text] of bad) {
        const callers = [1, 2].map(() => assertRejects(() => cache.getOrSet("a", () => value), kind, text));
        for (const { message } of await Promise.all(callers)) assert(message.startsWith('Cannot cache "a'), message);
        assertEquals(await cache.getOrSet("b", () => 1), 1);
        await cache.invalidate("b");
      }
      assertEquals(await cache.getOrSet("a", () => 1), 1);
      assertEquals(await cache.get("a"), 1);
    },

  "A loader's tags and ttl are checked like those of the caller": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const wrong = { tags: () => [1 as unknown as string] };
    await assertRejects(() => cache.getOrSet("a", () => 1, wrong), TypeError, "a string as the tag, got 1");
    await assertRejects(() => cache.getOrSet("a", () => 1, { tags: () => [""] }), RangeError, "got an empty string");
    await assertRejects(() => cache.getOrSet("a", () => 1, { ttl: () => -1 }), RangeError, '"ttl"');
    const late = { ttl: (value: number) => value };
    await assertRejects(() => cache.getOrSet("a", ({ setTtl }) => (setTtl("soon"), 1), late), TypeError, '"soon"');
    await assertRejects(() => cache.getOrSet("a", ({ setTags }) => (setTags(["\n"]), 1)), TypeError, "U+000A");
    assertEquals(await cache.has("a"), false);
    assertEquals(await cache.getOrSet("a", () => 30, late), 30);
    assert((await cache.ttl("a"))! <= 30);
  },

  "A value that does not fit the schema is a miss, told once, and is replaced": async (harness) => {
    for (const later of [false, true]) {
      const { cache, events } = await openOnHarness(harness);
      const schema = schemaOf<number>("number", { later });
      await cache.set("a", "text");
      assertEquals(await cache.get("a", { schema }), undefined);
      assertEquals((await cache.lookup("a", { schema })).status, "miss");
      assertEquals((await cache.getMany(["a"], { schema })).size, 0);
      assertEquals(await cache.get("a"), "text");
      assertEquals(events.count("cache.schema_mismatch"), 3);
      const source = new Source();
      const callers = [1, 2, 3].map(() => cache.getOrSet("a", source.load, { schema }));
      assertEquals(await Promise.all(callers), [1, 1, 1]);
      assertEquals([source.calls, await cache.get("a", { schema })], [1, 1]);
      assertEquals(
        events.of("cache.schema_mismatch").slice(0, 3),
        Array(3).fill({
          type: "cache.schema_mismatch",
          key: "a",
          issues: ["x: not a number"],
        }),
      );
      assertEquals(events.count("cache.schema_mismatch"), 6);
      await cache.invalidate("a");
    }
  },

  "A loader's value that does not fit the schema is a TypeError and is not stored": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const later of [false, true]) {
      const schema = schemaOf<number>("number", { later });
      const load = () => "text" as unknown as number;
      const error = await assertRejects(() => cache.getOrSet("a", load, { schema }), TypeError);
      assertEquals(error.message, 'Cannot cache "a": wanted a value that fits the schema, got x: not a number');
      assertEquals(await cache.has("a"), false);
      assertEquals(await cache.getOrSet("a", () => 1, { schema }), 1);
      await cache.invalidate("a");
    }
  },

  "A schema may change the value, for every caller alike, and its tags": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const schema: StandardSchema<unknown, Date> = {
      "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: new Date(value as string) }) },
    };
    const load = () => "2000-01-01T00:00:00.000Z" as unknown as Date;
    const tags = (date: Date) => [`year:${date.getUTCFullYear()}`];
    const values = await Promise.all([1, 2, 3].map(() => cache.getOrSet("a", load, { schema, tags })));
    values.push((await cache.get("a", { schema }))!);
    for (const value of values) assertEquals(value, new Date("2000-01-01"));
    assertEquals((await cache.lookup("a")).tags, ["year:2000"]);
  },

  "A reader with another schema than the loader loads for itself": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const gate = new Gate<unknown>();
    const first = cache.getOrSet("a", gate.load);
    await gate.started;
    const second = cache.getOrSet("a", () => 2, { schema: schemaOf<number>("number") });
    await cache.get("b");
    gate.open("text");
    assertEquals([await first, await second], ["text", 2]);
    assertEquals(await cache.get("a"), 2);
  },

  "Values that take time to decode are loaded once all the same": async (harness) => {
    const options = { compress: { threshold: 0 }, ttl: 10, staleWhileRevalidate: 100, staleIfError: 1000 };
    const { cache, events } = await openOnHarness(harness, options);
    const text = "lorem ipsum ".repeat(2000);
    let loads = 0;
    const load = () => text + ++loads;
    const callers = () => Promise.all(Array.from({ length: 200 }, () => cache.getOrSet("a", load)));
    assertEquals(new Set(await callers()), new Set([text + 1]));
    await harness.advance(50_000); // stale
    assertEquals(new Set(await callers()), new Set([text + 1]));
    await events.until("cache.load", 2);
    await pause(10);
    assertEquals([loads, await cache.get("a")], [2, text + 2]);
    await harness.advance(500_000); // expired
    const values = new Set(await callers());
    await pause(10);
    assertEquals([loads, values], [3, new Set([text + 3])]);
  },

  "Values whose schema takes time are loaded once all the same": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 10, staleWhileRevalidate: 100, staleIfError: 1000 });
    const source = new Source();
    const schema = schemaOf<number>("number", { later: true });
    const callers = () => Promise.all(Array.from({ length: 50 }, () => cache.getOrSet("a", source.load, { schema })));
    assertEquals(new Set(await callers()), new Set([1]));
    await harness.advance(50_000); // stale
    assertEquals(new Set(await callers()), new Set([1]));
    await events.until("cache.load", 2);
    await pause(10);
    assertEquals(source.calls, 2);
    await harness.advance(500_000); // expired
    assertEquals(new Set(await callers()), new Set([3]));
    await pause(10);
    assertEquals(source.calls, 3);
  },

  "A loader may ask another key of the same cache": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const value = await cache.getOrSet("a", async () => 1 + await cache.getOrSet("b", () => 1));
    assertEquals([value, await cache.get("a"), await cache.get("b")], [2, 2, 1]);
  },

  "getOrSet() takes the value of a loader that outlives its lease": async (harness) => {
    const [one, two] = [
      await openOnHarness(harness, { lease: "200ms" }),
      await openOnHarness(harness, { lease: "200ms" }),
    ];
    const source = new Source();
    const slow = async () => {
      await pause(450);
      return source.load();
    };
    const values = [one.cache.getOrSet("a", slow), one.cache.getOrSet("a", slow)];
    await pause(250);
    values.push(two.cache.getOrSet("a", slow));
    assertEquals([await Promise.all(values), source.calls], [[1, 1, 1], 1]);
  },

  "getOrSet() with a `hardTimeout` ends the wait, and the loader goes on": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<number>();
    // A busy machine may not come to the loader in time, and then nobody calls it.
    while (gate.calls === 0) {
      await assertRejects(() => cache.getOrSet("a", gate.load, { hardTimeout: "20ms" }), LoaderTimeoutError, '"a"');
    }
    gate.open(1);
    await events.until("cache.load", 1);
    assertEquals([await cache.get("a"), gate.calls], [1, 1]);
  },
};
