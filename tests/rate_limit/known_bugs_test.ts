/**
 * Bugs of other rate limiters, each by a test that fails where it is.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ALGORITHMS } from "./stores.ts";

Deno.test("RateLimiter has none of the bugs of others", async (t) => {
  await using server = await RedisServer.start();
  await using redis = await connect({
    url: server.url,
    namespace: `bugs-${crypto.randomUUID()}`,
    rateLimit: { timeout: "10s" },
  });
  const { rateLimit } = redis;
  const each = async (run: (name: "BUG", id: string) => Promise<void>) => {
    for (const algorithm of ALGORITHMS) {
      rateLimit.define("BUG", { limit: 10, window: "1m", algorithm });
      await run("BUG", `${algorithm}-${crypto.randomUUID()}`);
    }
  };
  const limits = rateLimit.define("BUG", { limit: 10, window: "1m" });
  const ttls = async () => {
    const keys = (await server.cli("KEYS", "*:r?:*")) as string[];
    return await Promise.all(keys.map((key) => server.cli("PTTL", key)));
  };

  await t.step("1: a cost above 1 leaves a key without TTL (@upstash/ratelimit cachedFixedWindow)", async () => {
    await each(async (name, id) => {
      await limits.check(name, id, { cost: 3 });
      assert((await ttls()).every((ttl) => Number(ttl) !== -1));
    });
  });
  await t.step("2: a refused cost is counted (@upstash/ratelimit slidingWindow)", async () => {
    await each(async (name, id) => {
      await limits.check(name, id, { cost: 9 });
      assertEquals((await limits.check(name, id, { cost: 5 })).allowed, false);
      assertEquals((await limits.peek(name, id)).remaining, 1);
      assertEquals((await limits.check(name, id)).allowed, true);
    });
  });
  await t.step("3: refused calls dig deeper and deeper (@upstash/ratelimit tokenBucket)", async () => {
    await each(async (name, id) => {
      await limits.check(name, id, { cost: 8 });
      const waits: number[] = [];
      for (let i = 0; i < 4; i++) waits.push((await limits.check(name, id, { cost: 5 })).retryAfter);
      assert(waits.every((wait) => wait <= waits[0]!), waits.join());
      assertEquals((await limits.check(name, id, { cost: 2 })).allowed, true);
    });
  });
  await t.step("4: a refund of nothing gives more than the limit (@upstash/ratelimit tokenBucket)", async () => {
    await each(async (name, id) => {
      const call = await limits.reserve(name, id, { cost: 3 });
      await limits.reset(name, id);
      await call.refund();
      const passed = await Promise.all(Array.from({ length: 20 }, () => limits.check(name, id)));
      assertEquals(passed.filter(({ allowed }) => allowed).length, 10);
      assert((await ttls()).every((ttl) => Number(ttl) !== -1));
    });
  });
  await t.step("5: an id with a meaning to Redis resets everybody (@upstash/ratelimit resetUsedTokens)", async () => {
    await each(async (name, id) => {
      await limits.check(name, id, { cost: 4 });
      for (const other of ["*", "?", "[a-z]*", id.slice(0, 3) + "*", "{bugs}*"]) await limits.reset(name, other);
      assertEquals((await limits.peek(name, id)).remaining, 6);
    });
  });
  await t.step("6: a caller whose clock is ahead gets more (@upstash/ratelimit, Traefik)", async () => {
    const { now } = Date;
    try {
      await each(async (name, id) => {
        await limits.check(name, id, { cost: 10 });
        for (const ahead of [10_000, 3_600_000, -3_600_000]) {
          Date.now = () => now() + ahead;
          assertEquals((await limits.check(name, id, { cost: 2 })).allowed, false);
          assertEquals((await limits.peek(name, id)).remaining, 0);
        }
      });
    } finally {
      Date.now = now;
    }
  });
  await t.step(
    "7: what is taken back after its end counts below zero (rate-limit-redis, rate-limiter-flexible)",
    async () => {
      for (const algorithm of ALGORITHMS) {
        const short = rateLimit.define("SHORT", { limit: 3, window: "50ms", algorithm });
        const call = await short.reserve("SHORT", algorithm, { cost: 3 });
        await new Promise((resolve) => setTimeout(resolve, 60));
        assertEquals(await call.refund(), false);
        assertEquals((await short.peek("SHORT", algorithm)).remaining, 3);
        const passed = await Promise.all(Array.from({ length: 9 }, () => short.check("SHORT", algorithm)));
        // The next 50 ms may begin meanwhile where the machine is slow, but never is there more at one time.
        assertEquals(passed.slice(0, 4).map(({ allowed }) => allowed), [true, true, true, false]);
        assert((await ttls()).every((ttl) => Number(ttl) !== -1));
      }
    },
  );
  await t.step("8: guesses at the same time all pass between the look and the count (Laravel, Adonis)", async () => {
    const guess = async () => {
      const attempt = await rateLimit.reserve("AUTH", "victim");
      if (!attempt.allowed) return false;
      await new Promise((resolve) => setTimeout(resolve, 5)); // the password is compared
      await attempt.commit();
      return true;
    };
    const guesses = await Promise.all(Array.from({ length: 50 }, guess));
    assertEquals(guesses.filter(Boolean).length, 5);
  });
  await t.step("and a cost that can never pass is an error, not a wait (redis/redis#14826)", async () => {
    await each(async (name, id) => {
      await assertRejects(() => limits.check(name, id, { cost: 11 }), RangeError, "from 1 to 10");
      assertEquals((await limits.check(name, id, { cost: 10 })).allowed, true);
    });
  });
});
