import { describe, describeKind } from "../util/describe.ts";
import { ByteGate } from "../util/byte_gate.ts";
import { compress, decompress, lengthOf } from "../values/compression.ts";
import { isThenable } from "../values/standard_schema.ts";
import { answered } from "../util/answered.ts";
import { encodeText } from "../util/utf8.ts";
import {
  FORMAT,
  jsonSerializer,
  read,
  richSerializer,
  type Serializer,
  writeRich,
  type Written,
} from "../values/serializer.ts";
import { writeJson } from "../values/write_json.ts";
import { MOST_BYTES } from "./option_ranges.ts";

/** Settings of {@linkcode Codec}. */
export interface CodecOptions {
  /**
   * How values are written. What the built-in serializers wrote can be read with any; what a custom one wrote only with
   * it.
   *
   * @default {richSerializer}
   */
  readonly serializer?: Serializer | undefined;

  /**
   * Whether to compress payloads of at least `threshold` bytes (default 1024), when that makes them smaller.
   *
   * @default {false}
   */
  readonly compress?: boolean | { readonly threshold?: number | undefined } | undefined;

  /** The longest payload, in bytes before compression. */
  readonly maxBytes: number;
}

/** A value ready to be stored. */
export interface Encoded {
  /** The bytes, which may be a piece of a larger buffer: whoever keeps them for long takes a copy. */
  readonly payload: Uint8Array;
  /** How to read them: the format in bits 0 to 2, bit 3 set when compressed, the rest 0. */
  readonly flags: number;
}

const FORMAT_BITS = 0b0111;
const COMPRESSED = 0b1000;
const DEFAULT_THRESHOLD = 1024;
/** Bytes that are decompressed at a time, of all values together. */
const DECOMPRESSED_AT_ONCE = 16 * 2 ** 20;

const encoder = new TextEncoder();

/**
 * Turns values into the payload of an entry and back. Nothing is shared between a value and its payload.
 */
export class Codec {
  readonly #serializer: Serializer;
  readonly #id: number;
  readonly #threshold: number;
  readonly #maxBytes: number;
  readonly #gate = new ByteGate(DECOMPRESSED_AT_ONCE);

  /**
   * Creates a codec.
   *
   * @param options How to write values.
   * @throws {TypeError} If an option has the wrong shape.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: CodecOptions) {
    const { serializer = richSerializer, compress = false, maxBytes } = options;
    if (typeof serializer?.serialize !== "function" || typeof serializer.deserialize !== "function") {
      throw new TypeError(
        `Cannot create cache: wanted "serializer" with serialize() and deserialize(), got ${describe(serializer)}`,
      );
    }
    if (typeof compress !== "boolean" && (typeof compress !== "object" || compress === null)) {
      throw new TypeError(
        `Cannot create cache: wanted "compress" as a boolean or { threshold }, got ${describe(compress)}`,
      );
    }
    const { threshold = DEFAULT_THRESHOLD } = typeof compress === "object" ? compress : {};
    this.#serializer = serializer;
    this.#id = integer("serializer.id", serializer.id ?? 0, 0, 255);
    this.#threshold = compress === false ? Infinity : integer("compress.threshold", threshold, 0);
    this.#maxBytes = integer("maxBytes", maxBytes, 1, MOST_BYTES);
  }

  /**
   * Writes a value.
   *
   * @param value Anything.
   * @param what What is being cached, as it should appear after "Cannot cache", quoted where needed.
   * @returns What to store; a promise only when it is being compressed.
   * @throws {TypeError} If the value cannot be stored. Never as a rejection.
   * @throws {RangeError} If it is nested too deep or longer than `maxBytes`. Never as a rejection.
   */
  encode(value: unknown, what: string): Encoded | Promise<Encoded> {
    const { format, body } = this.#write(value, what);
    // UTF-8 has at least one byte for each unit of a string, so a body over the limit is not copied first.
    if (body.length > this.#maxBytes) throw this.#tooLong(what, body);
    const payload = typeof body === "string" ? encodeText(body) : new Uint8Array(body);
    if (payload.length > this.#maxBytes) throw this.#tooLong(what, payload);
    if (payload.length < this.#threshold) return { payload, flags: format };
    return compress(payload).then((compressed) =>
      compressed.length < payload.length
        ? { payload: compressed, flags: format | COMPRESSED }
        : { payload, flags: format }
    );
  }

  /**
   * Reads a payload.
   *
   * @param payload What {@linkcode Codec.encode} gave; left alone, so it may be a view of a reply.
   * @param flags Its flags.
   * @returns The value; a promise of it only when it was compressed.
   * @throws {Error} Anything, at once or as a rejection, if the payload cannot be read.
   */
  decode(payload: Uint8Array, flags: number): unknown {
    // The usual case first.
    if (flags === FORMAT.json) return read(flags, payload);
    const format = flags & FORMAT_BITS;
    if ((flags & ~(FORMAT_BITS | COMPRESSED)) !== 0 || format > FORMAT.custom) {
      throw new Error(`Cannot read value: wanted known flags, got ${flags}`);
    }
    if ((flags & COMPRESSED) === 0) return this.#read(payload, format);
    // Beyond what may be, it is refused before it takes any memory.
    const bytes = Math.min(lengthOf(payload), this.#maxBytes);
    return this.#gate.run(bytes, async () => this.#read(await decompress(payload, this.#maxBytes), format));
  }

  #write(value: unknown, what: string): Written {
    if (this.#serializer === richSerializer) return writeRich(value, what);
    if (this.#serializer === jsonSerializer) return { format: FORMAT.json, body: writeJson(value, what) };
    return { format: FORMAT.custom, body: this.#writeCustom(value, what) };
  }

  #writeCustom(value: unknown, what: string): Uint8Array {
    let written: unknown;
    try {
      written = this.#serializer.serialize(value);
    } catch (cause) {
      throw new TypeError(`Cannot cache ${what}: wanted bytes from the serializer, got an error`, { cause });
    }
    if (typeof written === "string") written = encoder.encode(written);
    if (!(written instanceof Uint8Array)) {
      const got = describeKind(written);
      throw new TypeError(`Cannot cache ${what}: wanted a string or Uint8Array from the serializer, got ${got}`);
    }
    const body = new Uint8Array(written.length + 1);
    body[0] = this.#id;
    body.set(written, 1);
    return body;
  }

  #read(bytes: Uint8Array, format: number): unknown {
    if (format !== FORMAT.custom) return read(format, bytes);
    if (this.#serializer === richSerializer || this.#serializer === jsonSerializer || bytes[0] !== this.#id) {
      throw new Error("Cannot read value: wanted a format that is configured, got one of another serializer");
    }
    const value = this.#serializer.deserialize(new Uint8Array(bytes.subarray(1)));
    return isThenable(value) ? answered(value, "deserialize()") : value;
  }

  #tooLong(what: string, body: Uint8Array | string): RangeError {
    const size = typeof body === "string" ? `at least ${body.length}` : body.length;
    return new RangeError(`Cannot cache ${what}: wanted at most ${this.#maxBytes} bytes, got ${size} bytes`);
  }
}

/**
 * Checks an option that is a whole number.
 *
 * @throws {RangeError} If it is something else, or out of range.
 */
export function integer(name: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;
    throw new RangeError(
      `Cannot create cache as "${name}" must be an integer ${range}: current value is ${describe(value)}`,
    );
  }
  return value;
}
