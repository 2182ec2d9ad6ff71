import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigError, connect, RateLimiter } from "../../mod.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { presetOf } from "../../src/rate_limit/presets.ts";
import { refusal } from "../support/resolve.ts";

Deno.test("presetOf() fills in what is not given", () => {
  const of = (options: Parameters<typeof presetOf>[1]) => presetOf("X", options);
  assertEquals(of({ limit: 100, window: 60 }), {
    name: "X",
    limit: 100,
    window: 60_000,
    algorithm: "exact",
    burst: 100,
    onUnavailable: "local",
    most: 100,
  });
  assertEquals(presetOf("X", { limit: 101, window: "1h" }).algorithm, "sliding-window");
  assertEquals(presetOf("AUTH", { limit: 3, window: "1h" }).onUnavailable, "closed");
  assertEquals(presetOf("STATIC", { limit: 3, window: "1h", onUnavailable: "local" }).onUnavailable, "local");
  assertEquals(presetOf("X", { limit: 10, window: 1, algorithm: "gcra", burst: 3 }).most, 3);
  assertEquals(presetOf("X", { limit: 1, window: "365d", algorithm: "gcra", burst: 30 }).most, 30);
});

Deno.test("presetOf() refuses what is no limit", () => {
  const wrong: [unknown, string][] = [
    [undefined, "{ limit, window }"],
    [{ window: 1 }, '"limit"'],
    [{ limit: 0, window: 1 }, '"limit"'],
    [{ limit: 1.5, window: 1 }, '"limit"'],
    [{ limit: 1_000_000_001, window: 1 }, '"limit"'],
    [{ limit: "5", window: 1 }, '"limit"'],
    [{ limit: 1 }, "window"],
    [{ limit: 1, window: 0 }, "window"],
    [{ limit: 1, window: "5 minutes" }, "window"],
    [{ limit: 1, window: "367d" }, "window"],
    [{ limit: 10_001, window: 1, algorithm: "exact" }, "exact"],
    [{ limit: 1, window: 1, algorithm: "leaky" }, '"algorithm"'],
    [{ limit: 1, window: 1, onUnavailable: "deny" }, '"onUnavailable"'],
    [{ limit: 1, window: 1, burst: 2 }, '"burst"'],
    [{ limit: 1, window: 1, burst: 0, algorithm: "gcra" }, '"burst"'],
    [{ limit: 1, window: "366d", burst: 1000, algorithm: "gcra" }, '"burst"'],
    [{ limit: 1, window: "366d", burst: 31, algorithm: "gcra" }, "30 years"],
    [{ limit: 1, window: 1, max: 5 }, '"max"'],
  ];
  for (const [options, message] of wrong) assertThrows(() => presetOf("X", options), Error, message);
});

Deno.test("connect() takes presets and options of rate limits", async (t) => {
  await t.step("more of them, and others under known names", async () => {
    await using redis = await connect({
      url: "memory:",
      rateLimit: { presets: { UPLOAD: { limit: 2, window: "1h" }, AUTH: { limit: 3, window: "10m" } } },
    });
    const { rateLimit } = redis;
    assertEquals((await rateLimit.check("UPLOAD", "a")).remaining, 1);
    assertEquals((await rateLimit.check("AUTH", "a")).limit, 3);
    assertEquals((await rateLimit.check("API", "a")).limit, 1000);
    assertEquals((await rateLimit.check("API", "a")).source, "memory");
  });
  await t.step("wrong ones are refused before anything is opened", () => {
    const cases: [unknown, string][] = [
      [{ presets: { UPLOAD: { limit: 0, window: 1 } } }, "rateLimit.presets.UPLOAD"],
      [{ presets: { "a:b": { limit: 1, window: 1 } } }, "rateLimit.presets.a:b"],
      [{ presets: 5 }, "rateLimit.presets"],
      [{ timeout: 0 }, "rateLimit.timeout"],
      [{ localShare: 0 }, "rateLimit.localShare"],
      [{ localShare: 1.1 }, "rateLimit.localShare"],
      [{ maxDenials: -1 }, "rateLimit.maxDenials"],
      [{ trustProxy: true }, "rateLimit.trustProxy"],
      [{ trustProxy: ["nonsense"] }, "rateLimit.trustProxy"],
      [{ legacyHeaders: true }, "rateLimit.legacyHeaders"],
      [{ preset: {} }, "rateLimit.preset"],
    ];
    for (const [rateLimit, setting] of cases) assertEquals(refusal({ rateLimit }).setting, setting);
    const said = (preset: unknown) => refusal({ rateLimit: { presets: { UPLOAD: preset } } }).message;
    const cannot = "Cannot use rateLimit.presets.UPLOAD: wanted";
    assertEquals(
      said({ limit: 1, window: "soon" }),
      `${cannot} "window" to be seconds as a number or a string such as "30s", from 1ms to 366d, got "soon"`,
    );
    assertEquals(
      said({ limit: "5", window: 1 }),
      `${cannot} "limit" to be a whole number from 1 to 1000000000, got "5"`,
    );
    assertEquals(said({ limit: 1, windw: 1 }), `${cannot} an option that there is, such as "window", got "windw"`);
    assertEquals(said("redis://:hunter2@a"), `${cannot} { limit, window }, got a URL or an address (not shown)`);
    assertEquals(
      refusal({ rateLimit: { preset: {} } }).message,
      'Cannot use rateLimit.preset: wanted an option that there is, such as "rateLimit.presets", got an unknown name',
    );
    assert(refusal({ rateLimit: { trustProxy: true } }) instanceof ConfigError);
  });
  await t.step("after close() a check rejects", async () => {
    const redis = await connect({ url: "memory:" });
    await redis.close();
    await assertRejects(() => redis.rateLimit.check("AUTH", "a"), Error, "closed");
  });
});

Deno.test("RateLimiter refuses options that are none", () => {
  const store = new MemoryLimitStore();
  assertThrows(() => new RateLimiter(store, { localShare: 2 }), RangeError, "localShare");
  assertThrows(() => new RateLimiter(store, { maxDenials: 0.5 }), RangeError, "maxDenials");
  assertThrows(() => new RateLimiter(store, { legacyHeaders: "x" as "epoch" }), TypeError, "legacyHeaders");
  assertThrows(() => new MemoryLimitStore({ maxEntries: 0 }), RangeError, "maxEntries");
});

Deno.test("MemoryLimitStore is bounded, and forgets what counts no more", async () => {
  const store = new MemoryLimitStore({ maxEntries: 100 });
  const limiter = new RateLimiter(store);
  for (let i = 0; i < 1000; i++) await limiter.check("AUTH", `${i}`);
  assertEquals(store.size, 100);
  await limiter.reset("AUTH", "999");
  await (await limiter.reserve("AUTH", "new")).refund();
  assertEquals(store.size, 99);
});
