import { describe } from "../util/describe.ts";
import { Delays } from "./delays.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import type {
  CacheStore,
  ChangeListener,
  Changes,
  Loaded,
  PatternOptions,
  Read,
  StoreInvalidation,
  Watch,
} from "../cache/store.ts";

/**
 * A cache store that can be taken down: then every operation rejects, and invalidations are kept and replayed, as those
 * of a Redis that is away are.
 */
export class FlakyStore implements CacheStore {
  /** Whether operations fail. */
  down = false;
  /** Milliseconds by which operations are delayed. */
  delay = 0;
  readonly #store: CacheStore;
  readonly #delays = new Delays();
  #kept: (() => Promise<StoreInvalidation>)[] = [];
  /** Leases to give back. */
  #owed: (() => Promise<void>)[] = [];

  /**
   * Wraps a store.
   *
   * @param store The store that works.
   */
  constructor(store: CacheStore) {
    if (typeof store?.read !== "function") {
      throw new TypeError(
        `Cannot make one that fails: wanted a store of a cache, such as new MemoryStore(), got ${describe(store)}`,
      );
    }
    this.#store = store;
  }

  /** That of the wrapped store. */
  get kind(): "memory" | "redis" {
    return this.#store.kind;
  }

  /** How many invalidations wait. */
  get queued(): number {
    return this.#kept.length + this.#store.queued;
  }

  /** Reads unless it is down. */
  read(...args: Parameters<CacheStore["read"]>): ReturnType<CacheStore["read"]> {
    return this.#run("read", () => this.#store.read(...args));
  }

  /** Writes unless it is down; then what was there before an explicit write is invalidated. */
  async write(...args: Parameters<CacheStore["write"]>): Promise<boolean> {
    const [key, _entry, fence] = args;
    try {
      return await this.#run("write", () => this.#store.write(...args));
    } catch (error) {
      if (this.down && !fence) this.#kept.push(() => this.#store.invalidateKeys([key]));
      throw error;
    }
  }

  /** Releases unless it is down; then as soon as it is not. */
  async release(...args: Parameters<CacheStore["release"]>): ReturnType<CacheStore["release"]> {
    try {
      await this.#run("release", () => this.#store.release(...args));
    } catch (error) {
      if (this.down) this.#owed.push(() => this.#store.release(...args));
      throw error;
    }
  }

  /** Removes unless it is down; then the entry is invalidated as soon as it is not. */
  async remove(...args: Parameters<CacheStore["remove"]>): ReturnType<CacheStore["remove"]> {
    try {
      return await this.#run("remove", () => this.#store.remove(...args));
    } catch (error) {
      if (this.down) this.#kept.push(() => this.#store.invalidateKeys([args[0]]));
      throw error;
    }
  }

  /** Extends unless it is down. */
  extend(...args: Parameters<CacheStore["extend"]>): ReturnType<CacheStore["extend"]> {
    return this.#run("extend", () => this.#store.extend(...args));
  }

  /** Touches unless it is down. */
  touch(...args: Parameters<CacheStore["touch"]>): ReturnType<CacheStore["touch"]> {
    return this.#run("touch", () => this.#store.touch(...args));
  }

  /** Invalidates, or keeps it for later. */
  invalidateKeys(...args: Parameters<CacheStore["invalidateKeys"]>): ReturnType<CacheStore["invalidateKeys"]> {
    return this.#invalidate(() => this.#store.invalidateKeys(...args));
  }

  /** Invalidates, or keeps it for later. */
  invalidateTags(...args: Parameters<CacheStore["invalidateTags"]>): ReturnType<CacheStore["invalidateTags"]> {
    return this.#invalidate(() => this.#store.invalidateTags(...args));
  }

  /** Invalidates, or keeps it for later. */
  invalidatePattern(...args: Parameters<CacheStore["invalidatePattern"]>): ReturnType<CacheStore["invalidatePattern"]> {
    return this.#invalidate(() => this.#store.invalidatePattern(...args));
  }

  /** Invalidates, or keeps it for later. */
  clear(): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#store.clear());
  }

  /** As the wrapped store says. */
  isCurrent(loaded: Loaded): boolean {
    return this.#store.isCurrent(loaded);
  }

  /** Watches the wrapped store. */
  watch(key: string): Watch {
    return this.#store.watch(key);
  }

  /** Those of the wrapped store. */
  changes(listener: ChangeListener): Changes | undefined {
    return this.#store.changes(listener);
  }

  /** Walks over the wrapped store. */
  inspect(glob: string): AsyncIterable<readonly [key: string, read: Read]> {
    return this.#store.inspect(glob);
  }

  /** A store beside the wrapped one, which does not fail. */
  beside(name: string): CacheStore {
    return this.#store.beside(name);
  }

  /** Names those beside the wrapped store. */
  namespaces(): Promise<string[]> {
    return this.#run("look for namespaces", () => this.#store.namespaces());
  }

  /** Drops what the wrapped store holds. */
  drop(options?: PatternOptions): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#store.drop(options));
  }

  /** Disposes of the wrapped store. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void> {
    this.#delays.close();
    return this.#store[Symbol.asyncDispose](by);
  }

  async #run<T>(operation: string, run: () => Promise<T>): Promise<T> {
    await this.#delays.wait(this.delay);
    if (this.down) throw new UnavailableError(operation, "connection");
    while (this.#owed.length > 0) await this.#owed.shift()!();
    while (this.#kept.length > 0) await this.#kept.shift()!();
    return await run();
  }

  async #invalidate(run: () => Promise<StoreInvalidation>): Promise<StoreInvalidation> {
    try {
      return await this.#run("invalidate", run);
    } catch (error) {
      if (!(error instanceof UnavailableError) || error.reason === "closed") throw error;
      this.#kept.push(run);
      return { status: "queued" };
    }
  }
}
