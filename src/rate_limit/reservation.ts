import { assertOptions } from "../option_names.ts";
import type { HeaderStyle } from "./headers.ts";
import { OPERATION } from "./option_names.ts";
import { CheckResult, type RateLimitResult } from "./result.ts";

/** A call that was counted and can be taken back, once. */
export interface Reservation extends RateLimitResult {
  /**
   * Leaves the call counted.
   *
   * @returns Whether it was not settled before. A refused call is settled from the start.
   */
  commit(): Promise<boolean>;
  /**
   * Takes the call back, as far as it still counts: nobody gets more than the limit by it.
   *
   * @param options A signal.
   * @returns Whether that was done; `false` when it was settled before or Redis does not answer.
   */
  refund(options?: { signal?: AbortSignal | undefined }): Promise<boolean>;
}

/** The result of a check with the means to take it back. */
export class ReservedResult extends CheckResult implements Reservation {
  readonly #takeBack: (signal: AbortSignal | undefined) => Promise<boolean>;
  #settled = false;

  constructor(
    result: RateLimitResult,
    style: HeaderStyle,
    takeBack: (signal: AbortSignal | undefined) => Promise<boolean>,
  ) {
    super(result, style);
    this.#takeBack = takeBack;
    this.#settled = !result.allowed; // what was refused was not counted
  }

  commit(): Promise<boolean> {
    const first = !this.#settled;
    this.#settled = true;
    return Promise.resolve(first);
  }

  async refund(options: { signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    assertOptions(options, OPERATION, "refund rate limit");
    if (this.#settled) return false;
    options.signal?.throwIfAborted();
    this.#settled = true;
    return await this.#takeBack(options.signal);
  }
}
