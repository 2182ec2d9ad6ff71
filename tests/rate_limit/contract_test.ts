import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { ALGORITHMS, type LimiterUnderTest, onBothStores } from "./stores.ts";

const ID = "192.0.2.7";

async function allowed({ limiter }: LimiterUnderTest, name: string, calls: number): Promise<number> {
  const results = await Promise.all(Array.from({ length: calls }, () => limiter.check(name, ID)));
  return results.filter((result) => result.allowed).length;
}

Deno.test("RateLimiter.check() holds every preset", async (t) => {
  const wanted = { DEFAULT: [100, 60], API: [1000, 3600], AUTH: [5, 300], STATIC: [1000, 60] } as const;
  await onBothStores(t, {
    "as many as the limit at once, and no more": async (test) => {
      for (const [name, [limit, window]] of Object.entries(wanted)) {
        const first = await test.limiter.check(name, ID);
        assertEquals([first.allowed, first.limit, first.remaining, first.window], [true, limit, limit - 1, window]);
        assertEquals([first.retryAfter, first.degraded, first.name], [0, false, name]);
        assertEquals(await allowed(test, name, limit + 50), limit - 1);
        assertEquals((await test.limiter.check(name, "another")).remaining, limit - 1);
      }
    },
    "again when the window has passed": async (test) => {
      for (const [name, [limit, window]] of Object.entries(wanted)) {
        assertEquals(await allowed(test, name, limit + 1), limit);
        test.clock.pass(window * 1000 * 27 / 26); // with the part that sliding-window waits longer
        assertEquals(await allowed(test, name, limit + 1), limit);
      }
    },
  });
});

Deno.test("RateLimiter.check() admits again at exactly the promised moment", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async ({ limiter, clock }: LimiterUnderTest) => {
      limiter.define("EDGE", { limit: 7, window: "1.3s", algorithm });
      for (const cost of [1, 3]) {
        for (let i = 0; i < 20; i++) {
          const result = await limiter.check("EDGE", ID, { cost });
          if (result.allowed) {
            clock.pass(37);
            continue;
          }
          assertEquals((await limiter.peek("EDGE", ID, { cost })).retryAfter, result.retryAfter);
          clock.pass(Math.round(result.retryAfter * 1000) - 1);
          const early = await limiter.check("EDGE", ID, { cost });
          assertEquals([early.allowed, early.retryAfter], [false, 0.001]);
          clock.pass(1);
          assertEquals((await limiter.check("EDGE", ID, { cost })).allowed, true);
        }
      }
    }])),
  );
});

Deno.test("RateLimiter.check() says when more and when all is left", async (t) => {
  await onBothStores(t, {
    "exact": async ({ limiter, clock }) => {
      limiter.define("X", { limit: 3, window: "10s" });
      await limiter.check("X", ID);
      clock.pass(4000);
      const result = await limiter.check("X", ID);
      assertEquals([result.remaining, result.moreAfter, result.resetAfter], [1, 6, 10]);
      clock.pass(6000);
      const later = await limiter.peek("X", ID);
      assertEquals([later.remaining, later.moreAfter, later.resetAfter], [2, 4, 4]);
      clock.pass(4000);
      const fresh = await limiter.peek("X", ID);
      assertEquals([fresh.remaining, fresh.moreAfter, fresh.resetAfter], [3, 0, 0]);
    },
    "gcra": async ({ limiter, clock }) => {
      limiter.define("X", { limit: 10, window: "10s", burst: 3, algorithm: "gcra" });
      assertEquals(await allowed({ limiter, clock, events: [] }, "X", 10), 3);
      const result = await limiter.check("X", ID);
      assertEquals([result.limit, result.remaining, result.moreAfter, result.resetAfter], [10, 0, 1, 3]);
    },
    "fixed-window": async ({ limiter, clock }) => {
      limiter.define("X", { limit: 10, window: "10s", algorithm: "fixed-window" });
      await limiter.check("X", ID);
      clock.pass(4000);
      const result = await limiter.check("X", ID);
      assertEquals([result.remaining, result.moreAfter, result.resetAfter], [8, 6, 6]);
    },
    "sliding-window": async ({ limiter, clock }) => {
      limiter.define("X", { limit: 500, window: "26s" });
      await limiter.check("X", ID);
      clock.pass(4000);
      const result = await limiter.check("X", ID);
      assertEquals(result.remaining, 498);
      assert(result.moreAfter > 22 && result.moreAfter <= 23, `${result.moreAfter}`);
      assertAlmostEquals(result.resetAfter - result.moreAfter, 4);
    },
  });
});

Deno.test("RateLimiter counts a cost, and nothing of what it refuses", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async ({ limiter }: LimiterUnderTest) => {
      limiter.define("COST", { limit: 10, window: "1m", algorithm });
      assertEquals((await limiter.check("COST", ID, { cost: 8 })).remaining, 2);
      for (let i = 0; i < 5; i++) {
        const refused = await limiter.check("COST", ID, { cost: 3 });
        assertEquals([refused.allowed, refused.remaining], [false, 2]);
      }
      assertEquals((await limiter.check("COST", ID, { cost: 2 })).remaining, 0);
      for (const cost of [0, -1, 11, 1.5, NaN, Infinity]) {
        await assertRejects(() => limiter.check("COST", ID, { cost }), RangeError, "Cannot check");
      }
      await assertRejects(() => limiter.check("COST", ID, { cost: "1" as unknown as number }), TypeError);
    }])),
  );
});

Deno.test("RateLimiter.check() lets one of two pass where the limit is one, in a window of any length", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async ({ limiter, clock }: LimiterUnderTest) => {
      for (const window of [0.001, 1, 3600, 366 * 86_400]) {
        const name = `ONE-${window}`;
        limiter.define(name, { limit: 1, window, algorithm });
        const both = await Promise.all([limiter.check(name, ID), limiter.check(name, ID)]);
        assertEquals(both.map(({ allowed }) => allowed), [true, false]);
        const wait = both[1]!.retryAfter;
        assert(wait >= window && wait <= window * 27 / 26 + 0.001, `${window}: ${wait}`);
        clock.pass(Math.round(wait * 1000) - 1);
        assertEquals((await limiter.check(name, ID)).allowed, false);
        clock.pass(1);
        assertEquals((await limiter.check(name, ID)).allowed, true);
      }
    }])),
  );
});

Deno.test("RateLimiter peeks, penalizes, refunds and resets", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async ({ limiter, clock }: LimiterUnderTest) => {
      limiter.define("ALL", { limit: 6, window: "1m", algorithm });
      for (let i = 0; i < 3; i++) assertEquals((await limiter.peek("ALL", ID)).remaining, 6);
      const one = await limiter.reserve("ALL", ID, { cost: 2 });
      const two = await limiter.reserve("ALL", ID);
      assertEquals((await limiter.peek("ALL", ID)).remaining, 3);
      assertEquals(await one.refund(), true);
      assertEquals([await one.refund(), await one.commit()], [false, false]);
      assertEquals([await two.commit(), await two.refund()], [true, false]);
      assertEquals((await limiter.peek("ALL", ID)).remaining, 5);

      assertEquals((await limiter.penalize("ALL", ID, 2)).remaining, 3);
      const worse = await limiter.penalize("ALL", ID, 1000);
      assertEquals([worse.allowed, worse.remaining], [false, 0]);
      assert(worse.retryAfter > 0);
      assertEquals((await limiter.check("ALL", ID)).allowed, false);
      clock.pass(60_000 * 27 / 26 + 1);
      assertEquals((await limiter.peek("ALL", ID)).remaining, 6);

      await limiter.check("ALL", ID, { cost: 6 });
      assertEquals(await limiter.reset("ALL", ID), true);
      assertEquals((await limiter.check("ALL", ID)).remaining, 5);
      const refused = await limiter.reserve("ALL", ID, { cost: 6 });
      assertEquals([refused.allowed, await refused.refund(), await refused.commit()], [false, false, false]);
      assertEquals((await limiter.peek("ALL", ID)).remaining, 5);
    }])),
  );
});

Deno.test("Reservation.refund() takes back its own call, and nothing when that has ended", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async ({ limiter, clock }: LimiterUnderTest) => {
      limiter.define("BACK", { limit: 2, window: "10s", algorithm });
      const first = await limiter.reserve("BACK", ID);
      clock.pass(60_000);
      await limiter.check("BACK", ID, { cost: 2 });
      await first.refund();
      assertEquals((await limiter.peek("BACK", ID)).remaining, 0);
      assertEquals((await limiter.check("BACK", ID)).allowed, false);
    }])),
  );
  await onBothStores(t, {
    // Taking back the newest in its place would let three into one window.
    "exact: the call itself": async ({ limiter, clock }) => {
      limiter.define("BACK", { limit: 2, window: "10s" });
      const first = await limiter.reserve("BACK", ID);
      clock.pass(5000);
      await limiter.check("BACK", ID);
      await first.refund();
      clock.pass(5001);
      assertEquals((await limiter.peek("BACK", ID)).remaining, 1);
    },
  });
});

Deno.test("Reservation.refund() that a signal ends before it begins can be tried again", async (t) => {
  await onBothStores(t, {
    "refund": async ({ limiter }) => {
      const call = await limiter.reserve("AUTH", ID);
      const reason = new Error("enough");
      assertEquals(await assertRejects(() => call.refund({ signal: AbortSignal.abort(reason) })), reason);
      assertEquals((await limiter.peek("AUTH", ID)).remaining, 4);
      assertEquals([await call.refund(), await call.refund()], [true, false]);
      assertEquals((await limiter.peek("AUTH", ID)).remaining, 5);
    },
  });
});

Deno.test("RateLimiter.checkAll() counts for all or for none", async (t) => {
  await onBothStores(t, {
    "for none": async ({ limiter, events }) => {
      limiter.define("TIGHT", { limit: 2, window: "1m" });
      for (let i = 0; i < 2; i++) {
        const both = await limiter.checkAll([["API", "user"], ["TIGHT", ID]]);
        assertEquals([both.allowed, both.name, both.remaining], [true, "TIGHT", 1 - i]);
      }
      const refused = await limiter.checkAll([["API", "user"], ["TIGHT", ID]]);
      assertEquals([refused.allowed, refused.name, refused.retryAfter], [false, "TIGHT", 60]);
      assertEquals(refused.results.map(({ name, allowed, remaining }) => [name, allowed, remaining]), [
        ["API", true, 998],
        ["TIGHT", false, 0],
      ]);
      assertEquals((await limiter.peek("API", "user")).remaining, 998);
      assertEquals(events.map((event) => event.type === "limit.refused" && event.name), ["TIGHT"]);
    },
    "the same limit twice": async ({ limiter }) => {
      const calls = () => limiter.checkAll([["AUTH", ID, 2], ["AUTH", ID, 2]]);
      assertEquals((await calls()).allowed, true);
      assertEquals((await calls()).allowed, false);
      assertEquals((await limiter.peek("AUTH", ID)).remaining, 1);
    },
    "many at the same time": async ({ limiter }) => {
      const all = await Promise.all(
        Array.from({ length: 60 }, (_, i) => limiter.checkAll([["AUTH", ID], ["DEFAULT", `user:${i % 3}`]])),
      );
      assertEquals(all.filter(({ allowed }) => allowed).length, 5);
      const left = await Promise.all([0, 1, 2].map((i) => limiter.peek("DEFAULT", `user:${i}`)));
      assertEquals(left.reduce((sum, { remaining }) => sum + remaining, 0), 295);
    },
    "what is no list": async ({ limiter }) => {
      await assertRejects(() => limiter.checkAll([]), TypeError, "1 to 64");
      await assertRejects(() => limiter.checkAll(["AUTH"] as never), TypeError, "[name, id]");
      await assertRejects(() => limiter.checkAll([["AUTH", ID, 6]]), RangeError, "1 to 5");
      // Together they can never pass, however long one waits.
      await assertRejects(() => limiter.checkAll([["AUTH", ID, 3], ["AUTH", ID, 3]]), RangeError, "1 to 5");
      assertEquals((await limiter.checkAll([["AUTH", ID, 3], ["AUTH", "another", 3]])).allowed, true);
    },
  });
});

Deno.test("RateLimiter shuts nobody out for longer than a window when the clock goes back", async (t) => {
  await onBothStores(
    t,
    Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, async (test: LimiterUnderTest) => {
      const { limiter, clock } = test;
      limiter.define("JUMP", { limit: 4, window: "10s", algorithm });
      assertEquals(await allowed(test, "JUMP", 5), 4);
      clock.pass(-86_400_000);
      const after = await limiter.check("JUMP", ID);
      assertEquals(after.allowed, false);
      assert(after.retryAfter <= 10.4, `${after.retryAfter}`);
      clock.pass(10_400);
      assertEquals(await allowed(test, "JUMP", 5), 4);
      // Forward and back again.
      clock.pass(86_400_000);
      assertEquals(await allowed(test, "JUMP", 5), 4);
      clock.pass(-86_400_000);
      assertEquals((await limiter.check("JUMP", ID)).allowed, false);
      clock.pass(10_400);
      assertEquals(await allowed(test, "JUMP", 5), 4);
    }])),
  );
});

Deno.test("RateLimiter keeps a limit over changes of its preset", async (t) => {
  await onBothStores(t, {
    "more and less": async (test) => {
      const { limiter } = test;
      for (const [before, after] of [[100, 200], [300, 500], [70_000, 200], [300, 5]]) {
        const name = `CHANGE-${before}-${after}`;
        limiter.define(name, { limit: before!, window: "1m" });
        await limiter.check(name, ID, { cost: Math.min(before!, 100) });
        limiter.define(name, { limit: after!, window: "2m" });
        const { remaining } = await limiter.peek(name, ID);
        // A limit that is counted in another way begins anew.
        const kept = before! > 100 && after! > 100 || before! <= 100 && after! <= 100;
        assertEquals(remaining, kept ? after! - 100 : after!, name);
      }
    },
  });
});

Deno.test("RateLimiter says so when a limit is counted in another way from now on, and nothing else", async (t) => {
  await onBothStores(t, {
    "warning": async ({ limiter, events }) => {
      const warnings = () => events.flatMap((event) => event.type === "warning" ? [event.message] : []);
      limiter.define("MOVES", { limit: 100, window: "1m" });
      limiter.define("MOVES", { limit: 99, window: "2m" });
      limiter.define("MOVES", { limit: 150, window: "1m", algorithm: "exact" });
      limiter.define("TOKENS", { limit: 5, window: "1m", algorithm: "gcra" });
      limiter.define("TOKENS", { limit: 500, window: "1m", algorithm: "token-bucket" });
      assertEquals(warnings(), []);
      limiter.define("MOVES", { limit: 100, window: "1m" });
      limiter.define("MOVES", { limit: 101, window: "1m" });
      assertEquals(warnings(), [
        'The rate limit "MOVES" is counted by "sliding-window" from now on, since its limit is 101, and was by "exact": ' +
        'it begins anew. Say algorithm: "exact" to keep what was counted',
      ]);
      limiter.define("MOVES", { limit: 101, window: "1m", algorithm: "gcra" });
      assertEquals(warnings().length, 2);
      assertEquals((await limiter.check("MOVES", ID)).remaining, 100);
    },
  });
});

Deno.test("RateLimiter refuses names and ids that are none, before it asks anybody", async (t) => {
  await onBothStores(t, {
    "names": async ({ limiter }) => {
      await assertRejects(() => limiter.check("AUHT", ID), TypeError, "wanted one of DEFAULT, API, AUTH, STATIC");
      for (const name of ["", "a:b", "a b", "{a}", "ä", 1, null, "x".repeat(65)]) {
        let error: unknown;
        try {
          limiter.define(name as string, { limit: 1, window: 1 });
        } catch (thrown) {
          error = thrown;
        }
        assert(error instanceof TypeError, String(name));
      }
    },
    "ids": async ({ limiter }) => {
      await assertRejects(() => limiter.check("AUTH", ""), RangeError);
      await assertRejects(() => limiter.check("AUTH", "a\nb"), TypeError);
      await assertRejects(() => limiter.check("AUTH", "x".repeat(513)), RangeError);
      await assertRejects(() => limiter.check("AUTH", 7 as unknown as string), TypeError);
      // What means something in Redis is a plain id.
      for (const id of ["*", "{x}", "a:b", "[a-z]", "🔑", "' or 1=1"]) {
        assertEquals((await limiter.check("AUTH", id)).remaining, 4, id);
      }
    },
  });
});

Deno.test("RateLimiter ends waiting with the reason of the signal", async (t) => {
  await onBothStores(t, {
    "before and meanwhile": async ({ limiter }) => {
      const reason = new Error("enough");
      const error = await assertRejects(() => limiter.check("AUTH", ID, { signal: AbortSignal.abort(reason) }), Error);
      assertEquals(error, reason);
      const controller = new AbortController();
      const signal = controller.signal;
      assertEquals((await limiter.check("AUTH", ID, { signal })).allowed, true);
      controller.abort(reason);
      assertEquals(await assertRejects(() => limiter.checkAll([["AUTH", ID], ["API", ID]], { signal })), reason);
      assertEquals((await limiter.peek("AUTH", ID)).remaining, 4);
    },
  });
});
