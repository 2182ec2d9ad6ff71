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
  /**
   * That browsers show it as it is stored all the same: EXIF of WebP, and of PNG behind the pixels. `displaySize()`
   * knows.
   */
  readonly orientationIgnored?: true;
  /** That it moves: GIF, APNG, WebP, AVIF, JPEG XL of several pictures. */
  readonly animated?: true;
  /** How many pictures it shows one after the other, where it moves and says so. */
  readonly frames?: number;
  /** That its bytes are compressed as a whole, as those of an SVGZ: it has to be sent with this `Content-Encoding`. */
  readonly encoding?: "gzip";
  /** A strong ETag, quotes included: another one whenever a byte changes. */
  readonly etag: string;
  /** The MIME type that the extension of its name stands for, where that is not `type`. */
  readonly mismatch?: string;
  /** That it ends before its format says. Its dimensions are known all the same. */
  readonly truncated?: true;
}

/** An image of which its size is not known, since something is wrong with it; it can be sent all the same. */
export type DoubtfulImage = Pick<ImageInfo, "size" | "type" | "hash" | "timestamp" | "etag" | "encoding">;

/**
 * The size at which browsers show an image: width and height change places where its orientation turns it by a quarter,
 * if browsers apply it: EXIF of JPEG, of PNG before the pixels, and the rotation of AVIF, HEIC and JPEG XL; not EXIF of
 * WebP, nor of PNG behind the pixels.
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
  info: Pick<ImageInfo, "width" | "height" | "orientation" | "orientationIgnored">,
): { width: number; height: number } {
  const { width, height, orientation = 1, orientationIgnored = false } = info;
  return orientation >= 5 && !orientationIgnored ? { width: height, height: width } : { width, height };
}
