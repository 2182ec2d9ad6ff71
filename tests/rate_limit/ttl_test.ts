import { assert, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import type { Step } from "../../src/rate_limit/store.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EFFORT, sized } from "./effort.ts";
import { ALGORITHMS, openRedis, rule } from "./stores.ts";

const HOUR = 3_600_000;
/** What the script adds to the TTL of a key when it is told the time. */
const SPARE = 600_000;
/** How long one run of the property may take. */
const LATE = 20_000;

/** What happens: time passes, or goes back, then there are some steps in one tick. */
const action = fc.constantFrom("check", "check", "check", "check", "check", "peek", "penalize", "refund", "reset");
const script = fc.array(
  fc.record({
    passes: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: HOUR / 20 }) },
      { weight: 2, arbitrary: fc.integer({ min: HOUR / 20, max: 2 * HOUR }) },
      { weight: 1, arbitrary: fc.integer({ min: -HOUR, max: -1 }) },
    ),
    steps: fc.array(
      fc.record({ rule: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(2)), action, cost: fc.nat(3) }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  { minLength: 1, maxLength: 25 },
);

Deno.test("RedisLimitStore keeps each key until nothing counts any more, and not for much longer", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      // As after two deployments with other numbers.
      const rules = [
        rule({ algorithm, limit: 20, window: HOUR }),
        rule({ algorithm, limit: 30, window: 4 * HOUR }),
        rule({ algorithm, limit: 5, window: HOUR / 10, burst: 3 }),
      ];
      await using redis = await openRedis(server);
      let [run, kept, set] = [0, 0, 0];
      await fc.assert(
        fc.asyncProperty(script, async (events) => {
          const id = `${algorithm}-${run++}`;
          let [receipt, before] = [0, -2];
          for (const { passes, steps } of events) {
            redis.clock.pass(passes);
            // What the server's own clock does to keys.
            if (before > 0) {
              if (before - SPARE > passes) await server.cli("PEXPIRE", await keyOf(server, id), before - passes);
              else await server.cli("DEL", await keyOf(server, id));
            }
            const all = steps.map(({ rule, action, cost }): Step => ({
              rule: rules[rule]!,
              id,
              action,
              cost: action === "check" ? cost % 3 + 1 : cost + 1,
              receipt,
            }));
            const left = before - passes;
            const standings = await Promise.all(all.map((step) => redis.store.run([step])));
            const last = standings.at(-1)![0]!;
            receipt = last.receipt;
            const key = await keyOf(server, id);
            before = key ? Number(await server.cli("PTTL", key)) : -2;
            // A look keeps nothing longer than those wanted it kept who counted.
            const counts = ["check", "penalize"].includes(all.at(-1)!.action);
            if (counts) assertGreaterOrEqual(before - SPARE, last.resetAfter - LATE, "kept too short");
            if (!key) continue;
            assert(before > 0, "no TTL");
            if (all.every(({ rule }) => rule === rules[0])) {
              assertLessOrEqual(before - SPARE, 4 * HOUR * 27 / 26 + 1, "kept too long");
            }
            if (all.some(({ action }) => action === "check")) Math.abs(left - before) < LATE ? kept++ : set++;
          }
        }),
        { seed: 20261121, numRuns: 25 * EFFORT },
      );
      // Else the test would say nothing of the one or the other.
      const least = sized(5, 20);
      assert(kept > least && set > least, `${kept} kept, ${set} set`);
    });
  }
});

async function keyOf(server: RedisServer, id: string): Promise<string> {
  return (await server.cli("KEYS", `*:${id}`) as string[])[0] ?? "";
}
