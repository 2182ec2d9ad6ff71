/**
 * The wire format of an entry: one binary string, numbers big-endian, so that scripts read it with `struct`.
 *
 * | at | type | what |
 * |---|---|---|
 * | 0 | u8 | version (1) |
 * | 1 | u8 | flags: low bits as the codec says, bit 7 = placeholder (a lease without a value) |
 * | 2 | u16 | number of tags |
 * | 4 | u32 | milliseconds that the loader took |
 * | 8 | f64 | epoch |
 * | 16 | f64 | as of: place in the store's order, microseconds |
 * | 24, 32, 40 | f64 | fresh, stale, error until: milliseconds of the store's time |
 * | 48, 56 | f64 | lease: token (0 = none), until (milliseconds) |
 * | 64 | u32 | length of the tags |
 * | 68 | | tags, each u16 length and UTF-8 |
 * | … | | payload |
 *
 * @module
 */
import { MAX_KEY_BYTES, MAX_TAGS } from "../util/keys.ts";
import { decoder } from "../util/utf8.ts";
import type { JsonBatch } from "../values/json_batch.ts";
import { FORMAT } from "../values/serializer.ts";

/** Version byte of the format. */
export const VERSION = 1;
/** Length of the fixed part. */
export const HEADER = 68;
/** Flag of an entry that only carries a lease. */
export const PLACEHOLDER = 0x80;
/** Stands for "never" in times; exact in a double and later than any clock. */
export const NEVER = 9e15;

/** The longest lease, in milliseconds. One that claims to last longer is nobody's. */
export const LONGEST_LEASE: number = 86_400_000;
/** Most bytes of an encoded value, unless said otherwise. */
export const MAX_BYTES: number = 8 * 2 ** 20;
/** Most bytes of what may stand in front of a value: its tags, each with its length, and its version. */
const IN_FRONT = MAX_TAGS * (2 + MAX_KEY_BYTES) + 65;
/** A string of Redis is no longer. */
const MOST = 512 * 2 ** 20;

const encoder = new TextEncoder();

/** An entry as it is stored. */
export interface StoredEntry {
  /** How the payload is encoded. */
  readonly flags: number;
  /** Milliseconds that the loader took. */
  readonly loadTime: number;
  /** Which life of the invalidation records it belongs to. */
  readonly epoch: number;
  /** Its place in the store's order, in microseconds. */
  readonly asOf: number;
  /** Fresh until this time of the store, in milliseconds; at least 9e15 = for ever. */
  readonly freshUntil: number;
  /** Served while it is refreshed until this time. */
  readonly staleUntil: number;
  /** Served when the loader fails until this time. */
  readonly errorUntil: number;
  /** Who is loading it, 0 = nobody. */
  readonly leaseToken: number;
  /** Until when, in milliseconds. */
  readonly leaseUntil: number;
  /** Whether it only carries a lease. */
  readonly placeholder: boolean;
  /** The encoded value. */
  readonly payload: Uint8Array;
  /** Length of the whole entry in bytes. */
  readonly bytes: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /**
   * Hands out the value, once, if it was read together with others; else `undefined`, and the payload is to be read.
   */
  takeValue?(): unknown;
}

/** How long an entry may be in its wire format, if its value may have so many bytes. */
export function longestEntry(maxBytes: number): number {
  return Math.min(MOST, HEADER + IN_FRONT + maxBytes);
}

/** How long an entry is in its wire format. */
export function entryBytes(payload: Uint8Array, tags: readonly string[]): number {
  return tags.reduce((length, tag) => length + 2 + utf8Length(tag), HEADER + payload.length);
}

function utf8Length(text: string): number {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(text) ? text.length : encoder.encode(text).length;
}

/** An entry in its wire format, its tags and payload cut out on first use. */
export class WireEntry implements StoredEntry {
  readonly flags: number;
  readonly loadTime: number;
  readonly epoch: number;
  readonly asOf: number;
  readonly freshUntil: number;
  readonly staleUntil: number;
  readonly errorUntil: number;
  readonly leaseToken: number;
  readonly leaseUntil: number;
  readonly #bytes: Uint8Array;
  readonly #tagCount: number;
  readonly #tagsAt: number;
  readonly #payloadAt: number;
  readonly #end: number;
  #tags: readonly string[] | undefined;
  #json: JsonBatch | undefined;
  #place = -1;

  /**
   * Reads an entry from bytes, which it keeps.
   *
   * @param bytes What holds it.
   * @param from Where it begins.
   * @param end Where it ends.
   * @param view The same bytes; made once for many entries.
   * @throws {RangeError} If the bytes are no entry of this version.
   */
  constructor(bytes: Uint8Array, from = 0, end: number = bytes.length, view: DataView = viewOf(bytes)) {
    if (end - from < HEADER || bytes[from] !== VERSION) {
      throw new RangeError(
        `Cannot read entry: wanted version ${VERSION} and at least ${HEADER} bytes, ` +
          `got version ${end > from ? bytes[from] : "none"} and ${end - from} bytes`,
      );
    }
    this.flags = bytes[from + 1]!;
    this.#tagCount = view.getUint16(from + 2);
    this.loadTime = view.getUint32(from + 4);
    this.epoch = view.getFloat64(from + 8);
    this.asOf = view.getFloat64(from + 16);
    this.freshUntil = view.getFloat64(from + 24);
    this.staleUntil = view.getFloat64(from + 32);
    this.errorUntil = view.getFloat64(from + 40);
    this.leaseToken = view.getFloat64(from + 48);
    this.leaseUntil = view.getFloat64(from + 56);
    this.#tagsAt = from + HEADER;
    this.#payloadAt = this.#tagsAt + view.getUint32(from + 64);
    this.#end = end;
    this.#bytes = bytes;
    if (this.#payloadAt > end) {
      throw new RangeError(
        `Cannot read entry: wanted tags within ${end - from} bytes, got ${this.#payloadAt - from}`,
      );
    }
    let at = this.#tagsAt;
    let missing = this.#tagCount;
    for (; missing > 0 && at < this.#payloadAt; missing--) at += 2 + (bytes[at]! << 8 | bytes[at + 1]!);
    if (missing > 0 || at !== this.#payloadAt) {
      const room = this.#payloadAt - this.#tagsAt;
      throw new RangeError(`Cannot read entry: wanted ${this.#tagCount} tags in ${room} bytes, got other lengths`);
    }
  }

  get placeholder(): boolean {
    return (this.flags & PLACEHOLDER) !== 0;
  }

  get payload(): Uint8Array {
    return this.#bytes.subarray(this.#payloadAt, this.#end);
  }

  get bytes(): number {
    return this.#end - this.#tagsAt + HEADER;
  }

  /** Has the value, if it is JSON, read together with others. */
  readTogether(batch: JsonBatch): void {
    if (this.flags !== FORMAT.json) return;
    this.#json = batch;
    this.#place = batch.add(this.#payloadAt, this.#end, this.#bytes);
  }

  takeValue(): unknown {
    const json = this.#json;
    this.#json = undefined; // a loader may keep the entry for long, and must not keep the values of others
    return json?.take(this.#place);
  }

  /** Its tags, read on first use. */
  get tags(): readonly string[] {
    return this.#tags ??= decodeTags(this.#bytes.subarray(this.#tagsAt, this.#payloadAt), this.#tagCount);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Encodes tags, each with its length in front. */
export function encodeTags(tags: readonly string[]): Uint8Array {
  if (tags.length === 0) return new Uint8Array(0);
  const text = tags.join("");
  const joined = encoder.encode(text);
  // Encoding them together is cheaper, but only where a character takes one byte it tells where each of them ends.
  const together = joined.length === text.length;
  const bytes = new Uint8Array(joined.length + 2 * tags.length);
  let at = 0;
  for (let i = 0, from = 0; i < tags.length; i++) {
    const tag = together ? joined.subarray(from, from += tags[i]!.length) : encoder.encode(tags[i]!);
    bytes[at] = tag.length >> 8;
    bytes[at + 1] = tag.length & 255;
    bytes.set(tag, at + 2);
    at += 2 + tag.length;
  }
  return bytes;
}

function decodeTags(bytes: Uint8Array, count: number): string[] {
  const tags: string[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + 2 + (bytes[at]! << 8 | bytes[at + 1]!);
    tags.push(decoder.decode(bytes.subarray(at + 2, end)));
    at = end;
  }
  return tags;
}
