/** What is remembered of the entry at a key. */
export interface KnownEntry {
  /** Its length as it was stored. */
  bytes: number;
  /** Its place in the store's order, 0 = not known. */
  asOf: number;
  /** {@linkcode InvalidationReplica.changes} when its tags were last found to be valid; -1 = never. */
  validAt: number;
}

/** Entries of one generation. There are two, so at most twice as many are remembered. */
const KEPT = 16_384;

/**
 * What a process remembers of stored entries: how long they are, so that no reply is longer than a connection bears,
 * and what was found of their tags, so that they need not be looked through for each hit.
 */
export class KnownEntries {
  readonly #kept: number;
  #young = new Map<string, KnownEntry>();
  #old = new Map<string, KnownEntry>();

  constructor(kept: number = KEPT) {
    this.#kept = kept;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** What is remembered of the entry at a key. */
  get(key: string): KnownEntry | undefined {
    const known = this.#young.get(key);
    if (known) return known;
    const old = this.#old.get(key);
    if (old) this.#put(key, old);
    return old;
  }

  /** Notes how long an entry is. */
  note(key: string, bytes: number): KnownEntry {
    const known = this.get(key);
    if (known) {
      known.bytes = bytes;
      return known;
    }
    const noted = { bytes, asOf: 0, validAt: -1 };
    this.#put(key, noted);
    return noted;
  }

  /** Forgets an entry: there is none, or nobody knows what there is. */
  forget(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  #put(key: string, known: KnownEntry): void {
    this.#old.delete(key);
    this.#young.set(key, known);
    if (this.#young.size < this.#kept) return;
    // What was asked for of late is in the younger generation.
    this.#old = this.#young;
    this.#young = new Map();
  }
}
