import type { Cache } from "@larder/larder";
import { Latencies, percentile } from "./latencies.ts";
import type { Origin } from "./origin.ts";

/** What a piece of work gave, how long it took and what it cost. */
export interface Measured<T> {
  values: T[];
  /** Milliseconds that half of the calls took at most. */
  p50: number;
  /** Calls per second. */
  rate: number;
  /** Requests to the origin, those of refreshes in the background included. */
  asked: number;
}

/** Does work over and over, with a watch in one hand and the origin's counter in the other. */
export class Stopwatch {
  readonly latencies: Latencies = new Latencies();
  readonly #cache: Cache;
  readonly #origin: Origin;

  constructor(cache: Cache, origin: Origin) {
    this.#cache = cache;
    this.#origin = origin;
  }

  /** Runs all of the work at once. */
  async together<T>(kind: string, work: readonly (() => Promise<T>)[]): Promise<Measured<T>> {
    return await this.#measure(kind, (time) => Promise.all(work.map(time)));
  }

  /** Lets callers do the same over and over, each its next call when the last is done. */
  async inTurn<T>(kind: string, times: number, call: () => Promise<T>, callers = 1): Promise<Measured<T>> {
    return await this.#measure(kind, async (time) => {
      const values: T[] = [];
      await Promise.all(Array.from({ length: callers }, async () => {
        for (let i = 0; i < times; i++) values.push(await time(call));
      }));
      return values;
    });
  }

  /** Waits until no loader runs any more. */
  async calm(): Promise<void> {
    while (this.#cache.stats().loading > 0) await pause(2);
  }

  async #measure<T>(
    kind: string,
    run: (time: (call: () => Promise<T>) => Promise<T>) => Promise<T[]>,
  ): Promise<Measured<T>> {
    const durations: number[] = [];
    const before = this.#origin.calls;
    const started = performance.now();
    const values = await run(async (call) => {
      const from = performance.now();
      try {
        return await call();
      } finally {
        durations.push(performance.now() - from);
      }
    });
    const rate = values.length / (performance.now() - started) * 1000;
    await this.calm();
    const asked = this.#origin.calls - before;
    this.latencies.add(kind, durations, asked);
    return { values, p50: percentile(durations, 0.5), rate, asked };
  }
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
