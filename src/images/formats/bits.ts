import { BadImage } from "./parser.ts";

/** Reads numbers of some bits from bytes; in which order depends on the format. */
export class Bits {
  readonly #bytes: Uint8Array;
  readonly #lowFirst: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, { lowFirst }: { lowFirst: boolean }) {
    this.#bytes = bytes;
    this.#lowFirst = lowFirst;
  }

  /**
   * The next number of so many bits, at most 30.
   *
   * @throws {BadImage} If there are not that many.
   */
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      const byte = this.#bytes[this.#at >>> 3];
      if (byte === undefined) throw new BadImage("truncated", "a whole header");
      const bit = byte >>> (this.#lowFirst ? this.#at & 7 : 7 - (this.#at & 7)) & 1;
      value = this.#lowFirst ? value | bit << i : value << 1 | bit;
    }
    return value;
  }

  /** The next bit. */
  flag(): boolean {
    return this.read(1) === 1;
  }
}
