/** Lets work that takes memory go on a little at a time, in order. */
export class ByteGate {
  readonly #most: number;
  #out = 0;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];

  /** @param most How many bytes all that goes on takes together; what takes more by itself goes on alone. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Does something that takes so many bytes, when there is room for it. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
    } else {
      this.#out += bytes;
    }
    try {
      return await work();
    } finally {
      this.#out -= bytes;
      this.#next();
    }
  }

  #fits(bytes: number): boolean {
    return this.#out === 0 || this.#out + bytes <= this.#most;
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const { bytes, enter } = this.#waiting.shift()!;
      this.#out += bytes;
      enter();
    }
  }
}
