import { createHash } from "node:crypto";
import { ImageError } from "../errors.ts";
import { LongWork } from "../util/long_work.ts";
import { BEGINNING, typeInDoubt, typeWithoutSize } from "./doubt.ts";
import type { Shape } from "./formats/parser.ts";
import { InflatingProbe, isGzip } from "./inflating_probe.ts";
import type { DoubtfulImage, ImageInfo } from "./info.ts";
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

/** What reading an image came to. */
export type ReadResult =
  | { readonly info: ImageInfo; readonly inflated?: number }
  | { readonly error: ImageError; readonly image?: DoubtfulImage; readonly inflated?: number };

/** Reasons for which an image may be sent all the same. */
const DOUBTS: ReadonlySet<string> = new Set(["invalid", "truncated"]);

/**
 * Reads an image from its first byte to its last, hashes it and finds out what it is. Keeps nothing of it. One of which
 * the parser says that something is wrong is read on if it is an image all the same.
 */
export async function readImage(
  filename: string,
  { body, stat }: OpenedImage,
  limits: ReadLimits,
  signal?: AbortSignal,
): Promise<ReadResult> {
  const { maxBytes } = limits;
  const reader = body.getReader();
  const work = new LongWork();
  const hash = createHash(limits.hash.replace("-", ""));
  const beginning = new Uint8Array(BEGINNING);
  let probe: Probe | InflatingProbe | undefined;
  let doubt: { error: ImageError; type: string } | undefined;
  let size = 0;
  /** Throws what cannot be sent; remembers what can. */
  const doubted = (error: unknown) => {
    const known = error instanceof ImageError && DOUBTS.has(error.reason);
    const type = known
      ? typeInDoubt(filename, beginning.subarray(0, size)) ?? typeWithoutSize(filename, probe?.type)
      : undefined;
    if (type === undefined) throw error;
    doubt ??= { error: error as ImageError, type };
  };
  try {
    assertSize(filename, stat.size ?? 0, maxBytes);
    for (let next = reader.read();;) {
      signal?.throwIfAborted();
      const { done, value } = await next;
      if (done) break;
      next = reader.read(); // goes on while this is looked at
      next.catch(() => {});
      if (size < BEGINNING) beginning.set(value.subarray(0, BEGINNING - size), size);
      size += value.length;
      assertSize(filename, size, maxBytes);
      hash.update(value);
      await work.turn();
      if (size < 2) continue; // too few to tell whether they are compressed
      try {
        if (!probe) {
          probe = isGzip(beginning) ? new InflatingProbe(filename) : new Probe(filename);
          await probe.push(beginning.slice(0, size - value.length));
        }
        if (!doubt) await probe.push(value);
      } catch (error) {
        doubted(error);
      }
    }
    let shape: Shape | undefined;
    try {
      if (!probe) {
        probe = new Probe(filename);
        probe.push(beginning.slice(0, size));
      }
      if (!doubt) shape = await probe.end();
      if (shape) assertPixels(filename, shape, limits.maxPixels);
    } catch (error) {
      doubted(error);
    }
    const digest = hash.digest("hex");
    const file = {
      size,
      hash: digest,
      timestamp: Math.floor(stat.modified ?? 0),
      etag: etagOf(digest),
    };
    const inflated = probe instanceof InflatingProbe ? { inflated: probe.length } : {};
    if (doubt || !shape) {
      const coded = probe instanceof InflatingProbe && ({ encoding: "gzip" } as const);
      return { error: doubt!.error, image: { ...file, type: doubt!.type, ...coded }, ...inflated };
    }
    return { info: { filename, ...file, ...shown(shape), ...mismatched(filename, shape.type) }, ...inflated };
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (error instanceof ImageError) return { error };
    throw error;
  } finally {
    if (probe instanceof InflatingProbe) probe.stop();
    work.end();
  }
}

/** What the header of an image says, without what it does not. */
function shown(shape: Shape): Pick<ImageInfo, "type" | "width" | "height"> & Partial<ImageInfo> {
  const { type, width, height, orientation, orientationIgnored, animated, frames, encoding, truncated } = shape;
  return {
    type,
    width,
    height,
    ...(orientation !== undefined && { orientation }),
    ...(orientationIgnored && { orientationIgnored }),
    ...(animated && { animated, ...(frames !== undefined && { frames }) }),
    ...(encoding !== undefined && { encoding }),
    ...(truncated && { truncated }),
  };
}

function mismatched(filename: string, type: string): { mismatch?: string } {
  const mismatch = mismatchOf(filename, type);
  return mismatch === undefined ? {} : { mismatch };
}

function assertSize(filename: string, size: number, most: number): void {
  if (size > most) throw new ImageError(filename, "too-large", `at most ${most} bytes, got ${size} or more`);
}

/** An SVG has no pixels: it is as large as it is shown. */
function assertPixels(filename: string, { type, width, height }: Shape, most: number): void {
  if (width * height <= most || type === "image/svg+xml") return;
  throw new ImageError(filename, "too-large", `at most ${most} pixels, got ${width} x ${height}`);
}
