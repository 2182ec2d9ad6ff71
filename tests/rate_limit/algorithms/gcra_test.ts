/**
 * What `gcra` keeps when its limit changes, and how fast it recovers.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { flowOf } from "../../../src/rate_limit/algorithms/gcra.ts";
import { onBothStores, rule } from "../stores.ts";

const ID = "192.0.2.7";

Deno.test("gcra keeps what was used when its limit changes", async (t) => {
  await onBothStores(t, {
    "more, less, faster, slower": async ({ limiter }) => {
      for (
        const [before, after] of [
          [{ limit: 10, window: "1m" }, { limit: 20, window: "1m" }],
          [{ limit: 20, window: "1m" }, { limit: 10, window: "1m" }],
          [{ limit: 100, window: "1m" }, { limit: 1000, window: "1h" }],
          [{ limit: 1000, window: "1h" }, { limit: 100, window: "1s" }],
          [{ limit: 100, window: "1s" }, { limit: 200_000, window: "1s" }],
          [{ limit: 300_000, window: "1s" }, { limit: 500_000, window: "1s" }],
          [{ limit: 300_000, window: "1s" }, { limit: 50, window: "1h" }],
        ] as const
      ) {
        for (const algorithm of ["gcra", "token-bucket"] as const) {
          limiter.define("CHANGE", { ...before, algorithm });
          await limiter.check("CHANGE", ID, { cost: 7 });
          limiter.define("CHANGE", { ...after, algorithm });
          const name = `${JSON.stringify(before)} ${JSON.stringify(after)}`;
          assertEquals((await limiter.peek("CHANGE", ID)).remaining, after.limit - 7, name);
          assertEquals((await limiter.check("CHANGE", ID)).remaining, after.limit - 8, name);
          await limiter.reset("CHANGE", ID);
        }
      }
    },
    "what was used up stays so, and comes back at the new rate": async ({ limiter, clock }) => {
      limiter.define("CHANGE", { limit: 10, window: "10s", algorithm: "gcra" });
      await limiter.check("CHANGE", ID, { cost: 10 });
      limiter.define("CHANGE", { limit: 10, window: "100s", algorithm: "gcra" });
      assertEquals((await limiter.peek("CHANGE", ID)).remaining, 0);
      await limiter.penalize("CHANGE", ID, 1);
      clock.pass(10_000);
      assertEquals((await limiter.peek("CHANGE", ID)).remaining, 1);
      clock.pass(90_000);
      assertEquals((await limiter.peek("CHANGE", ID)).remaining, 10);
    },
  });
});

Deno.test("gcra recovers at its own rate above 50,000 a second", async (t) => {
  const cases = [60_000, 90_001, 100_003, 150_000, 300_000, 999_983, 1_000_000, 3_000_000].map((limit) =>
    [String(limit), async ({ limiter, clock }: Parameters<Parameters<typeof onBothStores>[1][string]>[0]) => {
      limiter.define("FAST", { limit, window: "1s", algorithm: "gcra" });
      assertEquals((await limiter.check("FAST", ID, { cost: limit })).allowed, true);
      assertEquals((await limiter.check("FAST", ID)).allowed, false);
      clock.pass(500);
      const half = (await limiter.peek("FAST", ID)).remaining;
      assertLessOrEqual(half, limit / 2);
      assertGreaterOrEqual(half, Math.floor(limit / 2) - 1);
      clock.pass(500);
      assertEquals((await limiter.peek("FAST", ID)).remaining, limit);
      // In small steps as well as in one.
      await limiter.check("FAST", ID, { cost: limit });
      let passed = 0;
      for (let i = 0; i < 50; i++) {
        clock.pass(1);
        while ((await limiter.check("FAST", ID, { cost: Math.floor(limit / 5000) })).allowed) {
          passed += Math.floor(limit / 5000);
        }
      }
      assertLessOrEqual(passed, limit / 20);
      assertGreaterOrEqual(passed, limit / 20 - limit / 5000);
    }] as const
  );
  await onBothStores(t, Object.fromEntries(cases));
});

Deno.test("gcra counts in whole numbers that are exact, and never faster than the limit", () => {
  for (const limit of [1, 7, 100, 5000, 99_991, 1_000_003, 999_999_937, 1_000_000_000]) {
    for (const window of [1, 10, 1000, 60_000, 3_600_000, 86_400_000, 366 * 86_400_000]) {
      const { token, drain } = flowOf(rule({ algorithm: "gcra", limit, window }));
      assert(Number.isSafeInteger(token) && Number.isSafeInteger(drain) && token > 0 && drain > 0);
      assert(token < 2 ** 48 && drain < 2 ** 32 && limit * token <= Number.MAX_SAFE_INTEGER);
      const rate = BigInt(token) * BigInt(limit) - BigInt(drain) * BigInt(window) * 1000n;
      assert(rate >= 0n, `${limit} in ${window} is faster`);
      const slower = Number(rate) / (drain * window * 1000);
      assertLessOrEqual(slower, 0.05, `${limit} in ${window}`);
    }
  }
});
