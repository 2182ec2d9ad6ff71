import type { BatchObserver } from "./batch_observer.ts";

/** How long something took, as counts of how often it took at most so long. */
export interface Latency {
  /** What was done, as in `"read cache entries"`. */
  readonly operation: string;
  /** How often. */
  readonly count: number;
  /** Seconds in all. */
  readonly sum: number;
  /** How often it took at most {@linkcode LATENCY_BOUNDS} seconds, each with all before it. */
  readonly buckets: readonly number[];
}

/** What was measured on one Redis server since the start. */
export interface RedisMetrics {
  /** What the server is used for. */
  readonly role: "all" | "cache" | "state";
  /** Round trips by operation; all calls of one tick share one. */
  readonly latencies: readonly Latency[];
  /** Calls that failed, by reason: `timeout`, `connection`, `circuit-open`, or the code of the error, such as `OOM`. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Upper bounds of the latency buckets, in seconds. */
export const LATENCY_BOUNDS: readonly number[] = Object.freeze([
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
]);

/** Operations that are told apart; raw commands of an app count as one. */
const OPERATIONS = 64;
const OTHER = "command";

class Histogram {
  readonly #counts = new Array<number>(LATENCY_BOUNDS.length + 1).fill(0);
  #sum = 0;

  add(seconds: number): void {
    let at = 0;
    while (at < LATENCY_BOUNDS.length && seconds > LATENCY_BOUNDS[at]!) at++;
    this.#counts[at]!++;
    this.#sum += seconds;
  }

  snapshot(operation: string): Latency {
    let count = 0;
    const cumulative = this.#counts.map((each) => count += each);
    return { operation, count, sum: this.#sum, buckets: cumulative.slice(0, -1) };
  }
}

/** Counts what goes on between this process and one Redis server. */
export class RedisMeter implements BatchObserver {
  readonly #histograms = new Map<string, Histogram>();
  readonly #failures = new Map<string, number>();

  answered(operation: string, milliseconds: number): void {
    // What apps send themselves is called "run NAME": its names are not ours to keep few.
    const name = operation.startsWith("run ") ? OTHER : operation;
    let histogram = this.#histograms.get(name);
    if (!histogram) {
      const known = this.#histograms.size < OPERATIONS ? name : OTHER;
      this.#histograms.set(known, histogram = this.#histograms.get(known) ?? new Histogram());
    }
    histogram.add(milliseconds / 1000);
  }

  failed(reason: string): void {
    // scripts of apps may say anything
    if (this.#failures.size >= OPERATIONS && !this.#failures.has(reason)) reason = "other";
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }

  /** All figures so far. */
  snapshot(role: RedisMetrics["role"]): RedisMetrics {
    const latencies = [...this.#histograms].map(([operation, histogram]) => histogram.snapshot(operation));
    return { role, latencies, failures: Object.fromEntries(this.#failures) };
  }
}
