import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import type { Rule, Step } from "../../src/rate_limit/store.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EFFORT, randomFrom, sized, worst } from "./effort.ts";
import { openMemory, openRedis, rule, type StoreUnderTest } from "./stores.ts";

/** Calls in bursts and pauses of all lengths, which is where counters by time go wrong. */
async function drive(
  { store, clock }: StoreUnderTest,
  limit: Rule,
  calls: number,
  random: () => number,
): Promise<{ times: number[]; costs: number[] }> {
  const times: number[] = [];
  const costs: number[] = [];
  const paces = [0, 0.1, 0.5, 1, 1.5, 4].map((load) => load === 0 ? 0 : limit.window / limit.limit / load);
  for (let done = 0; done < calls;) {
    const pace = paces[Math.floor(random() * paces.length)]!;
    const length = Math.ceil(random() * 2 * limit.limit);
    const most = random() < 0.2 ? Math.min(5, limit.limit) : 1;
    for (let i = 0; i < length;) {
      // Several of one moment go out together, as they do in a service.
      const together = Math.min(length - i, 1 + Math.floor(random() * 8));
      const steps = Array.from({ length: together }, (): Step => ({
        rule: limit,
        id: "a",
        action: "check",
        cost: 1 + Math.floor(random() * most),
      }));
      const all = await Promise.all(steps.map((step) => store.run([step])));
      all.forEach(([standing], j) => {
        if (!standing!.allowed) return;
        times.push(clock.now());
        costs.push(steps[j]!.cost);
      });
      i += together;
      done += together;
      clock.pass(Math.round(pace * together * 2 * random()));
    }
    if (random() < 0.3) clock.pass(Math.floor(random() * 1.2 * limit.window));
  }
  return { times, costs };
}

const LIMITS = [
  rule({ algorithm: "exact", name: "AUTH", limit: 5, window: 300_000 }),
  rule({ algorithm: "exact", name: "DEFAULT", limit: 100, window: 60_000 }),
  rule({ algorithm: "sliding-window", name: "SMALL", limit: 5, window: 300_000 }),
  rule({ algorithm: "sliding-window", name: "API", limit: 1000, window: 3_600_000 }),
  rule({ algorithm: "sliding-window", name: "ODD", limit: 257, window: 1013 }),
];

Deno.test("exact and sliding-window never admit more than the limit in any window", async (t) => {
  await using server = await RedisServer.start();
  for (const limit of LIMITS) {
    const name = `${limit.algorithm} ${limit.limit}/${limit.window} ms`;
    await t.step(`memory: ${name}`, async () => {
      await using opened = await openMemory();
      const { times, costs } = await drive(opened, limit, 40_000 * EFFORT, randomFrom(limit.limit));
      assertLessOrEqual(worst(times, costs, limit.window), limit.limit);
      assert(times.length > 1000, "the limit admits something");
    });
    await t.step(`redis: ${name}`, async () => {
      await using opened = await openRedis(server);
      const { times, costs } = await drive(opened, limit, 1000 * EFFORT, randomFrom(limit.limit + 1));
      assertLessOrEqual(worst(times, costs, limit.window), limit.limit);
      assert(times.length > 200, "the limit admits something");
    });
  }
});

Deno.test("exact admits whatever it may: it equals a log of all calls", async () => {
  await using opened = await openMemory();
  const { store, clock } = opened;
  const random = randomFrom(7);
  const limit = rule({ algorithm: "exact", limit: 9, window: 500 });
  let log: number[] = [];
  for (let i = 0; i < 5000 * EFFORT; i++) {
    clock.pass(Math.floor(random() * random() * 120));
    const cost = 1 + Math.floor(random() * 3);
    log = log.filter((time) => time > clock.now() - 500);
    const fits = log.length + cost <= 9;
    const [standing] = await store.run([{ rule: limit, id: "a", action: "check", cost }]);
    assertEquals(standing!.allowed, fits);
    if (fits) { for (let j = 0; j < cost; j++) log.push(clock.now()); }
    assertEquals(standing!.remaining, 9 - log.length);
  }
});

Deno.test("sliding-window admits at least 95 % of the limit under constant overload", async () => {
  for (const [limit, window] of [[1000, 60_000], [1000, 3_600_000], [250, 1000]] as const) {
    for (const load of [1.05, 1.2, 2, 10]) {
      await using opened = await openMemory();
      const { store, clock } = opened;
      const over = rule({ algorithm: "sliding-window", limit, window });
      const start = clock.now();
      let admitted = 0;
      const windows = sized(5, 20);
      for (let i = 0; clock.now() < start + windows * window; i++) {
        const [standing] = await store.run([{ rule: over, id: "a", action: "check", cost: 1 }]);
        if (standing!.allowed) admitted++;
        const due = start + Math.floor(i * window / limit / load);
        if (due > clock.now()) clock.pass(due - clock.now());
      }
      assertGreaterOrEqual(admitted / windows / limit, 0.95, `${limit}/${window} at ${load}`);
    }
  }
});

Deno.test("gcra equals a model of whole numbers without bounds, step by step", async (t) => {
  await using server = await RedisServer.start();
  const event = fc.record({
    passes: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 5000 })),
    cost: fc.integer({ min: 1, max: 4 }),
    peek: fc.boolean(),
  });
  const given = fc.record({
    limit: fc.integer({ min: 4, max: 5000 }),
    window: fc.integer({ min: 100, max: 86_400_000 }),
    burst: fc.integer({ min: 4, max: 100 }),
    events: fc.array(event, { minLength: 1, maxLength: 60 }),
  });
  for (const [kind, open, numRuns] of [["memory", openMemory, 500], ["redis", () => openRedis(server), 40]] as const) {
    await t.step(kind, async () => {
      await using opened = await open();
      const { store, clock } = opened;
      let run = 0;
      const property = fc.asyncProperty(given, async ({ limit, window, burst, events }) => {
        const limits = rule({ algorithm: "gcra", name: `RUN-${run++}`, limit, window, burst });
        const interval = (BigInt(window) * 1000n + BigInt(limit) - 1n) / BigInt(limit);
        const tolerance = interval * BigInt(burst);
        let tat = 0n;
        for (const { passes, cost, peek } of events) {
          clock.pass(passes);
          const now = BigInt(clock.now()) * 1000n;
          const from = tat > now ? tat : now;
          const next = from + BigInt(cost) * interval;
          const fits = next - tolerance <= now;
          if (fits && !peek) tat = next;
          const after = fits && !peek ? next : from;
          const [standing] = await store.run([{ rule: limits, id: "a", action: peek ? "peek" : "check", cost }]);
          const { allowed, remaining, retryAfter, resetAfter } = standing!;
          assertEquals({ allowed, remaining, retryAfter, resetAfter }, {
            allowed: fits,
            remaining: Number((now + tolerance - after) / interval),
            retryAfter: fits ? 0 : Number((next - tolerance - now + 999n) / 1000n),
            resetAfter: Number((after - now + 999n) / 1000n),
          });
        }
      });
      await fc.assert(property, { seed: 20260102, numRuns: numRuns * EFFORT });
    });
  }
});

Deno.test("gcra admits up to the limit and the burst in any window, fixed-window up to twice the limit", async () => {
  const limits = [
    [rule({ algorithm: "gcra", limit: 50, window: 1000, burst: 5 }), 55],
    [rule({ algorithm: "token-bucket", limit: 50, window: 1000, burst: 50 }), 100],
    [rule({ algorithm: "fixed-window", limit: 50, window: 1000 }), 100],
  ] as const;
  for (const [limit, most] of limits) {
    await using opened = await openMemory();
    const { times, costs } = await drive(opened, limit, sized(20_000, 50_000), randomFrom(3));
    const found = worst(times, costs, limit.window);
    assertLessOrEqual(found, most);
    assert(found > limit.limit, "what is documented as more than the limit is more");
  }
});
