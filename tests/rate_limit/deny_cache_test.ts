import { assert, assertEquals, assertLess } from "@std/assert";
import { connect } from "../../mod.ts";
import { DenyCache } from "../../src/rate_limit/deny_cache.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import type { LimitStore, Standing, Step } from "../../src/rate_limit/store.ts";
import { calmly } from "../support/calm.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { TestClock } from "./stores.ts";

const REFUSED: Standing = {
  allowed: false,
  remaining: 0,
  resetAfter: 5000,
  retryAfter: 3000,
  moreAfter: 3000,
  receipt: 0,
};

Deno.test("DenyCache repeats a refusal until it ends, not a millisecond longer", () => {
  const clock = new TestClock();
  const denials = new DenyCache(10, clock.now);
  const since = denials.now();
  clock.pass(20); // on the way to the store and back
  denials.add("AUTH", "a", 1, REFUSED, since, denials.forgotten);
  // What callers are told counts from the answer: never too early.
  assertEquals(denials.find("AUTH", "a", 1), REFUSED);
  clock.pass(500);
  assertEquals(denials.find("AUTH", "a", 1), { ...REFUSED, resetAfter: 4500, retryAfter: 2500, moreAfter: 2500 });
  assertEquals(denials.find("AUTH", "a", 2), undefined, "another cost");
  assertEquals(denials.find("API", "a", 1), undefined, "another limit");
  assertEquals(denials.find("AUTH", "b", 1), undefined, "another identity");
  clock.pass(480);
  assertEquals(denials.find("AUTH", "a", 1), undefined, "one asks again each second");
  assertEquals(denials.find("AUTH", "a", 1)?.retryAfter, 2020, "and only one");
  // What is repeated ends by the time of the question: never too late.
  clock.pass(2000 - 1);
  denials.find("AUTH", "a", 1);
  assertEquals(denials.find("AUTH", "a", 1)?.retryAfter, 21);
  clock.pass(1);
  assertEquals(denials.find("AUTH", "a", 1), undefined);
  assertEquals(denials.size, 0);
});

Deno.test("DenyCache is bounded", () => {
  const denials = new DenyCache(100);
  for (let i = 0; i < 10_000; i++) denials.add("AUTH", `${i}`, 1, REFUSED, denials.now(), denials.forgotten);
  assertEquals(denials.size, 100);
  assertEquals(denials.find("AUTH", "9899", 1), undefined);
  assert(denials.find("AUTH", "9900", 1));
  denials.add("AUTH", "9900", 1, REFUSED, denials.now(), denials.forgotten);
  denials.add("AUTH", "new", 1, REFUSED, denials.now(), denials.forgotten);
  assert(denials.find("AUTH", "9900", 1), "one that is refused again is new");
  const none = new DenyCache(0);
  none.add("AUTH", "a", 1, REFUSED, none.now(), 0);
  assertEquals(none.size, 0);
});

/** A store that says what it is told, and counts how often it is asked. */
class FixedStore implements LimitStore {
  readonly kind = "redis" as const;
  asked: Step[] = [];
  standing: Standing = REFUSED;
  run(steps: readonly Step[]): Promise<Standing[]> {
    this.asked.push(...steps);
    return Promise.resolve(steps.map(() => this.standing));
  }
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

Deno.test("RateLimiter.check() repeats what Redis refused, and says so", async (t) => {
  const open = () => {
    const store = new FixedStore();
    return { store, limiter: new RateLimiter(store) };
  };
  await t.step("check, and nothing else", async () => {
    const { store, limiter } = open();
    assertEquals((await limiter.check("AUTH", "a")).source, "redis");
    for (let i = 0; i < 100; i++) {
      const { source, allowed, degraded } = await limiter.check("AUTH", "a");
      assertEquals([source, allowed, degraded], ["deny-cache", false, false]);
    }
    assertEquals(store.asked.length, 1);
    await limiter.peek("AUTH", "a");
    await limiter.penalize("AUTH", "a");
    await limiter.checkAll([["AUTH", "a"], ["API", "a"]]);
    assertEquals(store.asked.length, 5);
    const counts = { allowed: 0, refused: 102, remembered: 100, degraded: 0 };
    assertEquals(limiter.stats(), {
      ...counts,
      presets: { AUTH: counts, API: { allowed: 0, refused: 1, remembered: 0, degraded: 0 } },
    });
  });
  await t.step("a reset, a refund and a new definition end it", async () => {
    const { store, limiter } = open();
    store.standing = { ...REFUSED, allowed: true };
    const reservation = await limiter.reserve("AUTH", "a");
    for (const end of [() => limiter.reset("AUTH", "a"), () => reservation.refund()]) {
      store.standing = REFUSED;
      await limiter.check("AUTH", "a");
      assertEquals((await limiter.check("AUTH", "a")).source, "deny-cache");
      await end();
      assertEquals((await limiter.check("AUTH", "a")).source, "redis");
    }
    limiter.define("AUTH", { limit: 6, window: "5m" });
    assertEquals((await limiter.check("AUTH", "a")).source, "redis");
  });
});

Deno.test("RateLimiter.checkAll() remembers only what would be refused by itself, too", async () => {
  const clock = new TestClock();
  const memory = new MemoryLimitStore({ now: clock.now });
  const store: LimitStore = {
    kind: "redis",
    run: (steps) => memory.run(steps),
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
  await using limiter = new RateLimiter(store);
  await limiter.check("AUTH", "a", { cost: 2 });
  // The second has no room beside the first, though it would have alone.
  assertEquals((await limiter.checkAll([["AUTH", "a", 2], ["AUTH", "a", 2]])).allowed, false);
  assertEquals((await limiter.check("AUTH", "a", { cost: 2 })).allowed, true);
  assertEquals((await limiter.checkAll([["AUTH", "a", 2], ["API", "a"]])).allowed, false);
  assertEquals((await limiter.check("AUTH", "a", { cost: 2 })).source, "deny-cache");
});

Deno.test("RateLimiter on Redis asks it no more than once a second about a caller who is refused", async (t) => {
  await using server = await RedisServer.start();
  const open = () => connect({ url: server.url, namespace: "test", rateLimit: { timeout: "10s" } });
  await using one = await open();
  await using two = await open();
  // A process tells the others of itself a second after its start, which is a script too.
  await until(async () => await server.cli("ZCARD", "{test}:p") === 2, "both have told of themselves");
  const calls = async () => {
    const stats = String(await server.cli("INFO", "commandstats"));
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  await t.step("it is admitted at exactly the promised moment", async () => {
    const limits = one.rateLimit.define("SHORT", { limit: 2, window: "600ms" });
    await limits.check("SHORT", "a", { cost: 2 });
    const asking = performance.now();
    const refused = await limits.check("SHORT", "a");
    const promised = performance.now() + refused.retryAfter * 1000;
    const before = await calls();
    let asked = 0;
    let last = refused;
    const end = asking + refused.retryAfter * 1000;
    while (performance.now() < end - 30) {
      last = await limits.check("SHORT", "a");
      asked++;
      assertEquals([last.allowed, last.source], [false, "deny-cache"]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert(asked > 20);
    assertEquals(await calls(), before);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, promised - performance.now()) + 1));
    assertEquals((await limits.check("SHORT", "a")).allowed, true);
  });
  await t.step("a reset by another process is noticed within a second", async () => {
    await calmly(async () => {
      await until(async () => (await one.rateLimit.check("AUTH", "b")).source === "deny-cache", "it is refused");
      await two.rateLimit.reset("AUTH", "b");
      const start = performance.now();
      while (!(await one.rateLimit.check("AUTH", "b")).allowed) await new Promise((resolve) => setTimeout(resolve, 5));
      assertLess(performance.now() - start, 1200);
    });
  });
});
