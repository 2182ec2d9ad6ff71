import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { openOnHarness, outcome } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

const wrap: Readonly<Record<string, Case>> = {
  "wrap() remembers by the key of the arguments": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const calls: unknown[] = [];
    const area = cache.wrap((width: number, height: number) => {
      calls.push([width, height]);
      return width * height;
    }, { key: (width, height) => `area:${width}x${height}`, ttl: 60, tags: ["areas"] });
    assertEquals([await area(2, 3), await area(2, 3), await area(3, 2)], [6, 6, 6]);
    assertEquals([calls, await cache.get("area:2x3")], [[[2, 3], [3, 2]], 6]);
    await cache.invalidateByTag("areas");
    assertEquals([await area(2, 3), calls.length], [6, 3]);
  },

  "wrap() shares one call among all who come meanwhile, in all processes": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    let calls = 0;
    const slow = async (id: number) => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { id };
    };
    const options = { key: (id: number) => `slow:${id}` };
    const [first, second] = [one.cache.wrap(slow, options), two.cache.wrap(slow, options)];
    const values = await Promise.all(Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? first(1) : second(1)));
    assertEquals([new Set(values.map(({ id }) => id)), calls], [new Set([1]), 1]);
    assert(values[0] !== values[2], "callers share an object");
  },

  "wrap() passes on what the function throws, and does not keep it": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let calls = 0;
    const fails = cache.wrap((_: string): string => {
      throw new SyntaxError(`no ${++calls}`);
    }, { key: (text) => text });
    assertEquals([await outcome(fails("a")), await outcome(fails("a"))], ["error: no 1", "error: no 2"]);
  },

  "A wrapped method knows its object, and so does its key": async (harness) => {
    const { cache } = await openOnHarness(harness);
    class Area {
      calls = 0;
      readonly name: string;
      readonly height: number;
      constructor(name: string, height: number) {
        this.name = name;
        this.height = height;
      }
      readonly of = cache.wrap(function (this: Area, width: number) {
        this.calls++;
        return width * this.height;
      }, {
        key(this: Area, width: number) {
          return `${this.name}:${width}`;
        },
      });
    }
    const [low, high] = [new Area("low", 2), new Area("high", 3)];
    assertEquals([await low.of(5), await high.of(5), await low.of(5)], [10, 15, 10]);
    assertEquals([low.calls, high.calls], [1, 1]);
  },

  "A wrapped function always gives a promise, whatever its key does": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const wrong = cache.wrap((value: unknown) => `${value}`, { key: (value) => value as string });
    for (const value of [5, undefined, {}, Symbol("a")]) {
      const promise = wrong(value);
      assertInstanceOf(promise, Promise);
      await assertRejects(() => promise, TypeError, "key");
    }
    const thrown = cache.wrap(() => 1, {
      key: () => {
        throw new SyntaxError("no key");
      },
    });
    const promise = thrown();
    assertInstanceOf(promise, Promise);
    await assertRejects(() => promise, SyntaxError, "no key");
  },

  "wrap() takes no arguments that cannot be, at once": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const key = () => "a";
    for (
      const [fn, options, error] of [
        [5, { key }, "function"],
        [() => 1, {}, "key"],
        [() => 1, undefined, "key"],
        [() => 1, { key: "a" }, "key"],
        [() => 1, { key, ttl: "soon" }, "ttl"],
        [() => 1, { key, lease: -1 }, "lease"],
        [() => 1, { key, tags: [5] }, "tag"],
        [() => 1, { key, schema: 5 }, "schema"],
      ] as const
    ) {
      const thrown = assertThrows(() => cache.wrap(fn as () => number, options as { key: () => string }), Error, error);
      assert(thrown instanceof TypeError || thrown instanceof RangeError);
    }
  },
};

Deno.test("Cache.wrap() on the embedded store", async (t) => {
  await runCases(t, wrap, () => new MemoryHarness());
});

Deno.test("Cache.wrap() on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, wrap, () => new RedisHarness(server));
});
