/**
 * How much longer the property tests of limits run than they do by default, which is 200,000 calls in all: with
 * `TEST_EFFORT=25`, each limit sees a million, and Redis 125,000 in all.
 *
 * ```sh
 * TEST_EFFORT=25 deno task test tests/rate_limit/property_test.ts
 * ```
 */
export { EFFORT, sized } from "../support/effort.ts";
export { randomFrom } from "../support/random.ts";

/** The most that was admitted in any window: of what is given, each at its time. */
export function worst(times: readonly number[], costs: readonly number[], window: number): number {
  let most = 0;
  let sum = 0;
  for (let end = 0, start = 0; end < times.length; end++) {
    sum += costs[end]!;
    while (times[start]! <= times[end]! - window) sum -= costs[start++]!;
    most = Math.max(most, sum);
  }
  return most;
}
