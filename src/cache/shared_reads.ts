import type { Read } from "./store.ts";

/** A read that is shared, and what it found once it is answered. */
interface Shared {
  readonly reading: Promise<Read>;
  read: Read | undefined;
}

/**
 * Reads that take a lease from whoever holds it, shared by all who want one of the same key until somebody loads with
 * that lease: who came between the answer and the load would take it away again.
 */
export class SharedReads {
  readonly #reads = new Map<string, Shared>();

  /** The read that is underway for a key, or a new one; `anew` if what is there is of no use, however fresh it is. */
  read(key: string, anew: boolean, read: () => Promise<Read>): Promise<Read> {
    const id = idOf(key, anew);
    const known = this.#reads.get(id);
    if (known) return known.reading;
    const reading = read();
    const shared: Shared = { reading, read: undefined };
    this.#reads.set(id, shared);
    const forget = () => {
      if (this.#reads.get(id) === shared) this.#reads.delete(id);
    };
    reading.then((read) => read.lease === 0 ? forget() : shared.read = read, forget);
    return reading;
  }

  /** Somebody loads with the lease of a read, or has given it back. */
  used(key: string, read: Read): void {
    if (this.#reads.size === 0) return;
    for (const anew of [false, true]) {
      const id = idOf(key, anew);
      if (this.#reads.get(id)?.read === read) this.#reads.delete(id);
    }
  }
}

function idOf(key: string, anew: boolean): string {
  return `${anew ? "a" : "l"}${key}`;
}
