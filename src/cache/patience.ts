import { currentRun } from "./waits.ts";

/** How long a loader waits for another process, which may be waiting for it, in milliseconds. */
const WAIT_WITHIN_LOADER = 10_000;

/** How long a caller waits for loaders that others run: `waitTimeout`, counted from when the caller came. */
export class Patience {
  readonly #began = performance.now();
  readonly #here: number;
  readonly #elsewhere: number;
  #since: number = this.#began;
  #renewed = false;

  /** `waitTimeout` in milliseconds; none, or 0: as long as it takes. */
  constructor(waitTimeout: number | undefined) {
    this.#here = waitTimeout || Infinity;
    this.#elsewhere = (waitTimeout ?? (currentRun() ? WAIT_WITHIN_LOADER : 0)) || Infinity;
  }

  /** Milliseconds since the caller came. */
  get waited(): number {
    return performance.now() - this.#began;
  }

  /**
   * Milliseconds that are left for a loader of this process. When none are, there are as many again, once, for a loader
   * that began after the caller came: of many who give up at the same time one loads, and the others wait for that.
   */
  here(later: boolean): number {
    return this.#left(this.#here, later);
  }

  /** The same for a loader of another process. */
  elsewhere(later: boolean): number {
    return this.#left(this.#elsewhere, later);
  }

  #left(most: number, later: boolean): number {
    if (most === Infinity) return Infinity;
    const left = most - (performance.now() - this.#since);
    if (left > 0 || !later || this.#renewed) return left;
    this.#renewed = true;
    this.#since = performance.now();
    return most;
  }
}
