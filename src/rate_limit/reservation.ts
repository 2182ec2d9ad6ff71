import type { HeaderStyle } from "./headers.ts";
import { CheckResult, type RateLimitResult } from "./result.ts";

/** A call that was counted and can be taken back, once. */
export class Reservation extends CheckResult {
  readonly #takeBack: (signal: AbortSignal | undefined) => Promise<boolean>;
  #settled = false;

  /**
   * Creates a reservation. `RateLimiter.reserve()` does it for you.
   *
   * @param result What came of the check.
   * @param style How legacy headers are written.
   * @param takeBack Takes it back.
   */
  constructor(
    result: RateLimitResult,
    style: HeaderStyle,
    takeBack: (signal: AbortSignal | undefined) => Promise<boolean>,
  ) {
    super(result, style);
    this.#takeBack = takeBack;
    this.#settled = !result.allowed; // what was refused was not counted
  }

  /**
   * Leaves the call counted.
   *
   * @returns Whether it was not settled before. A refused call is settled from the start.
   */
  commit(): Promise<boolean> {
    const first = !this.#settled;
    this.#settled = true;
    return Promise.resolve(first);
  }

  /**
   * Takes the call back, as far as it still counts: nobody gets more than the limit by it.
   *
   * @param options A signal.
   * @returns Whether that was done; `false` when it was settled before or Redis does not answer.
   */
  async refund(options: { signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    if (this.#settled) return false;
    this.#settled = true;
    return await this.#takeBack(options.signal);
  }
}
