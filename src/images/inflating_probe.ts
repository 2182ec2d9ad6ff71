import { ImageError } from "../errors.ts";
import { LongWork } from "../util/long_work.ts";
import type { Shape } from "./formats/parser.ts";
import { Gunzip } from "./gunzip.ts";
import { Probe } from "./probe.ts";

/** An SVG may become as long as this: what is longer was made to use up memory or time. */
const MOST = 2 ** 26;
/** So much is looked at before others have their turn. */
const PIECE = 2 ** 16;

/** Whether bytes begin as gzip does (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Finds the size of an SVG that is compressed (SVGZ). */
export class InflatingProbe {
  readonly #filename: string;
  readonly #probe: Probe;
  readonly #gunzip = new Gunzip();
  readonly #read: Promise<unknown>;
  #length = 0;

  constructor(filename: string) {
    this.#filename = filename;
    this.#probe = new Probe(filename);
    this.#read = this.#pump().then(() => undefined, (error) => error ?? new Error("no reason"));
  }

  /** The type of what is compressed, once its header was read. */
  get type(): string | undefined {
    return this.#probe.type;
  }

  /** How many bytes it has become. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next bytes, and looks at what they become. */
  async push(chunk: Uint8Array): Promise<void> {
    await this.#gunzip.write(chunk);
  }

  /** Ends it, whether the end has come or not. */
  stop(): void {
    this.#gunzip.stop();
  }

  /**
   * Takes the end.
   *
   * @throws {ImageError} If it is no SVG, or too long, or was cut.
   */
  async end(): Promise<Shape> {
    this.#gunzip.end();
    const error = await this.#read;
    if (error !== undefined) throw error;
    const shape = this.#probe.end();
    if (shape.type !== "image/svg+xml") {
      throw new ImageError(this.#filename, "unsupported", `an SVG if it is compressed, got ${shape.type}`);
    }
    if (!shape.truncated) return { ...shape, encoding: "gzip" };
    throw new ImageError(this.#filename, "truncated", "an SVG that is compressed, got half of it");
  }

  async #pump(): Promise<void> {
    const work = new LongWork();
    try {
      for await (const part of this.#gunzip.output) {
        this.#length += part.length;
        if (this.#length > MOST) throw new ImageError(this.#filename, "too-large", `an SVG of at most ${MOST} bytes`);
        // A few bytes become very many at once.
        for (let at = 0; at < part.length; at += PIECE) {
          this.#probe.push(part.subarray(at, at + PIECE));
          await work.turn();
        }
      }
    } finally {
      this.#gunzip.stop();
      work.end();
    }
  }
}
