/** What a circuit breaker lets through: all (`closed`), one attempt (`half-open`), nothing (`open`). */
export type BreakerState = "closed" | "half-open" | "open";

/** The state of several: open where that of any is. */
export function worstOf(states: readonly BreakerState[]): BreakerState {
  return states.find((state) => state === "open") ?? states.find((state) => state === "half-open") ?? "closed";
}

/** How a circuit breaker decides. */
export interface BreakerOptions {
  /** Failures in a row that open it. @default {3} */
  threshold?: number;
  /** Milliseconds until it lets one attempt through again. @default {1000} */
  retryAfter?: number;
  /** Milliseconds that have passed, on any scale that never goes back. @default {performance.now} */
  now?: () => number;
  /** Told every change of state. */
  onChange?: (state: BreakerState) => void;
}

/**
 * A circuit breaker (M. Nygard, Release It!): after failures in a row, callers fail at once instead of waiting for a
 * deadline each, and one attempt at a time finds out whether the other side is back.
 */
export class Breaker {
  readonly #threshold: number;
  readonly #retryAfter: number;
  readonly #now: () => number;
  readonly #onChange: ((state: BreakerState) => void) | undefined;
  #state: BreakerState = "closed";
  #failures = 0;
  #openedAt = 0;

  constructor(options: BreakerOptions = {}) {
    const { threshold = 3, retryAfter = 1000, now = () => performance.now(), onChange } = options;
    this.#threshold = threshold;
    this.#retryAfter = retryAfter;
    this.#now = now;
    this.#onChange = onChange;
  }

  /** The present state. */
  get state(): BreakerState {
    return this.#state;
  }

  /** Whether an attempt may be made now. Asking while open and due makes it half-open. */
  allows(): boolean {
    if (this.#state === "closed") return true;
    if (this.#state === "half-open") return true;
    if (this.#now() - this.#openedAt < this.#retryAfter) return false;
    this.#change("half-open");
    return true;
  }

  /** An attempt succeeded. */
  succeed(): void {
    this.#failures = 0;
    if (this.#state !== "closed") this.#change("closed");
  }

  /** An attempt failed. */
  fail(): void {
    this.#failures++;
    if (this.#state === "half-open" || this.#failures >= this.#threshold) this.trip();
  }

  /** Opens it without waiting for more failures, for when the other side is known to be gone. */
  trip(): void {
    this.#openedAt = this.#now();
    if (this.#state !== "open") this.#change("open");
  }

  /** Lets the next attempt through, for when the other side is known to be back. */
  probe(): void {
    if (this.#state === "open") this.#change("half-open");
  }

  #change(state: BreakerState): void {
    this.#state = state;
    this.#onChange?.(state);
  }
}
