import type { ImageErrorReason } from "../../errors.ts";

/** What the header of an image says. */
export interface Shape {
  /** The MIME type. */
  readonly type: string;
  /** Width in pixels as stored. */
  readonly width: number;
  /** Height in pixels as stored. */
  readonly height: number;
  /** The EXIF orientation. */
  readonly orientation?: number | undefined;
  /** That browsers show it as stored, whatever its orientation says. */
  readonly orientationIgnored?: boolean | undefined;
  /** Its pictures in time; absent where the format has one, or does not tell. */
  readonly frames?: number | undefined;
  /** Whether it moves. */
  readonly animated?: boolean | undefined;
  /** That it is compressed as a whole. */
  readonly encoding?: "gzip" | undefined;
  /** Whether it ends too early. */
  readonly truncated?: boolean | undefined;
}

/** Bytes that a parser waits for: `length` from `at` on, or all from `at` on up to where `scan` has seen enough. */
export interface Want {
  /** The offset in the file. */
  readonly at: number;
  /** How many. */
  readonly length: number;
  /**
   * Is shown all bytes from `at` on, part by part, each once; `true` = enough. The parser goes on then, or at the end.
   */
  readonly scan?: (bytes: Uint8Array) => boolean;
}

/**
 * Reads the header of one format. It is run while the file passes by, so it only ever asks for what comes later, and
 * keeps nothing else. It is given what it asked for, or less if the file ends before, and may look at it until it asks
 * for more; only what is longer than 64 bytes is its own.
 */
export type Parser<T = Shape> = Generator<Want, T, Uint8Array>;

/** Why a parser gives up. */
export class BadImage extends Error {
  override readonly name: string = "BadImage";
  readonly reason: ImageErrorReason;

  constructor(reason: ImageErrorReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** The most that a parser may ask for at a time. */
export const MOST: number = 2 ** 20;
