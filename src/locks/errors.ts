/**
 * A lock was not free in time.
 *
 * @example Tell it from other errors
 * ```ts
 * import { LockTimeoutError } from "@larder/larder/locks";
 * import assert from "node:assert/strict";
 *
 * const error = new LockTimeoutError("report", 5000);
 * assert.equal(error.message, 'Cannot acquire lock "report": wanted it within 5000 ms, but others held it');
 * ```
 */
export class LockTimeoutError extends Error {
  /** The error name. */
  override readonly name: string = "LockTimeoutError";
  /** The name of the lock. */
  readonly lock: string;
  /** How long was waited. */
  readonly milliseconds: number;

  /**
   * Creates the error.
   *
   * @param lock The name of the lock.
   * @param milliseconds How long was waited.
   */
  constructor(lock: string, milliseconds: number) {
    super(`Cannot acquire lock ${JSON.stringify(lock)}: wanted it within ${milliseconds} ms, but others held it`);
    this.lock = lock;
    this.milliseconds = milliseconds;
  }
}

/** Why a lock was lost: its time ran out before it could be extended, or the server does not know it any more. */
export type LockLoss = "expired" | "gone";

/**
 * A lock was lost, or may have been, while it was held: the reason of its signal.
 *
 * @example Read the reason
 * ```ts
 * import { LockLostError } from "@larder/larder/locks";
 * import assert from "node:assert/strict";
 *
 * assert.equal(new LockLostError("report", "gone").message, 'Lost lock "report": Redis does not know it any more');
 * ```
 */
export class LockLostError extends Error {
  /** The error name. */
  override readonly name: string = "LockLostError";
  /** The name of the lock. */
  readonly lock: string;
  /** Why. */
  readonly reason: LockLoss;

  /**
   * Creates the error.
   *
   * @param lock The name of the lock.
   * @param reason Why.
   */
  constructor(lock: string, reason: LockLoss) {
    const why = reason === "expired" ? "it was not extended in time" : "Redis does not know it any more";
    super(`Lost lock ${JSON.stringify(lock)}: ${why}`);
    this.lock = lock;
    this.reason = reason;
  }
}
