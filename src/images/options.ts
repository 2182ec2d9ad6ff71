import type { EventListener } from "../observe/events.ts";
import type { Duration } from "../util/duration.ts";
import type { OperationOptions } from "../cache/options.ts";
import type { ImageSource } from "./source.ts";

/** How metadata of images is kept. */
export interface ImageOptions {
  /** The folder with the images: a path, or a `file:` URL. Needs `--allow-read` for it. */
  root?: string | URL | undefined;
  /** Where images come from instead of a folder: `httpSource()`, or a source of your own. */
  source?: ImageSource | undefined;
  /** The algorithm of `hash`. @default {"sha-256"} */
  hash?: "sha-256" | "sha-384" | "sha-512" | undefined;
  /** The most bytes of an image; one with more is an `ImageError`. @default {104_857_600} (100 MiB) */
  maxBytes?: number | undefined;
  /**
   * The most pixels of an image, width times height; one with more is an `ImageError`. @default {268_402_689} (16,383 x
   * 16,383)
   */
  maxPixels?: number | undefined;
  /**
   * How long what is known is given without a look at the image: seconds, or a string such as `"5m"`; 0 = a look at
   * each call.
   *
   * @default {"1s"}
   */
  revalidateAfter?: Duration | undefined;
  /**
   * How a look tells whether an image changed: `"stat"` by size, times and inode, or the ETag; `"hash"` by reading all
   * of it.
   *
   * @default {"stat"}
   */
  verify?: "stat" | "hash" | undefined;
  /** How long what is known of an image that does not change is kept at most; 0 = for ever. @default {"7d"} */
  ttl?: Duration | undefined;
  /** How long it is remembered that an image cannot be read. @default {"10s"} */
  errorTtl?: Duration | undefined;
  /** How long what was last known is given while the source fails; 0 = not at all. @default {0} */
  staleIfError?: Duration | undefined;
}

/** Options of `getImageInfoMany`. */
export interface ImageInfoManyOptions extends OperationOptions {
  /** Told of each image that is absent from the result, with a `NotFoundError` or an `ImageError`. */
  onError?: ((name: string, error: Error) => void) | undefined;
}

/** Options of `warmImages`. */
export interface WarmImagesOptions extends OperationOptions {
  /** How many images are read at a time. @default {8} */
  concurrency?: number | undefined;
  /** Told after each image how many are done. */
  onProgress?: ((progress: WarmImagesProgress) => void) | undefined;
}

/** How a `warmImages` stands. */
export interface WarmImagesProgress {
  /** How many are known now. */
  readonly stored: number;
  /** How many could not be read. */
  readonly failed: number;
  /** The last of them. */
  readonly filename: string;
}

/** How a `warmImages` went. */
export interface WarmImagesResult {
  /** How many are known now. */
  readonly stored: number;
  /** How many could not be read. */
  readonly failed: number;
}

/** Options of `serveImage`. */
export interface ServeImageOptions extends OperationOptions {
  /** The `Cache-Control` of what is found. @default {"no-cache"} (kept by the browser, asked about each time) */
  cacheControl?: string | undefined;
  /** More headers of what is found. They do not replace those that make it safe. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** What `Images` is made with beside its options. */
export interface ImagesContext {
  /** Told what happens. */
  on?: EventListener | undefined;
  /** The time in milliseconds; a test may have a clock of its own. @default {performance.now} */
  now?: (() => number) | undefined;
}
