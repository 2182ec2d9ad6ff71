/** One line of the table: what was done how often, how long it took, what it cost. */
export interface Row {
  kind: string;
  calls: number;
  /** Milliseconds that half of the calls took at most. */
  p50: number;
  /** Milliseconds that 99 of 100 calls took at most. */
  p99: number;
  /** Requests to the origin. */
  origin: number;
}

/** Durations by kind of work. */
export class Latencies {
  readonly #kinds = new Map<string, { durations: number[]; origin: number }>();

  /** Adds what one piece of work took. */
  add(kind: string, durations: readonly number[], origin: number): void {
    const known = this.#kinds.get(kind) ?? { durations: [], origin: 0 };
    known.durations.push(...durations);
    known.origin += origin;
    this.#kinds.set(kind, known);
  }

  /** A row for each kind, in the order in which they came. */
  rows(): Row[] {
    return [...this.#kinds].map(([kind, { durations, origin }]) => ({
      kind,
      calls: durations.length,
      p50: percentile(durations, 0.5),
      p99: percentile(durations, 0.99),
      origin,
    }));
  }
}

/** The least value that a share of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
