/**
 * There is no such thing, as in an image that is asked for by a name under which there is none.
 *
 * @example Tell "not there" from "not readable"
 * ```ts
 * import { NotFoundError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new NotFoundError("image", "logo.png");
 * assert.equal(error.message, 'Cannot find image "logo.png"');
 * ```
 */
export class NotFoundError extends Error {
  /** The error name. */
  override readonly name: string = "NotFoundError";
  /** What kind of thing, as in "image". */
  readonly kind: string;
  /** By what it was asked for. */
  readonly what: string;

  /**
   * Creates the error.
   *
   * @param kind What kind of thing.
   * @param what By what it was asked for.
   * @param options Carries the `cause`.
   */
  constructor(kind: string, what: string, options?: ErrorOptions) {
    super(`Cannot find ${kind} ${JSON.stringify(what)}`, options);
    this.kind = kind;
    this.what = what;
  }
}
