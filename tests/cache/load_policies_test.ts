import { assert, assertEquals, assertGreater, assertInstanceOf, assertLess } from "@std/assert";
import { stub } from "@std/testing/mock";
import { LoaderTimeoutError } from "../../src/errors.ts";
import { Cache } from "../../src/cache/cache.ts";
import { isEarly, type LoadPolicy, loadPolicyOf } from "../../src/cache/policy.ts";
import type { CacheStore } from "../../src/cache/store.ts";
import { FlakyStore } from "../../src/testing/flaky_store.ts";
import { Gate, openOnHarness, outcome, pause, Source } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Fresh for 10 s, and a fallback for a day. */
const OLDER = { ttl: 10, staleIfError: "1d" } as const;
const EXPIRED = 15_000;

/** A rejection that tests look at later. */
function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then((value) => value, (error) => error);
}

const timeouts: Readonly<Record<string, Case>> = {
  "`timeout` does not matter where there is nothing older": async (harness) => {
    const { cache } = await openOnHarness(harness, { ...OLDER, timeout: "1ms" });
    const gate = new Gate<number>();
    const value = cache.getOrSet("a", gate.load);
    await gate.started;
    await pause(20);
    gate.open(1);
    assertEquals(await value, 1);
  },

  "With a `timeout`, callers are given the new value if it comes in time": async (harness) => {
    const [one, two] = [await openOnHarness(harness, OLDER), await openOnHarness(harness, OLDER)];
    await one.cache.set("a", 1);
    await harness.advance(EXPIRED);
    const gate = new Gate<number>();
    const loading = one.cache.getOrSet("a", gate.load, { timeout: "1m" });
    await gate.started;
    const joined = one.cache.getOrSet("a", gate.load, { timeout: "1m" });
    const waiting = two.cache.getOrSet("a", gate.load, { timeout: "1m" });
    await pause(20);
    gate.open(2);
    assertEquals([await loading, await joined, await waiting, gate.calls], [2, 2, 2, 1]);
  },

  "With a `timeout` of 0, the older value is served at once": async (harness) => {
    const [one, two] = [await openOnHarness(harness, OLDER), await openOnHarness(harness, OLDER)];
    await one.cache.set("a", 1);
    await harness.advance(EXPIRED);
    const gate = new Gate<number>();
    for (const { cache } of [one, one, two]) assertEquals(await cache.getOrSet("a", gate.load, { timeout: 0 }), 1);
    assertEquals(gate.calls, 1);
    gate.open(2);
    await one.events.until("cache.load", 1);
    assertEquals(await two.cache.getOrSet("a", gate.load, { timeout: 0 }), 2);
  },

  "Each caller has a `timeout` of its own, in whatever process it waits": async (harness) => {
    const [one, two] = [await openOnHarness(harness, OLDER), await openOnHarness(harness, OLDER)];
    await one.cache.set("a", 1);
    await harness.advance(EXPIRED);
    const gate = new Gate<number>();
    const patient = [one, two].map(({ cache }) => cache.getOrSet("a", gate.load));
    await gate.started;
    await pause(30);
    const began = performance.now();
    const hasty = [one, two].map(({ cache }) => cache.getOrSet("a", gate.load, { timeout: "50ms" }));
    assertEquals(await Promise.all(hasty), [1, 1]);
    const took = performance.now() - began;
    assertGreater(took, 45);
    assertLess(took, 500);
    gate.open(2);
    assertEquals(await Promise.all(patient), [2, 2]);
  },

  "A loader that fails after the `timeout` pauses the next, and harms nobody": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...OLDER, timeout: "5ms", retryAfter: 60 });
    await cache.set("a", 1);
    await harness.advance(EXPIRED);
    const gate = new Gate<number>();
    assertEquals(await cache.getOrSet("a", gate.load), 1);
    gate.fail(new Error("late"));
    await events.until("cache.load_error", 1);
    await pause(5);
    for (let i = 0; i < 3; i++) assertEquals(await cache.getOrSet("a", gate.load), 1);
    assertEquals([gate.calls, events.of("cache.load_error")[0]!.fallback], [1, true]);
  },

  "With a `hardTimeout`, each caller gives up by itself, and none of them loads again": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const began = performance.now();
    const callers = [20, 40, 60].map((ms) => caught(cache.getOrSet("a", gate.load, { hardTimeout: `${ms}ms` })));
    const patient = cache.getOrSet("a", gate.load);
    const errors = await Promise.all(callers);
    assertGreater(performance.now() - began, 55);
    for (const error of errors) assertInstanceOf(error, LoaderTimeoutError);
    gate.open(1);
    assertEquals(await patient, 1);
    await events.until("cache.load", 1);
    assertEquals([await cache.get("a"), gate.calls], [1, 1]);
  },

  "A `hardTimeout` ends the wait for a loader of another process": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    const gate = new Gate<number>();
    const held = one.cache.getOrSet("a", gate.load);
    await gate.started;
    assertInstanceOf(await caught(two.cache.getOrSet("a", gate.load, { hardTimeout: "20ms" })), LoaderTimeoutError);
    gate.open(1);
    assertEquals([await held, gate.calls], [1, 1]);
  },

  "A `hardTimeout` counts from the call, the store's part of it too": async (harness) => {
    const store = new FlakyStore(await harness.open());
    await using cache = new Cache(store);
    store.delay = 400;
    const began = performance.now();
    assertInstanceOf(await caught(cache.getOrSet("a", () => 1, { hardTimeout: "50ms" })), LoaderTimeoutError);
    assertLess(performance.now() - began, 300);
    await pause(600); // until the store is done
    store.delay = 0;
    assertEquals(await cache.getOrSet("a", () => 2, { hardTimeout: "5s" }), 2);
  },

  "A `timeout` shorter than the `hardTimeout` gives the older value, a longer one the error": async (harness) => {
    for (const [timeout, hardTimeout, wanted] of [["10ms", "500ms", 1], ["500ms", "10ms", "error"]] as const) {
      const { cache } = await openOnHarness(harness, OLDER);
      await cache.set(timeout, 1);
      await harness.advance(EXPIRED);
      const gate = new Gate<number>();
      const value = await caught(cache.getOrSet(timeout, gate.load, { timeout, hardTimeout }));
      assertEquals(value instanceof LoaderTimeoutError ? "error" : value, wanted);
      gate.open(2);
    }
  },

  "A signal ends a wait before the `hardTimeout` does, and the other way round": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const abort = new AbortController();
    const aborted = caught(cache.getOrSet("a", gate.load, { hardTimeout: "1h", signal: abort.signal }));
    await gate.started;
    abort.abort(new Error("enough"));
    assertEquals((await aborted as Error).message, "enough");
    const { signal } = new AbortController();
    assertInstanceOf(
      await caught(cache.getOrSet("a", gate.load, { hardTimeout: "5ms", signal })),
      LoaderTimeoutError,
    );
    gate.open(1);
  },
};

const early: Readonly<Record<string, Case>> = {
  "`refreshAhead` costs one look at the lease however many read at once": async (harness) => {
    let looks = 0;
    const counting = (store: CacheStore): CacheStore =>
      new Proxy(store, {
        get(target, property) {
          const value = Reflect.get(target, property, target);
          if (property !== "read") return typeof value === "function" ? value.bind(target) : value;
          return (...args: Parameters<CacheStore["read"]>) => {
            if (args[1]?.refresh) looks++;
            return target.read(...args);
          };
        },
      });
    const holder = await openOnHarness(harness, { ttl: 100, refreshAhead: 20 });
    await using cache = new Cache(counting(await harness.open()), { ttl: 100, refreshAhead: 20 });
    await holder.cache.set("a", 1);
    await harness.advance(90_000);
    const gate = new Gate<number>();
    assertEquals(await holder.cache.getOrSet("a", gate.load), 1);
    await gate.started; // in another process
    await Promise.all(Array.from({ length: 500 }, () => cache.getOrSet("a", gate.load)));
    assertEquals([looks, gate.calls], [1, 1]);
    gate.open(2);
    await holder.events.until("cache.load", 1);
    assertEquals(await cache.getOrSet("a", gate.load), 2);
  },

  "A value that cannot be refreshed ahead is served to its end, with a pause between attempts": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 100, refreshAhead: 20, retryAfter: 5 });
    const source = new Source();
    source.down = true;
    await cache.set("a", 1);
    await harness.advance(85_000);
    for (let attempt = 1; attempt <= 2; attempt++) {
      for (let i = 0; i < 3; i++) {
        assertEquals(await cache.getOrSet("a", source.load), 1);
        await events.until("cache.load_error", attempt);
        await pause(2);
      }
      assertEquals(source.calls, attempt);
      await harness.advance(6000);
    }
    await harness.advance(10_000);
    assertEquals(await outcome(cache.getOrSet("a", source.load)), "error: the source is down");
  },

  "getOrSetMany() refreshes ahead as getOrSet() does, with one call": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ttl: 100, refreshAhead: 20 });
    const calls: (readonly string[])[] = [];
    const load = (keys: readonly string[]) => {
      calls.push(keys);
      return Promise.resolve(new Map(keys.map((key) => [key, calls.length])));
    };
    await cache.getOrSetMany(["a", "b"], load);
    await harness.advance(90_000);
    assertEquals([...(await cache.getOrSetMany(["a", "b"], load)).values()], [1, 1]);
    await events.until("cache.load", 4);
    assertEquals([...(await cache.getMany(["a", "b"])).values()], [2, 2]);
    assertEquals(calls, [["a", "b"], ["a", "b"]]);
  },

  "`beta` goes by how long the loader took, whoever ran it": async (harness) => {
    const [one, two] = [
      await openOnHarness(harness, { ttl: 100 }),
      await openOnHarness(harness, { ttl: 100, beta: 1 }),
    ];
    await one.cache.getOrSet("slow", async () => (await pause(30), 1));
    await one.cache.set("set", 1);
    // ln(1 - r) = -1e4: a load of 30 ms would be due 300 s before the end, one of 0 ms never.
    const gate = new Gate<number>();
    {
      using _ = stub(Math, "log", () => -1e4);
      assertEquals(await two.cache.getOrSet("set", gate.load), 1);
      assertEquals(await two.cache.getOrSet("slow", gate.load), 1);
      await gate.started;
    }
    gate.open(2);
    await two.events.until("cache.load", 1);
    assertEquals([await two.cache.get("set"), await two.cache.get("slow"), gate.calls], [1, 2, 1]);
  },
};

const lifetimes: Readonly<Record<string, Case>> = {
  "A ttl that a function gives may be anything that a ttl may be, and is shared by all windows": async (harness) => {
    const { cache } = await openOnHarness(harness, { staleWhileRevalidate: 10, ttl: 1000 });
    for (const [key, ttl] of [["number", 20], ["text", "20s"], ["fraction", 20.5]] as const) {
      await cache.getOrSet(key, () => key, { ttl: () => ttl });
      const left = (await cache.ttl(key))!;
      const wanted = Number.parseFloat(`${ttl}`);
      assert(left > wanted - 1 && left <= wanted, `${left}`);
    }
    await cache.getOrSet("ever", () => 1, { ttl: () => 0 });
    assertEquals(await cache.ttl("ever"), Infinity);
    await harness.advance(25_000);
    assertEquals((await cache.lookup("number")).status, "stale");
    await harness.advance(10_000);
    assertEquals((await cache.lookup("number")).status, "miss");
  },

  "setTtl() beats a ttl that a function gives": async (harness) => {
    const { cache } = await openOnHarness(harness);
    await cache.getOrSet("a", ({ setTtl }) => (setTtl(20), 1), { ttl: () => 1000 });
    assert((await cache.ttl("a"))! <= 20);
  },

  "A function that gives no ttl rejects, and the next call loads anew": async (harness) => {
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    for (
      const [ttl, error] of [
        [() => -1, RangeError],
        [() => NaN, RangeError],
        [() => "soon", TypeError],
        [() => undefined, TypeError],
        [() => {
          throw new SyntaxError("no");
        }, SyntaxError],
      ] as const
    ) {
      assertInstanceOf(await caught(one.cache.getOrSet("a", () => 1, { ttl: ttl as () => number })), error);
      assertEquals(await two.cache.getOrSet("a", () => 2), 2); // no lease is left
      await two.cache.invalidate("a");
    }
  },

  "Without a `retryAfter`, every call tries again": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...OLDER, retryAfter: 0 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    source.down = true;
    await harness.advance(EXPIRED);
    for (let i = 1; i <= 3; i++) {
      assertEquals(await cache.getOrSet("a", source.load), 1);
      await events.until("cache.load_error", i);
    }
    assertEquals(source.calls, 4);
  },

  "`retryAfter` counts from the last failure, for all processes, and ends with a success": async (harness) => {
    const options = { ...OLDER, retryAfter: 5 };
    const [one, two] = [await openOnHarness(harness, options), await openOnHarness(harness, options)];
    const source = new Source();
    await one.cache.getOrSet("a", source.load);
    source.down = true;
    await harness.advance(EXPIRED);
    for (let round = 1; round <= 3; round++) {
      for (const { cache } of [one, two, one, two]) assertEquals(await cache.getOrSet("a", source.load), 1);
      assertEquals(source.calls, 1 + round);
      await harness.advance(4000);
      for (const { cache } of [one, two]) assertEquals(await cache.getOrSet("a", source.load), 1);
      assertEquals(source.calls, 1 + round);
      await harness.advance(1500);
    }
    source.down = false;
    assertEquals([await two.cache.getOrSet("a", source.load), await one.cache.get("a")], [2, 2]);
  },

  "With `lock: false`, callers of one process still share one loader": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const callers = Array.from({ length: 50 }, () => cache.getOrSet("a", gate.load, { lock: false }));
    await gate.started;
    callers.push(cache.getOrSet("a", gate.load, { lock: false }));
    await pause(5);
    gate.open(1);
    assertEquals([new Set(await Promise.all(callers)), gate.calls], [new Set([1]), 1]);
  },

  "With `lock: false`, a pause after a failure holds, and a stale value is served": async (harness) => {
    const { cache, events } = await openOnHarness(harness, { ...OLDER, staleWhileRevalidate: 5, retryAfter: 60 });
    const source = new Source();
    await cache.getOrSet("a", source.load);
    source.down = true;
    await harness.advance(12_000);
    assertEquals(await cache.getOrSet("a", source.load, { lock: false }), 1);
    await events.until("cache.load_error", 1);
    await pause(5);
    for (const wait of [0, 10_000]) {
      await harness.advance(wait);
      for (let i = 0; i < 3; i++) assertEquals(await cache.getOrSet("a", source.load, { lock: false }), 1);
    }
    assertEquals(source.calls, 2);
  },
};

const ALL = { ...timeouts, ...early, ...lifetimes };

Deno.test("Load policies on the embedded store", async (t) => {
  await runCases(t, ALL, () => new MemoryHarness());
});

Deno.test("Load policies on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, ALL, () => new RedisHarness(server));
});

Deno.test("isEarly() follows refreshAhead and the formula of XFetch", () => {
  const policy = (options: Partial<LoadPolicy>): LoadPolicy => ({ ...loadPolicyOf({}), ...options });
  const never = policy({});
  assertEquals([isEarly(never, 0, 1000, () => 0.999), isEarly(never, -5, 1000)], [false, false]);
  const ahead = policy({ refreshAhead: 100 });
  assertEquals([101, 100, 99, 0].map((left) => isEarly(ahead, left, 0)), [false, true, true, true]);
  // -ln(1 - 0.5) = 0.693…
  const beta = policy({ beta: 2 });
  assertEquals([1387, 1386].map((left) => isEarly(beta, left, 1000, () => 0.5)), [false, true]);
  assertEquals(isEarly(beta, 1, 1000, () => 0), false);
  assertEquals(isEarly(beta, Infinity, 1000, () => 1 - 2 ** -53), false);
});
