import { ImageError, type ImageErrorReason, NotFoundError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { describe } from "../util/describe.ts";
import type { DoubtfulImage, ImageInfo } from "./info.ts";
import { isImageType, mismatchOf } from "./types.ts";

/** What is cached of an image: what is known, or why nothing is. */
export interface Known {
  /** What is known. */
  readonly info?: ImageInfo;
  /** Why nothing is. */
  readonly error?: { readonly reason: ImageErrorReason; readonly detail: string };
  /** What can be sent although nothing is known of its size. */
  readonly image?: DoubtfulImage;
  /** How many bytes it becomes where it is compressed as a whole. */
  readonly inflated?: number;
  /** That it changed between its snapshot and its reading, so that nothing is known after all. */
  readonly changed?: true;
}

/** What is known, or the error that there was. */
export function infoFrom(name: string, { info, error }: Known): ImageInfo {
  if (error) throw new ImageError(name, error.reason, error.detail);
  return Object.freeze(info!);
}

/** Whether an error is an answer: the image is not there, or it is none. */
export function isAnswer(error: unknown): error is NotFoundError | ImageError {
  return error instanceof NotFoundError || error instanceof ImageError;
}

/** Characters of the hash that make the ETag: 128 bits. */
const ETAG = 32;
/** Hexadecimal digits of each hash. */
const DIGITS: Readonly<Record<string, number>> = { "sha-256": 64, "sha-384": 96, "sha-512": 128 };
const REASONS: readonly unknown[] = ["empty", "unsupported", "truncated", "invalid", "too-large"];
const FLAGS = ["truncated", "animated", "orientationIgnored"];
/** The longest text that says why. */
const LONGEST = 1000;

/** The ETag of an image with a hash. */
export function etagOf(hash: string): string {
  return `"${hash.slice(0, ETAG)}"`;
}

/** What was found to be as it was written: copies in the process are given out again and again. */
const whole = new WeakSet<object>();

/** Whether what is cached of an image is as it was written; if not, that is told, and it is as if it were not there. */
export function isAsWritten(
  value: unknown,
  { filename, key, hash }: { filename: string; key: string; hash: string },
  on: EventListener | undefined,
): value is Known {
  try {
    checkKnown(value, filename, hash);
    return true;
  } catch (error) {
    on?.({ type: "cache.unreadable", key, error });
    return false;
  }
}

/**
 * Checks what is cached of an image. Whoever may write keys of the cache may have put something else there: that is
 * nothing to be sent to browsers.
 *
 * @param value What is there.
 * @param filename The name of the image.
 * @param hash How images are hashed.
 * @throws {TypeError} If it is not as it was written.
 */
export function checkKnown(value: unknown, filename: string, hash: string): asserts value is Known {
  if (isRecord(value) && whole.has(value) && (value as Known).info?.filename === filename) return;
  const wrong = wrongIn(value, filename, hash);
  if (wrong === undefined) return void whole.add(value as object);
  const what = describe(isRecord(value) && isRecord(value.info) ? value.info[wrong] : value);
  throw new TypeError(`Cannot read what is stored of an image: wanted its ${wrong} as it was written, got ${what}`);
}

/** What is not as it was written. */
function wrongIn(value: unknown, filename: string, hash: string): string | undefined {
  if (!isRecord(value)) return "record";
  const { info, error, image, changed, inflated } = value;
  if (changed !== undefined) return changed === true && !info && !error ? undefined : "changed";
  if ((info === undefined) === (error === undefined)) return "record";
  if (inflated !== undefined && !isWhole(inflated, 0)) return "length";
  if (error !== undefined) {
    if (!isRecord(error) || !REASONS.includes(error.reason)) return "reason";
    return isPlainText(error.detail) ? image === undefined ? undefined : wrongInFile(image, hash) : "detail";
  }
  if (!isRecord(info)) return "info";
  const { type, orientation, mismatch, frames } = info;
  if (info.filename !== filename) return "filename";
  const wrong = wrongInFile(info, hash);
  if (wrong !== undefined) return wrong;
  if (!isWhole(info.width, 0)) return "width";
  if (!isWhole(info.height, 0)) return "height";
  if (orientation !== undefined && !isWhole(orientation, 1, 8)) return "orientation";
  if (frames !== undefined && !isWhole(frames, 0)) return "frames";
  if (mismatch !== mismatchOf(filename, type as string)) return "mismatch";
  return FLAGS.find((flag) => info[flag] !== undefined && info[flag] !== true);
}

/** What is not as it was written, of what both have that can be sent. */
function wrongInFile(file: unknown, hash: string): string | undefined {
  if (!isRecord(file)) return "record";
  const { size, type, hash: digest, etag, timestamp, encoding } = file;
  if (!isWhole(size, 1)) return "size";
  if (typeof type !== "string" || !isImageType(type)) return "type";
  if (typeof digest !== "string" || digest.length !== DIGITS[hash] || !/^[\da-f]+$/.test(digest)) return "hash";
  if (etag !== etagOf(digest)) return "etag";
  if (encoding !== undefined && (encoding !== "gzip" || type !== "image/svg+xml")) return "encoding";
  return Number.isSafeInteger(timestamp) && Math.abs(timestamp as number) <= 8.64e15 ? undefined : "timestamp";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isPlainText(value: unknown): boolean {
  return typeof value === "string" && value.length <= LONGEST && !/\p{Cc}/u.test(value);
}
