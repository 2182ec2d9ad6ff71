/** Most keys or tags of one part of a call. */
const MOST = 1000;
/** Bytes of one part; what is longer by itself is a part of its own. A line of 8 MB/s carries them in 33 ms. */
const BYTES = 256 * 1024;

/**
 * What goes out together. Big calls go out in parts, each with a deadline of its own, so that a slow line carries one
 * in time, and others get their turn in between.
 */
export class Part {
  #count = 0;
  #bytes = 0;
  #closed = false;

  /** Whether nothing more goes with it. */
  get full(): boolean {
    return this.#closed || this.#count >= MOST || this.#bytes >= BYTES;
  }

  /** Whatever comes now goes with the next one. */
  close(): void {
    this.#closed = true;
  }

  /** Whether something of so many bytes goes with it. */
  fits(bytes: number): boolean {
    return !this.full && (this.#count === 0 || this.#bytes + bytes <= BYTES);
  }

  /** Adds something of so many bytes, if it fits. */
  add(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.#count++;
    this.#bytes += bytes;
    return true;
  }

  /** A part that is as full. */
  copy(): Part {
    const copy = new Part();
    copy.#count = this.#count;
    copy.#bytes = this.#bytes;
    copy.#closed = this.#closed;
    return copy;
  }
}

/** As many of them, from the first on, as go together. */
export function firstPart(all: readonly string[]): readonly string[] {
  const part = new Part();
  const end = all.findIndex((one) => !part.add(one.length));
  return end === -1 ? all : all.slice(0, end);
}
