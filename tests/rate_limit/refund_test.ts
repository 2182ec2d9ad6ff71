/**
 * A refund gives back its own call and nothing else.
 *
 * @module
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { connect, RedisError } from "../../mod.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import type { LimitStore, Standing, Step } from "../../src/rate_limit/store.ts";
import { UnavailableError } from "../../src/errors.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { EFFORT, randomFrom } from "./effort.ts";
import { ALGORITHMS, type LimiterUnderTest, onBothStores, openMemory, openRedis, rule } from "./stores.ts";

const ID = "192.0.2.7";

/** Runs a case for each algorithm on both stores. */
async function forAll(
  t: Deno.TestContext,
  run: (test: LimiterUnderTest, algorithm: (typeof ALGORITHMS)[number]) => Promise<void>,
): Promise<void> {
  const cases = ALGORITHMS.map((algorithm) => [algorithm, (test: LimiterUnderTest) => run(test, algorithm)] as const);
  await onBothStores(t, Object.fromEntries(cases));
}

async function left({ limiter }: LimiterUnderTest): Promise<number> {
  return (await limiter.peek("BACK", ID)).remaining;
}

Deno.test("Reservation.refund() gives back nothing of others after a reset, and says so", async (t) => {
  await forAll(t, async (test, algorithm) => {
    const { limiter, clock } = test;
    limiter.define("BACK", { limit: 5, window: "1m", algorithm });
    for (const passes of [0, 1, 700]) {
      const call = await limiter.reserve("BACK", ID);
      clock.pass(passes);
      assertEquals(await limiter.reset("BACK", ID), true);
      clock.pass(passes);
      const others = await Promise.all(Array.from({ length: 5 }, () => limiter.check("BACK", ID)));
      assert(others.every(({ allowed }) => allowed));
      assertEquals([await call.refund(), await left(test)], [false, 0]);
      assertEquals((await limiter.check("BACK", ID)).allowed, false);
      await limiter.reset("BACK", ID);
    }
    // Who reserves after the reset gets his own back.
    await limiter.check("BACK", ID);
    await limiter.reset("BACK", ID);
    const own = await limiter.reserve("BACK", ID, { cost: 2 });
    assertEquals([await left(test), await own.refund(), await left(test)], [3, true, 5]);
  });
});

Deno.test("Reservation.refund() gives back nothing of a penalty, and its own call beside one", async (t) => {
  await forAll(t, async (test, algorithm) => {
    const { limiter, clock } = test;
    limiter.define("BACK", { limit: 5, window: "1m", algorithm });
    const beside = await limiter.reserve("BACK", ID);
    await limiter.penalize("BACK", ID, 2);
    assertEquals([await left(test), await beside.refund(), await left(test)], [2, true, 3]);
    await limiter.reset("BACK", ID);
    for (const passes of [0, 1]) {
      const displaced = await limiter.reserve("BACK", ID);
      clock.pass(passes);
      await limiter.penalize("BACK", ID, 5);
      const before = await left(test);
      await displaced.refund();
      assertEquals([before, await left(test)], [0, 0], `${passes} ms later`);
      await limiter.reset("BACK", ID);
    }
  });
});

Deno.test("Reservation.refund() finds its call when the limit was changed meanwhile", async (t) => {
  await forAll(t, async (test, algorithm) => {
    const { limiter } = test;
    for (const [before, after] of [[5, 8], [8, 5], [300, 500], [500, 300]] as const) {
      if (algorithm === "exact" && before > 100) continue;
      limiter.define("BACK", { limit: before, window: "1m", algorithm });
      const call = await limiter.reserve("BACK", ID);
      await limiter.check("BACK", ID, { cost: 2 });
      limiter.define("BACK", { limit: after, window: "1m", algorithm });
      assertEquals(await left(test), after - 3);
      assertEquals([await call.refund(), await left(test)], [true, after - 2]);
      await limiter.reset("BACK", ID);
    }
    // One that is counted in another way leaves its call where it was.
    limiter.define("BACK", { limit: 5, window: "1m", algorithm });
    const call = await limiter.reserve("BACK", ID);
    const other = algorithm === "exact" ? "fixed-window" : "exact";
    limiter.define("BACK", { limit: 5, window: "1m", algorithm: other });
    await limiter.check("BACK", ID);
    await call.refund();
    assertEquals(await left(test), 4);
    limiter.define("BACK", { limit: 5, window: "1m", algorithm });
    assertEquals(await left(test), 5);
  });
});

Deno.test("Reservation.refund() says no when its call has ended, and takes nothing of the next window", async (t) => {
  await forAll(t, async (test, algorithm) => {
    const { limiter, clock } = test;
    limiter.define("BACK", { limit: 5, window: "10s", algorithm });
    const call = await limiter.reserve("BACK", ID, { cost: 2 });
    clock.pass(20_000);
    await limiter.check("BACK", ID, { cost: 3 });
    assertEquals([await call.refund(), await left(test)], [false, 2]);
  });
});

Deno.test("LimitStore gives back no more than was reserved, whatever happens between", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    for (const [kind, open] of [["memory", openMemory], ["redis", () => openRedis(server)]] as const) {
      await t.step(`${kind}: ${algorithm}`, async () => {
        const random = randomFrom(17);
        await using opened = await open();
        const { store, clock } = opened;
        const limit = rule({ algorithm, limit: 12, window: 1200 });
        const ask = async (action: Step["action"], cost: number, more: Partial<Step> = {}): Promise<Standing> =>
          (await store.run([{ rule: limit, id: "a", action, cost, ...more }]))[0]!;
        let open_: { cost: number; reserved: Standing["reserved"]; ticket: string }[] = [];
        let refunds = 0;
        for (let i = 0; i < 200 * EFFORT; i++) {
          if (random() < 0.6) clock.pass(Math.floor(random() * 120));
          const choice = random();
          const cost = 1 + Math.floor(random() * 3);
          if (choice < 0.35) {
            const { allowed, reserved } = await ask("reserve", cost);
            if (allowed) open_.push({ cost, reserved, ticket: crypto.randomUUID() });
          } else if (choice < 0.45) await ask("check", cost);
          else if (choice < 0.5) await ask("penalize", cost);
          else if (choice < 0.53) {
            await ask("reset", 1);
          } else if (open_.length > 0) {
            const at = Math.floor(random() * open_.length);
            const { cost, reserved, ticket } = open_[at]!;
            const before = (await ask("peek", 1)).remaining;
            const first = await ask("refund", cost, { reserved: reserved!, ticket });
            assertLessOrEqual(first.remaining - before, cost);
            assertEquals(first.allowed || first.remaining === before, true, "says no and gives back");
            if (first.allowed) refunds++;
            // However often it is tried again.
            const again = await ask("refund", cost, { reserved: reserved!, ticket });
            assertEquals([again.allowed, again.remaining], [first.allowed, first.remaining]);
            open_ = open_.filter((_, i) => i !== at);
          }
        }
        assert(refunds > 20, `${refunds} refunds`);
      });
    }
  }
});

Deno.test("gcra gives back what is left of a call, however others were given back before", async (t) => {
  await onBothStores(t, {
    "gcra": async (test) => {
      const { limiter, clock } = test;
      limiter.define("BACK", { limit: 5, window: "5s", burst: 5, algorithm: "gcra" });
      const [one, two] = [await limiter.reserve("BACK", ID), await limiter.reserve("BACK", ID)];
      assertEquals(await one.refund(), true);
      clock.pass(900);
      await limiter.check("BACK", ID); // another, a tenth behind what is left of the second
      await two.refund();
      const { resetAfter } = await limiter.peek("BACK", ID);
      assertEquals(resetAfter, 1);
    },
  });
});

/** A store that answers, or fails before or after it has done what it was asked. */
class FailingStore implements LimitStore {
  readonly kind = "redis" as const;
  readonly memory = new MemoryLimitStore({ now: () => 1_700_000_000_000 });
  fails: "before" | "after" | undefined;
  refunds = 0;

  async run(steps: readonly Step[]): Promise<Standing[]> {
    if (steps[0]!.action === "refund") this.refunds++;
    if (this.fails === "before") throw new UnavailableError("count rate limit", "connection");
    const standings = await this.memory.run(steps);
    if (this.fails === "after") throw new UnavailableError("count rate limit", "timeout");
    return standings;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.memory[Symbol.asyncDispose]();
  }
}

Deno.test("Reservation.refund() may be tried again after an outage, and is done once", async (t) => {
  for (const fails of ["before", "after"] as const) {
    await t.step(`the store fails ${fails} it has given back`, async () => {
      const store = new FailingStore();
      await using limiter = new RateLimiter(store);
      await limiter.check("AUTH", ID, { cost: 2 });
      const call = await limiter.reserve("AUTH", ID);
      store.fails = fails;
      assertEquals([await call.refund(), await call.refund()], [false, false]);
      store.fails = undefined;
      assertEquals([await call.refund(), await call.refund(), await call.commit()], [true, false, false]);
      assertEquals((await limiter.peek("AUTH", ID)).remaining, 3);
      assertEquals(store.refunds, 3);
    });
  }
  await t.step("one that a signal has ended, too", async () => {
    const store = new FailingStore();
    await using limiter = new RateLimiter(store);
    const call = await limiter.reserve("AUTH", ID);
    const reason = new Error("enough");
    assertEquals(await call.refund({ signal: AbortSignal.abort(reason) }).catch((error) => error), reason);
    assertEquals([await call.refund(), await call.refund()], [true, false]);
  });
  await t.step("one that is settled is not", async () => {
    const store = new FailingStore();
    await using limiter = new RateLimiter(store);
    const call = await limiter.reserve("AUTH", ID);
    assertEquals([await call.commit(), await call.refund()], [true, false]);
  });
});

Deno.test("Reservation.refund() whose reply is lost is done once on a real server, for every algorithm", async () => {
  await using server = await RedisServer.start();
  await using proxy = TcpProxy.start(server);
  await using redis = await connect({ url: proxy.url, namespace: "lost" });
  await redis.ready({ timeout: "60s" });
  for (const algorithm of ALGORITHMS) {
    const limits = redis.rateLimit.define("BACK", { limit: 9, window: "1h", algorithm });
    const decided = async () => (await limits.peek("BACK", "probe")).source === "redis";
    await until(decided, "Redis decides");
    await limits.check("BACK", algorithm, { cost: 4 });
    const call = await limits.reserve("BACK", algorithm, { cost: 3 });
    assertEquals(call.source, "redis");
    // The server takes it up, and the reply never arrives.
    proxy.delay = 30;
    const lost = call.refund();
    await new Promise((resolve) => setTimeout(resolve, 45));
    proxy.cut();
    assertEquals(await lost, false);
    proxy.delay = 0;
    await until(decided, "Redis decides again");
    let again = false;
    await until(async () => again = again || await call.refund(), "it is given back");
    assertEquals((await limits.peek("BACK", algorithm)).remaining, 5, algorithm);
    assertEquals(await call.refund(), false);
  }
});

Deno.test("RedisLimitStore keeps no mark and no ticket for ever, and no mark of what nobody used", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "marks", rateLimit: { timeout: "10s" } });
  const { rateLimit } = redis;
  await rateLimit.reset("AUTH", "nobody");
  assertEquals(await server.cli("KEYS", "*"), []);
  for (const algorithm of ALGORITHMS) {
    const limits = rateLimit.define("BACK", { limit: 9, window: "10m", algorithm });
    await limits.check("BACK", algorithm);
    await limits.reset("BACK", algorithm);
    await (await limits.reserve("BACK", algorithm)).refund();
    await limits.penalize("BACK", algorithm, 5);
    await limits.penalize("BACK", algorithm, 9);
  }
  const keys = (await server.cli("KEYS", "{marks}:r*")) as string[];
  assert(keys.length >= 2 * ALGORITHMS.length);
  for (const key of keys) {
    const ttl = Number(await server.cli("PTTL", key));
    assert(ttl > 0 && ttl <= 600_000 * 27 / 26 + 1000, `${key} ${ttl}`);
  }
  const error = await redis.client.sendCommand("GET", []).catch((error) => error);
  assert(error instanceof RedisError); // the connection is in step
});
