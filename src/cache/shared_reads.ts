import type { Read } from "./store.ts";

/**
 * Reads that take a lease from whoever holds it, shared by all who want one of the same key until it is answered: of
 * these, one loads.
 */
export class SharedReads {
  readonly #reads = new Map<string, Promise<Read>>();

  /** The read that is underway for a key, or a new one; `anew` if what is there is of no use, however fresh it is. */
  read(key: string, anew: boolean, read: () => Promise<Read>): Promise<Read> {
    const id = `${anew ? "a" : "l"}${key}`;
    const known = this.#reads.get(id);
    if (known) return known;
    const reading = read().finally(() => this.#reads.delete(id));
    this.#reads.set(id, reading);
    return reading;
  }
}
