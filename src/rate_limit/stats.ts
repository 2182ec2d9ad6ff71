import type { EventListener } from "../observe/events.ts";
import type { RateLimitState } from "./result.ts";

/** How many calls were decided how. */
export interface RateLimitCounts {
  /** Calls that were allowed. */
  readonly allowed: number;
  /** Calls that were refused, remembered refusals among them. */
  readonly refused: number;
  /** Refusals that were repeated without asking Redis. */
  readonly remembered: number;
  /** Calls that a policy decided because Redis did not answer. */
  readonly degraded: number;
}

/** What a limiter has done in this process. */
export interface RateLimitStats extends RateLimitCounts {
  /**
   * The same for each limit that was asked for, by its name. A call that several limits decided together counts for
   * each.
   */
  readonly presets: Readonly<Record<string, RateLimitCounts>>;
}

type Counts = { -readonly [Name in keyof RateLimitCounts]: number };

/** Counts the decisions of a limiter, and tells of refusals. */
export class Decisions {
  readonly #all: Counts = none();
  readonly #presets = new Map<string, Counts>();
  readonly #on: EventListener | undefined;

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /** Counts a call that one limit decided. */
  count(state: RateLimitState, id: string): void {
    add(this.#all, state);
    add(this.#of(state.name), state);
    if (!state.allowed) this.#emit(state, id);
  }

  /** Counts a call that several limits decided together: those that refused it, or else all. */
  countAll(tightest: RateLimitState, states: readonly RateLimitState[], idOf: (index: number) => string): void {
    add(this.#all, tightest);
    for (const [i, state] of states.entries()) {
      if (state.allowed === tightest.allowed) add(this.#of(state.name), state);
      if (!state.allowed) this.#emit(state, idOf(i));
    }
  }

  /** What was counted so far. */
  stats(): RateLimitStats {
    const presets = Object.fromEntries(Array.from(this.#presets, ([name, counts]) => [name, { ...counts }]));
    return { ...this.#all, presets };
  }

  #emit({ name, source, retryAfter, limit }: RateLimitState, id: string): void {
    this.#on?.({ type: "limit.refused", name, id, limit, retryAfter, source });
  }

  #of(name: string): Counts {
    let counts = this.#presets.get(name);
    if (!counts) this.#presets.set(name, counts = none());
    return counts;
  }
}

function none(): Counts {
  return { allowed: 0, refused: 0, remembered: 0, degraded: 0 };
}

function add(counts: Counts, { allowed, degraded, source }: RateLimitState): void {
  counts[allowed ? "allowed" : "refused"]++;
  if (degraded) counts.degraded++;
  if (source === "deny-cache") counts.remembered++;
}
