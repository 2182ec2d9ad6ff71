import { describe } from "../util/describe.ts";
import { type DurationLimits, TIME_TO_LIVE, toMilliseconds } from "../util/duration.ts";
import { assertOptions } from "../util/option_names.ts";
import { fileSource } from "./file_source.ts";
import { IMAGES } from "./option_names.ts";
import type { ImageOptions } from "./options.ts";
import type { ReadLimits } from "./read_image.ts";
import type { ImageSource } from "./source.ts";

/** How long an error is kept. */
export const ERROR_TTL: DurationLimits = { min: 1 };

/** Image options, checked and complete, times in milliseconds. */
export interface ImageSettings extends ReadLimits {
  readonly source: ImageSource;
  readonly revalidateAfter: number;
  readonly verify: "stat" | "hash";
  readonly ttl: number;
  readonly errorTtl: number;
  readonly staleIfError: number;
}

const HASHES = ["sha-256", "sha-384", "sha-512"];
const MAX_BYTES = 100 * 2 ** 20;
const MAX_PIXELS = 0x3fff ** 2;

/**
 * Checks image options and fills in what is not given.
 *
 * @throws {TypeError} If one has the wrong shape.
 * @throws {RangeError} If one is out of range.
 */
export function imageSettings(options: ImageOptions): ImageSettings {
  assertOptions(options, IMAGES, "use the images");
  const { root, source, hash = "sha-256", maxBytes = MAX_BYTES, maxPixels = MAX_PIXELS, verify = "stat" } = options;
  if ((root === undefined) === (source === undefined)) {
    const got = root === undefined ? "neither" : "both";
    throw new TypeError(`Cannot use the images: wanted a root or a source, got ${got}`);
  }
  if (source !== undefined && (typeof source?.stat !== "function" || typeof source.open !== "function")) {
    throw new TypeError(`Cannot use the source of images: wanted stat() and open(), got ${describe(source)}`);
  }
  if (!HASHES.includes(hash)) {
    throw new TypeError(`Cannot use "hash": wanted one of ${HASHES.join(", ")}, got ${describe(hash)}`);
  }
  if (verify !== "stat" && verify !== "hash") {
    throw new TypeError(`Cannot use "verify": wanted "stat" or "hash", got ${describe(verify)}`);
  }
  for (const [name, value] of Object.entries({ maxBytes, maxPixels })) {
    if (typeof value !== "number") throw new TypeError(`Cannot use "${name}": wanted a number, got ${describe(value)}`);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot use "${name}": wanted a whole number of at least 1, got ${value}`);
    }
  }
  return {
    source: source ?? fileSource(root!),
    hash,
    maxBytes,
    maxPixels,
    verify,
    revalidateAfter: toMilliseconds(options.revalidateAfter ?? "1s", "revalidateAfter"),
    ttl: toMilliseconds(options.ttl ?? "7d", "ttl", TIME_TO_LIVE),
    errorTtl: toMilliseconds(options.errorTtl ?? "10s", "errorTtl", ERROR_TTL),
    staleIfError: toMilliseconds(options.staleIfError ?? 0, "staleIfError"),
  };
}
