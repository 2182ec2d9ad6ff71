/** A part of a reply: a string, or `false` for what is not there, or several of them. */
export type ReplyPart = Uint8Array | false | ReplyPart[];

/**
 * Reads MessagePack that consists of arrays, strings and `false`, without copying.
 *
 * @throws {RangeError} If it is something else.
 */
export function readParts(bytes: Uint8Array): ReplyPart[] {
  const reader = new Reader(bytes);
  const parts = reader.part();
  if (!Array.isArray(parts) || reader.at !== bytes.length) throw new RangeError("the reply is no array");
  return parts;
}

/** How deep arrays may be in each other. */
const DEEPEST = 4;

class Reader {
  at = 0;
  #depth = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  part(): ReplyPart {
    const bytes = this.#bytes;
    const type = bytes[this.at++]!;
    if ((type & 0xe0) === 0xa0) return this.#string(type & 0x1f);
    if ((type & 0xf0) === 0x90) return this.#array(type & 0x0f);
    switch (type) {
      case 0xc2:
        return false;
      case 0xd9:
        return this.#string(this.#uint(1));
      case 0xda:
        return this.#string(this.#uint(2));
      case 0xdb:
        return this.#string(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2));
      case 0xdd:
        return this.#array(this.#uint(4));
      case 0x80: // an empty table may be either
        return [];
      default:
        throw new RangeError(`Cannot read reply: wanted arrays of strings, got type 0x${type?.toString(16)}`);
    }
  }

  #string(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#bytes.length) throw new RangeError("Cannot read reply: wanted all of it, got a part");
    const bytes = this.#bytes.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  #array(length: number): ReplyPart[] {
    const parts: ReplyPart[] = [];
    if (++this.#depth > DEEPEST) throw new RangeError("Cannot read reply: wanted arrays of strings, got deeper ones");
    for (let i = 0; i < length; i++) parts.push(this.part());
    this.#depth--;
    return parts;
  }

  #uint(length: number): number {
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + this.#bytes[this.at++]!;
    return value;
  }
}
