import { createHash } from "node:crypto";
import { ImageError } from "../errors.ts";
import type { ImageInfo } from "./info.ts";
import { etagOf } from "./known.ts";
import { Probe } from "./probe.ts";
import type { OpenedImage } from "./source.ts";
import { mismatchOf } from "./types.ts";

/** What an image may be like, and how it is hashed. */
export interface ReadLimits {
  readonly hash: string;
  readonly maxBytes: number;
  readonly maxPixels: number;
}

/**
 * Reads an image from its first byte to its last, hashes it and finds out what it is. Keeps nothing of it.
 *
 * @throws {ImageError} If it is none, or too large; as soon as that is known.
 */
export async function readImage(
  filename: string,
  { body, stat }: OpenedImage,
  limits: ReadLimits,
  signal?: AbortSignal,
): Promise<ImageInfo> {
  const { maxBytes } = limits;
  const reader = body.getReader();
  const hash = createHash(limits.hash.replace("-", ""));
  const probe = new Probe(filename);
  let size = 0;
  try {
    assertSize(filename, stat.size ?? 0, maxBytes);
    while (true) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      assertSize(filename, size, maxBytes);
      probe.push(value);
      hash.update(value);
    }
    const shape = probe.end();
    assertPixels(filename, shape.width, shape.height, limits.maxPixels);
    const digest = hash.digest("hex");
    const { type, width, height, orientation, truncated } = shape;
    const mismatch = mismatchOf(filename, type);
    return {
      filename,
      size,
      type,
      hash: digest,
      timestamp: Math.floor(stat.modified ?? 0),
      width,
      height,
      ...(orientation !== undefined && { orientation }),
      etag: etagOf(digest),
      ...(mismatch !== undefined && { mismatch }),
      ...(truncated && { truncated }),
    };
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw error;
  }
}

function assertSize(filename: string, size: number, most: number): void {
  if (size > most) throw new ImageError(filename, "too-large", `at most ${most} bytes, got ${size} or more`);
}

function assertPixels(filename: string, width: number, height: number, most: number): void {
  if (width * height <= most) return;
  throw new ImageError(filename, "too-large", `at most ${most} pixels, got ${width} x ${height}`);
}
