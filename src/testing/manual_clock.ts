import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";

/**
 * A clock that stands still until it is told to go on.
 *
 * @example An hour in no time
 * ```ts
 * import { Cache, MemoryStore } from "@larder/larder/cache";
 * import { ManualClock } from "@larder/larder/testing";
 * import assert from "node:assert/strict";
 *
 * const clock = new ManualClock();
 * await using cache = new Cache(new MemoryStore({ now: clock.now }));
 * await cache.set("a", 1, { ttl: "1h" });
 * clock.advance("59m");
 * assert.equal(await cache.get("a"), 1);
 * clock.advance("1m");
 * assert.equal(await cache.get("a"), undefined);
 * ```
 */
export class ManualClock {
  #time: number;

  /**
   * Creates a clock.
   *
   * @param start The time it shows, in milliseconds since 1970.
   * @throws {TypeError} If that is no number.
   */
  constructor(start: number = 1_700_000_000_000) {
    if (!Number.isFinite(start)) {
      throw new TypeError(`Cannot make a clock: wanted milliseconds since 1970, got ${describe(start)}`);
    }
    this.#time = start;
  }

  /** The time in milliseconds; can be handed over as it is. */
  readonly now: () => number = () => this.#time;

  /**
   * Lets time pass.
   *
   * @param duration Seconds, or a string such as `"5m"`.
   * @throws {TypeError | RangeError} If it is no duration.
   */
  advance(duration: Duration): void {
    this.#time += toMilliseconds(duration, "duration");
  }
}
