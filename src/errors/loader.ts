/**
 * A loader took longer than its caller's `hardTimeout`. It goes on, and what it gives is stored.
 *
 * @example Read the numbers
 * ```ts
 * import { LoaderTimeoutError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new LoaderTimeoutError("report", 2000);
 * assert.equal(error.message, 'Cannot load "report": wanted a value within 2000 ms, got none');
 * ```
 */
export class LoaderTimeoutError extends Error {
  /** The error name. */
  override readonly name: string = "LoaderTimeoutError";
  /** The key. */
  readonly key: string;
  /** How long was waited. */
  readonly milliseconds: number;

  /**
   * Creates the error.
   *
   * @param key The key.
   * @param milliseconds How long was waited.
   * @param options Carries the `cause`.
   */
  constructor(key: string, milliseconds: number, options?: ErrorOptions) {
    super(`Cannot load ${JSON.stringify(key)}: wanted a value within ${milliseconds} ms, got none`, options);
    this.key = key;
    this.milliseconds = milliseconds;
  }
}

/**
 * Loaders of the cache wait for each other, or one for itself: none of them would ever end.
 *
 * @example Read the chain
 * ```ts
 * import { LoaderCycleError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new LoaderCycleError(["a", "b", "a"]);
 * const wanted = "loaders that do not wait for each other";
 * assert.equal(error.message, `Cannot load "a": wanted ${wanted}, got "a" -> "b" -> "a"`);
 * ```
 */
export class LoaderCycleError extends Error {
  /** The error name. */
  override readonly name: string = "LoaderCycleError";
  /** The keys: each waits for the next one, and the last is the first. */
  readonly chain: readonly string[];

  /**
   * Creates the error.
   *
   * @param chain The keys.
   * @param options Carries the `cause`.
   */
  constructor(chain: readonly string[], options?: ErrorOptions) {
    const names = chain.map((key) => JSON.stringify(key));
    const got = names.join(" -> ");
    super(`Cannot load ${names.at(-1)}: wanted loaders that do not wait for each other, got ${got}`, options);
    this.chain = [...chain];
  }
}
