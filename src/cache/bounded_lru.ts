import { LRUCache } from "lru-cache";

/** How much a {@linkcode BoundedLru} keeps. */
export interface BoundedLruOptions<V> {
  /** Most values. */
  readonly maxEntries: number;
  /** Most bytes of all values together. */
  readonly maxBytes: number;
  /** Bytes of a value. */
  readonly size: (value: V, key: string) => number;
}

/**
 * Keeps the most recently used values. It grows with what is in it: an `LRUCache` with a bound in entries reserves room
 * for all of them at once, which hundreds of small caches cannot afford.
 */
export class BoundedLru<V extends object> extends LRUCache<string, V> {
  readonly #maxEntries: number;

  /**
   * Creates an empty one.
   *
   * @param options How much it keeps.
   */
  constructor(options: BoundedLruOptions<V>) {
    super({ maxSize: options.maxBytes, sizeCalculation: options.size });
    this.#maxEntries = options.maxEntries;
  }

  /** Keeps a value, and drops what was used least recently where there are too many. */
  override set(key: string, value: V): this {
    super.set(key, value);
    while (this.size > this.#maxEntries) this.pop();
    return this;
  }
}
