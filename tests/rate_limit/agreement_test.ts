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

Deno.test("MemoryLimitStore and RedisLimitStore agree about the largest and the smallest numbers", async (t) => {
  await using server = await RedisServer.start();
  const year = 366 * 86_400_000;
  const extremes = [
    { limit: 1, window: 1 },
    { limit: 1, window: year },
    { limit: 1000, window: year },
    { limit: 1_000_000_000, window: 1 },
    { limit: 1_000_000_000, window: 26_000 },
    { limit: 1_000_000_000, window: year },
  ];
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      await using memory = await openMemory();
      await using redis = await openRedis(server);
      for (const { limit, window } of extremes) {
        if (algorithm === "exact" && limit > 1000) continue;
        const longest = { ...rule({ algorithm, limit, window }), name: `L${limit}-${window}` };
        // What `presetOf()` still takes.
        const burst = Math.min(
          limit,
          Math.floor(30 * 365 * 86_400_000 / Math.max(window / limit, 0.001)),
          1_000_000_000,
        );
        const given = { ...longest, burst };
        const most = algorithm === "gcra" || algorithm === "token-bucket" ? burst : limit;
        for (
          const action of ["check", "penalize", "peek", "penalize", "check", "penalize", "penalize", "peek"] as const
        ) {
          for (const cost of [most, 1]) {
            const steps: Step[] = [{ rule: given, id: "a", action, cost }];
            const [wanted, got] = await Promise.all([memory, redis].map(({ store }) => store.run(steps)));
            assertEquals(got, wanted, `${limit} ${window} ${action} ${cost}`);
          }
          for (const { clock } of [memory, redis]) clock.pass(Math.ceil(window / 26));
        }
      }
    });
  }
});

Deno.test("MemoryLimitStore and RedisLimitStore agree about an identity that is never away for long", async (t) => {
  await using server = await RedisServer.start();
  const day = 86_400_000;
  // Redis keeps times as distances, of four bytes (50 days) or five (35 years).
  const uses = [
    { name: "a window of four bytes", windows: [20], every: 3, calls: 100 },
    { name: "a window of five bytes", windows: [366], every: 90, calls: 200 },
    { name: "from one to the other and back", windows: [20, 20, 20, 30, 30, 20], every: 4, calls: 120 },
  ];
  for (const { name, windows, every, calls } of uses) {
    await t.step(name, async () => {
      await using memory = await openMemory();
      await using redis = await openRedis(server);
      for (let i = 0; i < calls; i++) {
        const window = windows[i % windows.length]! * day;
        const limit = rule({ algorithm: "exact", name: "LONG", limit: 6, window });
        const steps: Step[] = [{ rule: limit, id: "a", action: "check", cost: 1 + i % 2 }];
        const [wanted, got] = await Promise.all([memory, redis].map(({ store }) => store.run(steps)));
        assertEquals(got, wanted, `call ${i}`);
        for (const { clock } of [memory, redis]) clock.pass(every * day + i);
      }
    });
  }
});

Deno.test("MemoryLimitStore and RedisLimitStore agree about what follows in the tick in which all is taken back", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      await using memory = await openMemory();
      await using redis = await openRedis(server);
      const step = (action: Step["action"], receipt = 0): Step[] => [
        { rule: rule({ algorithm }), id: "a", action, cost: 1, receipt },
      ];
      const [wanted, got] = await Promise.all([memory, redis].map(async ({ store }) => {
        const [checked] = await store.run(step("check"));
        const back = store.run(step("refund", checked!.receipt));
        return await Promise.all([back, store.run(step("peek")), store.run(step("check")), store.run(step("peek"))]);
      }));
      assertEquals(got, wanted);
    });
  }
});

Deno.test("MemoryLimitStore and RedisLimitStore agree about many who come in one tick, in runs and between others", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      await using memory = await openMemory();
      await using redis = await openRedis(server);
      const rules = [rule({ algorithm, name: "ONE", limit: 3 }), rule({ algorithm, name: "TWO", limit: 40 })];
      for (let round = 0; round < 4; round++) {
        const all = Array.from({ length: 700 }, (_, i): Step[] => {
          const action = i % 97 === 5 ? "reserve" : i % 89 === 7 ? "penalize" : i % 5 === 4 ? "peek" : "check";
          const step = (shift: number): Step => ({
            rule: rules[Math.floor(i / 150 + shift) % 2]!,
            id: `id${i % 61 === 3 ? 0 : i + shift}`,
            action: i % 200 < 150 ? "check" : action,
            cost: i % 300 < 290 ? 1 : 2,
          });
          return i % 101 === 50 ? [step(0), step(1)] : [step(0)];
        });
        const told = await Promise.all(
          [memory, redis].map(({ store }) => Promise.all(all.map((steps) => store.run(steps)))),
        );
        // The mark of a reservation is the store's own.
        const [wanted, got] = told.map((standings) => standings.flat().map(({ reserved: _, ...standing }) => standing));
        assertEquals(got, wanted);
        for (const { clock } of [memory, redis]) clock.pass(170);
      }
    });
  }
});
