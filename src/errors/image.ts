/**
 * Why there is no metadata of an image:
 * `empty`: no bytes · `unsupported`: no format that Larder knows · `truncated`: it ends before its dimensions ·
 * `invalid`: its header contradicts its format · `too-large`: more bytes or pixels than the options allow.
 */
export type ImageErrorReason = "empty" | "unsupported" | "truncated" | "invalid" | "too-large";

/**
 * What is there under the name of an image has no metadata that could be trusted.
 *
 * @example Read the reason
 * ```ts
 * import { ImageError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new ImageError("logo.png", "truncated", "a PNG header of 33 bytes, got 20");
 * assert.equal(error.reason, "truncated");
 * assert.equal(error.message, 'Cannot read image "logo.png": wanted a PNG header of 33 bytes, got 20');
 * ```
 */
export class ImageError extends Error {
  /** The error name. */
  override readonly name: string = "ImageError";
  /** The name of the image. */
  readonly filename: string;
  /** Why. */
  readonly reason: ImageErrorReason;
  /** What was wanted and what came. */
  readonly detail: string;

  /**
   * Creates the error.
   *
   * @param filename The name of the image.
   * @param reason Why.
   * @param detail What was wanted and what came.
   * @param options Carries the `cause`.
   */
  constructor(filename: string, reason: ImageErrorReason, detail: string, options?: ErrorOptions) {
    super(`Cannot read image ${JSON.stringify(filename)}: wanted ${detail}`, options);
    this.filename = filename;
    this.reason = reason;
    this.detail = detail;
  }
}
