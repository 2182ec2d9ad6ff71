/** What is told of an image without reading it. */
export interface ImageStat {
  /** How many bytes it has, if that is known. */
  readonly size?: number | undefined;
  /** When it changed last, in milliseconds since 1970. */
  readonly modified?: number | undefined;
  /**
   * Something that is another after each change, such as the ETag of an object store. Without it, size and time tell
   * changes; without any of them, the image is read again each time that it is looked at.
   */
  readonly version?: string | undefined;
  /** Whether it changed so lately that one more change may leave all this the same. Then it is read again soon. */
  readonly recent?: boolean | undefined;
}

/** An image that is open for reading. */
export interface OpenedImage {
  /** How it stands, as it is open: not as it was when `stat` was asked. */
  readonly stat: ImageStat;
  /** Its bytes, or the range of them that was asked for. Is read to its end or cancelled. */
  readonly body: ReadableStream<Uint8Array>;
  /** Whether it is still as it was opened; asked after `body` was read, before that is believed. */
  unchanged?(): Promise<boolean>;
}

/** Options of `stat`. */
export interface StatOptions {
  /** What was told before, for a conditional request: give back this very object if nothing changed. */
  readonly previous?: ImageStat | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `open`. */
export interface OpenOptions {
  /** The first byte wanted. @default {0} */
  readonly start?: number | undefined;
  /** The last byte wanted. @default {the last one} */
  readonly end?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where images come from. Names that reach a source are relative paths with `/` between their parts, without `.`, `..`,
 * empty parts, control characters, backslashes, or separators in percent-encoding.
 *
 * @example Images in memory
 * ```ts
 * import { connect } from "@larder/larder";
 * import type { ImageSource } from "@larder/larder/images";
 * import assert from "node:assert/strict";
 *
 * const gif = Uint8Array.from(atob("R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs="), (c) => c.charCodeAt(0));
 * const source: ImageSource = {
 *   stat: (name) => Promise.resolve(name === "dot.gif" ? { size: gif.length, version: "1" } : undefined),
 *   open: (_name, { start = 0, end = gif.length - 1 } = {}) =>
 *     Promise.resolve({
 *       stat: { size: gif.length, version: "1" },
 *       body: new Blob([gif.slice(start, end + 1)]).stream(),
 *     }),
 * };
 * await using redis = await connect({ url: "memory:", images: { source } });
 * const { type, width, height } = await redis.cache.getImageInfo("dot.gif");
 * assert.deepEqual({ type, width, height }, { type: "image/gif", width: 1, height: 1 });
 * ```
 */
export interface ImageSource {
  /** How an image stands; `undefined` if there is none of that name. */
  stat(name: string, options?: StatOptions): Promise<ImageStat | undefined>;
  /** Opens an image, or a range of its bytes; `undefined` if there is none of that name. */
  open(name: string, options?: OpenOptions): Promise<OpenedImage | undefined>;
  /** The names of all images in a folder and below, for `warmImages()`; `""` stands for everything. */
  list?(folder: string, options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<string>;
}
