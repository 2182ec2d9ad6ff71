/** What is known of an image. */
export interface ImageInfo {
  /** The name under which it was asked for. */
  readonly filename: string;
  /** Its size in bytes. */
  readonly size: number;
  /** Its MIME type, as its content says: what its name says does not matter. */
  readonly type: string;
  /** The hash of its bytes in hexadecimal digits: SHA-256 unless the options say otherwise. */
  readonly hash: string;
  /** When it changed last, in milliseconds since 1970; 0 where the source does not tell. */
  readonly timestamp: number;
  /** Its width in pixels as stored, before any orientation. For SVG in CSS pixels, rounded. */
  readonly width: number;
  /** Its height in pixels as stored, before any orientation. For SVG in CSS pixels, rounded. */
  readonly height: number;
  /** How it is to be turned to be upright, 1 to 8 as in EXIF; absent where it does not say. */
  readonly orientation?: number;
  /** A strong ETag, quotes included: another one whenever a byte changes. */
  readonly etag: string;
  /** The MIME type that the extension of its name stands for, where that is not `type`. */
  readonly mismatch?: string;
  /** That it ends before its format says. Its dimensions are known all the same. */
  readonly truncated?: true;
}

/**
 * The size at which an image is shown: width and height change places where its orientation turns it by a quarter.
 *
 * @param info What is known of the image.
 * @returns What belongs into `<img width height>`.
 *
 * @example A photo of a camera that was held upright
 * ```ts
 * import { displaySize } from "@larder/larder/images";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(displaySize({ width: 4000, height: 3000, orientation: 6 }), { width: 3000, height: 4000 });
 * ```
 */
export function displaySize(
  info: Pick<ImageInfo, "width" | "height" | "orientation">,
): { width: number; height: number } {
  const { width, height, orientation = 1 } = info;
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}
