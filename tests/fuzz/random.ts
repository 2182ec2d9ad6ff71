import { randomFrom } from "../support/random.ts";

/** Numbers that look random and are the same for the same seed. */
export class Random {
  /** From 0 to less than 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomFrom(seed);
  }

  /** A whole number less than `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** One of several. */
  pick<T>(some: readonly T[]): T {
    return some[this.below(some.length)]!;
  }

  /** Any bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** Numbers that break what does not expect them, as eight bytes. */
const DOUBLES = [NaN, Infinity, -Infinity, 0, -0, -1, 1e300, -1e300, 2 ** 53, 9e15, 5e-324, 1.7e15].map((number) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, number);
  return bytes;
});
/** Bytes that mean something somewhere. */
const TELLING = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0x91,
  0xc2,
  0xd9,
  0xda,
  0xdb,
  0xdc,
  0xdd,
  0xdf,
  0xff,
  0x22,
  0x5b,
  0x5d,
  0x7b,
  0x7d,
  0x2d,
];

/**
 * Another form of one of some whole examples: changed in a few places, cut, or made of two; sometimes anything at all.
 */
export function damage(random: Random, examples: readonly Uint8Array[]): Uint8Array {
  if (random.below(50) === 0) return random.bytes(random.below(200));
  let bytes: Uint8Array = random.pick(examples).slice();
  for (let i = random.below(4); i >= 0; i--) bytes = once(random, bytes, examples);
  return bytes;
}

function once(random: Random, bytes: Uint8Array, examples: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(9)) {
    case 0:
    case 1:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = random.pick(TELLING);
      return bytes;
    case 3:
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const number = random.pick(DOUBLES);
      if (at + 8 <= bytes.length) bytes.set(number, at);
      return bytes;
    }
    case 6: {
      const end = Math.min(bytes.length, at + random.below(20));
      return concat(bytes.subarray(0, at), bytes.subarray(end));
    }
    case 7:
      return concat(bytes.subarray(0, at), random.bytes(random.below(20)), bytes.subarray(at));
    default: {
      const other = random.pick(examples);
      return concat(bytes.subarray(0, at), other.subarray(random.below(other.length + 1)));
    }
  }
}

function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
