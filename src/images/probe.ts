import { ImageError } from "../errors.ts";
import { parseImage } from "./formats/image.ts";
import { BadImage, MOST, type Parser, type Shape, type Want } from "./formats/parser.ts";

/** So much of the beginning can be asked for again. */
const HEAD = 4096;
const NOTHING = new Uint8Array(0);
/** So much is shown to a parser where it is, not copied. It does not keep it. */
const GLANCE = 64;

/**
 * Finds type, dimensions and orientation in the bytes of an image as they come. Takes no more memory than a parser asks
 * for.
 */
export class Probe {
  readonly #filename: string;
  readonly #parser: Parser;
  readonly #head = new Uint8Array(HEAD);
  #position = 0;
  #want: Want | undefined;
  #buffer: Uint8Array = NOTHING;
  #filled = 0;
  /** How far a scan has come. */
  #scanned = 0;
  #shape: Shape | undefined;
  #type: string | undefined;

  constructor(filename: string) {
    this.#filename = filename;
    this.#parser = parseImage();
    this.#next(undefined);
  }

  /** Whether nothing more is waited for. */
  get done(): boolean {
    return this.#want === undefined;
  }

  /** Its type, once the header was read, even if the size in there is none. */
  get type(): string | undefined {
    return this.#type;
  }

  /**
   * Takes the next bytes.
   *
   * @throws {ImageError} If they cannot be those of an image.
   */
  push(chunk: Uint8Array): void {
    const start = this.#position;
    if (start < HEAD) this.#head.set(chunk.subarray(0, HEAD - start), start);
    this.#position += chunk.length;
    while (this.#want !== undefined && this.#serve(chunk, start));
  }

  /**
   * Takes the end.
   *
   * @throws {ImageError} If it came too early.
   */
  end(): Shape {
    if (this.#position === 0) throw new ImageError(this.#filename, "empty", "an image, got no bytes");
    while (this.#want !== undefined) {
      // A parser may ask for what it has seen before it sees the end.
      if (this.#filled === 0 && this.#serve(NOTHING, this.#position)) continue;
      this.#next(this.#buffer.subarray(0, this.#filled));
    }
    return this.#shape!;
  }

  /** Gives the parser what it waits for, if that is there. */
  #serve(chunk: Uint8Array, start: number): boolean {
    const { at, length, scan } = this.#want!;
    if (scan) return this.#scan(scan, chunk, start);
    const within = at - start;
    if (this.#filled === 0 && length <= GLANCE && within >= 0 && within + length <= chunk.length) {
      this.#next(chunk.subarray(within, within + length));
      return true;
    }
    this.#copy(this.#head.subarray(0, Math.min(HEAD, this.#position)), 0, at, length);
    this.#copy(chunk, start, at, length);
    const gone = this.#filled < length && at + this.#filled < start; // it passed by before anybody wanted it
    if (this.#filled < length && !gone) return false;
    this.#next(this.#buffer.subarray(0, gone ? 0 : length));
    return true;
  }

  #copy(bytes: Uint8Array, start: number, at: number, length: number): void {
    const from = at + this.#filled - start;
    if (from < 0 || from >= bytes.length || this.#filled >= length) return;
    const part = bytes.subarray(from, from + length - this.#filled);
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    this.#buffer.set(part, this.#filled);
    this.#filled += part.length;
  }

  /** Shows a scan what it has not seen. */
  #scan(scan: (bytes: Uint8Array) => boolean, chunk: Uint8Array, start: number): boolean {
    const early = this.#head.subarray(this.#scanned, Math.min(HEAD, start)); // it passed by before
    this.#scanned += early.length;
    let enough = early.length > 0 && scan(early);
    const rest = chunk.subarray(Math.max(0, this.#scanned - start));
    if (!enough && rest.length > 0) {
      this.#scanned = start + chunk.length;
      enough = scan(rest);
    }
    if (enough) this.#next(NOTHING);
    return enough;
  }

  #next(bytes: Uint8Array | undefined): void {
    try {
      const step = bytes === undefined ? this.#parser.next() : this.#parser.next(bytes);
      this.#want = step.done ? undefined : step.value;
      if (step.done) {
        this.#type = step.value.type;
        this.#shape = checked(step.value);
      } else if (step.value.length > MOST) throw new BadImage("too-large", `a header of at most ${MOST} bytes`);
      this.#buffer = NOTHING;
      this.#filled = 0;
      this.#scanned = this.#want?.at ?? 0;
    } catch (error) {
      this.#want = undefined;
      if (error instanceof BadImage) throw new ImageError(this.#filename, error.reason, error.message);
      throw error;
    }
  }
}

function checked(shape: Shape): Shape {
  const { width, height } = shape;
  if (width >= 1 && height >= 1 && Number.isSafeInteger(width) && Number.isSafeInteger(height)) return shape;
  throw new BadImage("invalid", `a width and a height of at least 1, got ${width} x ${height}`);
}
