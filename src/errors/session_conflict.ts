/**
 * A session has another version than the one that a change was meant for.
 *
 * @example Read the version
 * ```ts
 * import { SessionConflictError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new SessionConflictError(3);
 * assert.equal(error.message, "Cannot update session: wanted the version that it had, got version 3");
 * ```
 */
export class SessionConflictError extends Error {
  /** The error name. */
  override readonly name: string = "SessionConflictError";
  /** The version that the session has. */
  readonly version: number;

  /**
   * Creates the error.
   *
   * @param version The version that the session has.
   * @param options Carries the `cause`.
   */
  constructor(version: number, options?: ErrorOptions) {
    super(`Cannot update session: wanted the version that it had, got version ${version}`, options);
    this.version = version;
  }
}
