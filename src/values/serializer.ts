import { stringify, unflatten } from "devalue";
import { isDeeper } from "./nesting.ts";
import { assertStorable, isJsonSafe, MAX_DEPTH, MOST_DIGITS } from "./storable.ts";
import { attempt, writeJson } from "./write_json.ts";
import { decoder } from "../util/utf8.ts";

/**
 * Turns values into bytes and back. Give your own as the `serializer` option of the cache, for another format or to
 * encrypt what is stored.
 *
 * @example Scramble on top of the default
 * ```ts
 * import { richSerializer, type Serializer } from "@larder/larder/cache";
 * import assert from "node:assert/strict";
 *
 * const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff);
 * const scrambled: Serializer = {
 *   id: 1,
 *   serialize: (value) => flip(richSerializer.serialize(value) as Uint8Array),
 *   deserialize: (bytes) => richSerializer.deserialize(flip(bytes)),
 * };
 * const stored = scrambled.serialize({ at: new Date(0) }) as Uint8Array;
 * assert.deepEqual(scrambled.deserialize(stored), { at: new Date(0) });
 * ```
 */
export interface Serializer {
  /**
   * Marks what this serializer wrote, from 0 to 255. Change it with the format: values with another mark are misses.
   *
   * @default {0}
   */
  readonly id?: number;

  /**
   * Writes a value.
   *
   * @param value What to store.
   * @returns Its stored form.
   */
  serialize(value: unknown): Uint8Array | string;

  /**
   * Reads what {@linkcode Serializer.serialize} wrote; text comes as UTF-8. Whatever it throws makes the entry a miss.
   *
   * @param bytes The stored form; a copy that may be kept.
   * @returns A value of its own, equal to the one stored.
   */
  deserialize(bytes: Uint8Array): unknown;
}

/** How a payload is written. The numbers are stored, so they never change. */
export const FORMAT = { json: 0, devalue: 1, bytes: 2, custom: 3 } as const;

/** One of the numbers in {@linkcode FORMAT}. */
export type Format = typeof FORMAT[keyof typeof FORMAT];

/** A value as written, not yet copied. */
export interface Written {
  /** How it is written. */
  readonly format: Format;
  /** The text, or bytes that may still belong to the caller. */
  readonly body: Uint8Array | string;
}

/**
 * Keeps what plain JSON loses: `Date`, `Map`, `Set`, `BigInt`, `undefined`, `NaN`, the infinities, `-0`, `RegExp`,
 * `URL`, `URLSearchParams`, typed arrays, `DataView`, `ArrayBuffer`, `Temporal`, objects without a prototype, holes and
 * cycles. Values that JSON can hold are written as JSON, and a `Uint8Array` as it is. This is the default.
 *
 * A `Buffer` comes back as a `Uint8Array` with the same bytes. Functions, symbols, promises and instances of other
 * classes are refused with a `TypeError`, as they would come back as something else. Nesting may be 1,000 levels deep.
 *
 * @example Dates stay dates
 * ```ts
 * import { richSerializer } from "@larder/larder/cache";
 * import assert from "node:assert/strict";
 *
 * const stored = richSerializer.serialize({ at: new Date(0), tags: new Set(["a"]) }) as Uint8Array;
 * assert.deepEqual(richSerializer.deserialize(stored), { at: new Date(0), tags: new Set(["a"]) });
 * ```
 */
export const richSerializer: Serializer = {
  serialize(value: unknown): Uint8Array {
    const { format, body } = writeRich(value, "value");
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    const stored = new Uint8Array(bytes.length + 1);
    stored[0] = format;
    stored.set(bytes, 1);
    return stored;
  },
  deserialize(bytes: Uint8Array): unknown {
    return read(bytes[0], bytes.subarray(1));
  },
};

/**
 * Plain JSON, readable by anything. What JSON writes in another way comes back that way: a `Date` as a string, `NaN` as
 * `null`, an instance of a class as its fields; fields that are `undefined` are left out.
 *
 * What would vanish or come back empty is refused with a `TypeError`: functions, symbols, bigints, promises, maps,
 * sets, errors, regular expressions and binary data.
 *
 * @example Dates become strings
 * ```ts
 * import { jsonSerializer } from "@larder/larder/cache";
 * import assert from "node:assert/strict";
 *
 * assert.equal(jsonSerializer.serialize({ at: new Date(0) }), '{"at":"1970-01-01T00:00:00.000Z"}');
 * ```
 */
export const jsonSerializer: Serializer = {
  serialize: (value: unknown): string => writeJson(value, "value"),
  deserialize: (bytes: Uint8Array): unknown => read(FORMAT.json, bytes),
};

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Writes a value as {@linkcode richSerializer} does.
 *
 * @param value Anything.
 * @param what What is being cached, for messages.
 * @returns The written value.
 * @throws {TypeError} If a part of the value cannot be stored.
 * @throws {RangeError} If it is nested too deep.
 */
export function writeRich(value: unknown, what: string): Written {
  if (isJsonSafe(value)) return { format: FORMAT.json, body: attempt(what, () => JSON.stringify(value)) };
  assertStorable(value, what);
  if (value instanceof Uint8Array) return { format: FORMAT.bytes, body: value };
  return { format: FORMAT.devalue, body: attempt(what, () => stringify(value, REDUCERS, OPTIONS)) };
}

/**
 * Reads a payload in one of the built-in formats.
 *
 * @param format The format.
 * @param bytes The payload, which is left alone.
 * @returns A value that shares nothing with the payload.
 * @throws {Error} If it cannot be read.
 */
export function read(format: number | undefined, bytes: Uint8Array): unknown {
  switch (format) {
    case FORMAT.json:
      return parseJson(decode(bytes));
    case FORMAT.devalue:
      return parseRich(decode(bytes));
    case FORMAT.bytes:
      return new Uint8Array(bytes);
    default:
      throw new Error(`Cannot read value: wanted a known format, got ${format}`);
  }
}

/** What devalue wrote, unless it has a number in it that takes long to read. */
function withoutGiants(parts: unknown): Parameters<typeof unflatten>[0] {
  for (const part of Array.isArray(parts) ? parts : []) {
    if (Array.isArray(part) && part[0] === "BigInt" && String(part[1]).length > MOST_DIGITS + 1) {
      throw new RangeError(`Cannot read value: wanted a bigint of at most ${MOST_DIGITS} digits, got more`);
    }
  }
  return parts as Parameters<typeof unflatten>[0];
}

function decode(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  // Damage shows as U+FFFD. The strict decoder costs three times as much, so only text that has one goes through it.
  return text.includes("\ufffd") ? strictDecoder.decode(bytes) : text;
}

function parseJson(text: string): unknown {
  const value = mayForge(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  return bounded(value, text);
}

function parseRich(text: string): unknown {
  return bounded(unflatten(withoutGiants(JSON.parse(text)), REVIVERS), text, new Set());
}

/**
 * The value, unless it is nested deeper than what is written: whoever walks over it would run out of stack. Each level
 * takes two characters, so what is short is not looked at.
 */
function bounded(value: unknown, text: string, seen?: Set<object>): unknown {
  if (text.length > 2 * MAX_DEPTH && isDeeper(value, MAX_DEPTH, seen)) {
    throw new RangeError(`Cannot read value: wanted at most ${MAX_DEPTH} levels, got more`);
  }
  return value;
}

/**
 * Whether JSON may have "__proto__" in it. JSON makes it a field of its own, which is harmless until an app copies the
 * fields to another object. It is never written, so it is a forgery, spelled out or (as none of its letters needs it)
 * with a \u00xx escape.
 */
function mayForge(text: string): boolean {
  return text.includes("__proto__") || text.includes("\\u00");
}

/**
 * Whether JSON may be parsed without a closer look: nothing is forged, and no bytes were damaged, which shows as
 * U+FFFD.
 */
export function isHarmless(text: string): boolean {
  return !text.includes("\ufffd") && !mayForge(text);
}

function refusePrototype(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new Error('Cannot read value: wanted plain data, got the key "__proto__"');
  return value;
}

/** The position of a regular expression, which devalue does not keep. */
const REDUCERS = {
  RegExpAt: (value: unknown): unknown =>
    value instanceof RegExp && value.lastIndex !== 0 && [value.source, value.flags, value.lastIndex],
};

const REVIVERS = {
  RegExpAt: ([source, flags, lastIndex]: [string, string, number]): RegExp =>
    Object.assign(new RegExp(source, flags), { lastIndex }),
};

const OPTIONS = { operations: { viewInfo } };

/** A view goes without the rest of its buffer, which may be large, somebody else's or shared between threads. */
function viewInfo(view: ArrayBufferView & { readonly length: number }): ViewInfo {
  const { byteLength, length } = view;
  let { buffer } = view;
  if (byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) {
    buffer = new Uint8Array(new Uint8Array(buffer, view.byteOffset, byteLength)).buffer;
  }
  return { buffer, byteOffset: 0, byteLength, length, bufferByteLength: byteLength };
}

interface ViewInfo {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly length: number;
  readonly bufferByteLength: number;
}
