import type {
  CacheStore,
  ChangeListener,
  Changes,
  InvalidationMode,
  Loaded,
  NewEntry,
  PatternOptions,
  Read,
  StoreInvalidation,
  Watch,
} from "./store.ts";

/**
 * A store of a cache that is switched off: nothing is found and nothing is kept. What is invalidated is invalidated in
 * the store behind it, and so is what is written, since in other processes the cache may be on.
 */
export class DisabledStore implements CacheStore {
  readonly #store: CacheStore;

  constructor(store: CacheStore) {
    this.#store = store;
  }

  get kind(): "memory" | "redis" {
    return this.#store.kind;
  }

  get queued(): number {
    return this.#store.queued;
  }

  // Without a lease whoever misses loads alone, shared by those who wait in this process.
  read(): Promise<Read> {
    return Promise.resolve({
      epoch: 0,
      clock: 0,
      now: Date.now(),
      state: "none",
      entry: undefined,
      lease: 0,
      held: 0,
      heldFor: 0,
    });
  }

  async write(key: string, _entry: NewEntry): Promise<boolean> {
    await this.#store.invalidateKeys([key]);
    return false;
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  remove(): Promise<boolean> {
    return Promise.resolve(false);
  }

  extend(): Promise<boolean> {
    return Promise.resolve(false);
  }

  touch(): Promise<boolean> {
    return Promise.resolve(false);
  }

  invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    return this.#store.invalidateKeys(keys);
  }

  invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    return this.#store.invalidateTags(tags, mode);
  }

  invalidatePattern(glob: string, options?: PatternOptions): Promise<StoreInvalidation> {
    return this.#store.invalidatePattern(glob, options);
  }

  clear(): Promise<StoreInvalidation> {
    return this.#store.clear();
  }

  isCurrent(_loaded: Loaded): boolean {
    return false;
  }

  watch(key: string): Watch {
    return this.#store.watch(key);
  }

  changes(_listener: ChangeListener): Changes | undefined {
    return undefined;
  }

  inspect(glob: string): AsyncIterable<readonly [key: string, read: Read]> {
    return this.#store.inspect(glob);
  }

  beside(name: string): CacheStore {
    return this.#store.beside(name);
  }

  namespaces(): Promise<string[]> {
    return this.#store.namespaces();
  }

  drop(options?: PatternOptions): Promise<StoreInvalidation> {
    return this.#store.drop(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
