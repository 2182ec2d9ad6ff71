import { sharesState } from "./algorithms/registry.ts";
import { assertOptions } from "../util/option_names.ts";
import type { HeaderStyle } from "./headers.ts";
import { OPERATION } from "./option_names.ts";
import type { Preset } from "./presets.ts";
import { CheckResult } from "./check_result.ts";
import type { RateLimitResult } from "./result.ts";
import { type Reserved, type Step, TICKET_KEPT } from "./store.ts";

/**
 * A call that was counted and can be taken back, once.
 *
 * @example Only failed logins count
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const attempt = await redis.rateLimit.reserve("AUTH", "192.0.2.7");
 * assert.equal(attempt.allowed, true);
 * const passwordIsRight = true;
 * if (passwordIsRight) await attempt.refund();
 * else await attempt.commit();
 * assert.equal((await redis.rateLimit.peek("AUTH", "192.0.2.7")).remaining, 5);
 * ```
 */
export interface Reservation extends RateLimitResult {
  /**
   * Leaves the call counted.
   *
   * @returns Whether it was not settled before. A refused call is settled from the start.
   */
  commit(): Promise<boolean>;
  /**
   * Takes the call back, as far as it still counts, and nothing that others have used: not after the limit was reset,
   * or has forgotten the call by itself. When Redis does not answer it may be tried again, for some minutes: it is
   * taken back once.
   *
   * @param options A signal.
   * @returns Whether something was given back; `false` when it was settled before, does not count any more, or Redis
   * does not answer.
   */
  refund(options?: { signal?: AbortSignal | undefined }): Promise<boolean>;
}

/** The result of a check with the means to take it back. */
export class ReservedResult extends CheckResult implements Reservation {
  readonly #takeBack: (signal: AbortSignal | undefined) => Promise<boolean | undefined>;
  #settled = false;

  constructor(
    result: RateLimitResult,
    style: HeaderStyle,
    takeBack: (signal: AbortSignal | undefined) => Promise<boolean | undefined>,
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
    let done: boolean | undefined;
    try {
      done = await this.#takeBack(options.signal);
    } finally {
      this.#settled = done !== undefined; // of what was not answered nobody knows: it may be tried again
    }
    return done ?? false;
  }
}

/**
 * For how long a refund that was not answered may be tried again, in milliseconds: a little less than its ticket is
 * kept.
 */
const TRIED_FOR = TICKET_KEPT - 30_000;

/**
 * Makes the step that takes a reservation back under the preset of the day; nothing, when it is too late to try again.
 */
export function refundOf(
  step: Step<Preset>,
  reserved: Reserved | undefined,
): (preset: Preset | undefined) => Step<Preset> | false {
  const ticket = crypto.randomUUID();
  const since = performance.now();
  let first: number | undefined;
  return (preset = step.rule) => {
    const now = performance.now();
    first ??= now;
    const { rule: before } = step;
    // What is older than a window that has become shorter counts no more, and whether it was reset is not known for
    // longer.
    const ended = preset.window < before.window && now - since > preset.window;
    if (ended || now - first > TRIED_FOR) return false;
    // Where it is counted in another way now, the call is still where it was.
    const rule = sharesState(preset, before) ? preset : before;
    const moved = rule.limit !== before.limit || rule.window !== before.window;
    return { ...step, rule, action: "refund", moved, ticket, ...(reserved && { reserved }) };
  };
}
