/**
 * What clocks do to limits: thousandths of milliseconds, and jumps in both directions.
 *
 * @module
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Rule, Standing, Step } from "../../src/rate_limit/store.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EFFORT, randomFrom, sized, worst } from "./effort.ts";
import { ALGORITHMS, openMemory, openRedis, rule, type StoreUnderTest } from "./stores.ts";

const step = (rule: Rule, cost: number = 1, action: Step["action"] = "check"): Step => ({
  rule,
  id: "a",
  action,
  cost,
});

Deno.test("RedisLimitStore counts windows to the microsecond, and promises milliseconds that hold", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      await using opened = await openRedis(server);
      const { store, clock } = opened;
      const random = randomFrom(11);
      const limit = rule({ algorithm, limit: 6, window: 40, burst: 3 });
      const times: number[] = [];
      const costs: number[] = [];
      let promises = 0;
      const check = async (cost: number): Promise<Standing> => {
        const [standing] = await store.run([step(limit, cost)]);
        if (standing!.allowed) {
          times.push(clock.now());
          costs.push(cost);
        }
        return standing!;
      };
      for (let i = 0; i < 500 * EFFORT; i++) {
        clock.pass(Math.floor(random() * random() * 30_000) / 1000);
        const cost = 1 + Math.floor(random() * 3);
        const { allowed, retryAfter } = await check(cost);
        if (allowed || random() < 0.5) continue;
        promises++;
        clock.pass(retryAfter - 1);
        assertEquals((await check(cost)).allowed, false, `${i}: a millisecond before`);
        clock.pass(1);
        assertEquals((await check(cost)).allowed, true, `${i}: at the moment`);
      }
      assert(promises > sized(30, 50), "calls are refused");
      // Numbers of this size have steps of a quarter of a microsecond.
      const most = worst(times, costs, limit.window - 0.0005);
      const bound = { "gcra": 9, "token-bucket": 9, "fixed-window": 12 }[algorithm as string] ?? 6;
      assertLessOrEqual(most, bound);
    });
  }
});

/** Calls, penalties and refunds by a clock that jumps, with what has really passed beside it. */
async function jump(
  { store, clock }: StoreUnderTest,
  limit: Rule,
  { steps, seed, forward }: { steps: number; seed: number; forward: boolean },
): Promise<{ times: number[]; costs: number[]; longest: number }> {
  const random = randomFrom(seed);
  const times: number[] = [];
  const costs: number[] = [];
  let passed = 0;
  let longest = 0;
  for (let i = 0; i < steps; i++) {
    const wait = Math.floor(random() * random() * limit.window / 2);
    clock.pass(wait);
    passed += wait;
    const jumps = random();
    if (jumps < 0.1) clock.pass(-Math.floor(random() ** 3 * 50 * limit.window));
    else if (forward && jumps < 0.2) clock.pass(Math.floor(random() ** 3 * 50 * limit.window));
    const cost = 1 + Math.floor(random() * 2);
    const [standing] = await store.run([step(limit, cost, random() < 0.05 && forward ? "penalize" : "check")]);
    longest = Math.max(longest, standing!.retryAfter, standing!.resetAfter, standing!.moreAfter);
    if (!standing!.allowed || forward) continue;
    times.push(passed);
    costs.push(cost);
  }
  return { times, costs, longest };
}

Deno.test("LimitStore shuts nobody out for longer than a window, however the clock jumps", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    const limit = rule({ algorithm, limit: 6, window: 2600 });
    for (
      const [kind, open, steps] of [["memory", openMemory, 20_000], ["redis", () => openRedis(server), 1000]] as const
    ) {
      await t.step(`${kind}: ${algorithm}`, async () => {
        await using opened = await open();
        const { longest } = await jump(opened, limit, { steps: steps * EFFORT, seed: 5, forward: true });
        // A part of `sliding-window` is 100 ms, a call of `gcra` 434 ms and rounded up.
        assertLessOrEqual(longest, algorithm === "sliding-window" ? 2700 : 2601);
        assert(longest > 1000);
        opened.clock.pass(longest);
        const [standing] = await opened.store.run([step(limit, 6)]);
        assertEquals(standing!.allowed, true);
      });
    }
  }
});

Deno.test("exact never admits more than the limit in any window that has passed, though the clock goes back", async (t) => {
  await using server = await RedisServer.start();
  const limit = rule({ algorithm: "exact", limit: 6, window: 2600 });
  for (
    const [kind, open, steps] of [["memory", openMemory, 20_000], ["redis", () => openRedis(server), 1000]] as const
  ) {
    await t.step(kind, async () => {
      await using opened = await open();
      const { times, costs } = await jump(opened, limit, { steps: steps * EFFORT, seed: 6, forward: false });
      assertLessOrEqual(worst(times, costs, limit.window), limit.limit);
      assert(times.length > steps / 10, "the limit admits something");
    });
  }
});
