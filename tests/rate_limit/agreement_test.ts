import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Step } from "../../src/rate_limit/store.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EFFORT } from "./effort.ts";
import { ALGORITHMS, openMemory, openRedis, rule } from "./stores.ts";

/** What happens: time passes (a negative time is a clock that jumps back), then some transactions come in one tick. */
const action = fc.constantFrom("check", "check", "check", "check", "peek", "penalize", "refund", "reset");
const script = fc.array(
  fc.record({
    passes: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
      { weight: 1, arbitrary: fc.integer({ min: 900, max: 3000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -2000, max: -1 }) },
    ),
    transactions: fc.array(
      fc.array(
        fc.record({ id: fc.constantFrom("a", "b"), rule: fc.nat(2), action, cost: fc.integer({ min: 1, max: 5 }) }),
        { minLength: 1, maxLength: 3 },
      ),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  { minLength: 1, maxLength: 40 },
);

Deno.test("MemoryLimitStore and RedisLimitStore agree step by step, whatever happens", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      // The third is the first with other numbers, as after a deployment.
      const rules = [
        rule({ algorithm, name: "ONE", limit: 5, window: 1000 }),
        rule({ algorithm, name: "TWO", limit: 300, window: 700, burst: 7 }),
        rule({ algorithm, name: "ONE", limit: 8, window: 1500 }),
      ];
      await using memory = await openMemory();
      await using redis = await openRedis(server);
      let run = 0;
      await fc.assert(
        fc.asyncProperty(script, async (events) => {
          run++;
          let receipt = 0;
          for (const { passes, transactions } of events) {
            for (const { clock } of [memory, redis]) clock.pass(passes);
            const all = transactions.map((steps) =>
              steps.map(({ rule, ...step }): Step => ({ ...step, id: `${run}${step.id}`, rule: rules[rule]!, receipt }))
            );
            const [wanted, got] = await Promise.all(
              [memory, redis].map(({ store }) => Promise.all(all.map((steps) => store.run(steps)))),
            );
            assertEquals(got, wanted);
            receipt = wanted!.at(-1)!.at(-1)!.receipt;
          }
        }),
        { seed: 20260101, numRuns: 40 * EFFORT },
      );
    });
  }
});
