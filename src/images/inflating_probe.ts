import { ImageError } from "../errors.ts";
import { LongWork } from "../util/long_work.ts";
import type { Shape } from "./formats/parser.ts";
import { Probe } from "./probe.ts";

/** An SVG may become as long as this: what is longer was made to use up memory or time. */
const MOST = 2 ** 26;
/** So much is looked at before others have their turn. */
const PIECE = 2 ** 16;
/** So much is decompressed at a time, which becomes a thousand times as much at most. */
const BITE = 2 ** 10;

/** Whether bytes begin as gzip does (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Finds the size of an SVG that is compressed (SVGZ). */
export class InflatingProbe {
  readonly #filename: string;
  readonly #probe: Probe;
  readonly #writer: WritableStreamDefaultWriter<BufferSource>;
  readonly #read: Promise<unknown>;

  constructor(filename: string) {
    this.#filename = filename;
    this.#probe = new Probe(filename);
    const { readable, writable } = new DecompressionStream("gzip");
    this.#writer = writable.getWriter();
    this.#read = this.#pump(readable).then(() => undefined, (error) => error ?? new Error("no reason"));
  }

  /** The type of what is compressed, once its header was read. */
  get type(): string | undefined {
    return this.#probe.type;
  }

  /** Takes the next bytes, and looks at what they become. */
  async push(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += BITE) {
      // Who fails is the reader: what it says is thrown at the end.
      await this.#writer.write(chunk.slice(at, at + BITE)).catch(() => {});
    }
  }

  /**
   * Takes the end.
   *
   * @throws {ImageError} If it is no SVG, or too long, or was cut.
   */
  async end(): Promise<Shape> {
    await this.#writer.close().catch(() => {});
    const error = await this.#read;
    if (error instanceof ImageError) throw error;
    if (error !== undefined) {
      throw new ImageError(this.#filename, "truncated", "an SVG that is compressed, got half of it");
    }
    const shape = this.#probe.end();
    if (shape.type === "image/svg+xml") return { ...shape, encoding: "gzip" };
    throw new ImageError(this.#filename, "unsupported", `an SVG if it is compressed, got ${shape.type}`);
  }

  async #pump(readable: ReadableStream<Uint8Array>): Promise<void> {
    let size = 0;
    const work = new LongWork();
    try {
      for await (const part of readable) {
        size += part.length;
        if (size > MOST) throw new ImageError(this.#filename, "too-large", `an SVG of at most ${MOST} bytes`);
        // A few bytes become very many at once.
        for (let at = 0; at < part.length; at += PIECE) {
          this.#probe.push(part.subarray(at, at + PIECE));
          await work.turn();
        }
      }
    } finally {
      work.end();
    }
  }
}
