import type { ClosedBy } from "../errors.ts";
import type { StoredEntry } from "./entry.ts";

/** A place in the order in which a store issues writes and invalidations. Places of different epochs do not compare. */
export interface Position {
  /** Which life of the invalidation records this is. A new one makes everything older invisible. */
  readonly epoch: number;
  /** Microseconds on the store's own monotonic clock. */
  readonly clock: number;
}

/**
 * How a key's entry stands when it is read:
 * `fresh`: to be served · `stale`: to be served while it is refreshed · `expired`: only if the loader fails ·
 * `none`: absent, invalidated or past all its times.
 */
export type EntryState = "fresh" | "stale" | "expired" | "none";

/** What a read found. */
export interface Read extends Position {
  /**
   * A place behind all that happened before this read, and before all that happens later, whatever the time does:
   * `clock` is not, where the time is set back and the read was granted no lease.
   *
   * @default {`clock`}
   */
  readonly between?: number;
  /** The store's time in milliseconds. */
  readonly now: number;
  /** How the entry stands. */
  readonly state: EntryState;
  /** The entry, unless `state` is `"none"`. */
  readonly entry: StoredEntry | undefined;
  /** The lease that this read was granted: the right to load and write. 0 = none. */
  readonly lease: number;
  /** The lease of somebody who is loading now. 0 = none. */
  readonly held: number;
  /** Milliseconds until `held` ends, unless its holder extends it. */
  readonly heldFor: number;
}

/** What a reader that would load wants: a lease when there is nothing fresh. */
export interface ReadOptions {
  /** Milliseconds that a granted lease lasts. 0 or absent = no lease wanted. */
  lease?: number;
  /**
   * Milliseconds that it lasts until it is first extended, if that is less: who was cut off does not know of it. Of no
   * use where nobody can be cut off.
   */
  proof?: number;
  /** An entry as old as this, or older, is of no use to the caller and may be replaced by a lease. */
  unusable?: number;
  /** An entry as old as this, or older, is to be refreshed by the caller although it is fresh. */
  refresh?: number;
  /** Takes the lease from whoever holds it. */
  steal?: boolean;
  /** Once it is aborted nobody waits for the read: where it was not sent yet, it need not be. */
  signal?: AbortSignal | undefined;
}

/** How long an entry is what, in milliseconds from the time of writing. `Infinity` = for ever. */
export interface Lifetime {
  /** Served as fresh for so long. */
  fresh: number;
  /** Served while it is refreshed for so long; at least `fresh`. */
  stale: number;
  /** Served when the loader fails for so long; at least `stale`. */
  error: number;
}

/** An entry to be written. */
export interface NewEntry extends Lifetime {
  /** The encoded value. */
  payload: Uint8Array;
  /** How it was encoded. */
  flags: number;
  /** Its tags. */
  tags: readonly string[];
  /** Milliseconds that the loader took; 0 for an explicit write. */
  loadTime: number;
}

/** What makes a loader's write void when an invalidation or a newer write came first. */
export interface Fence extends Position {
  /** The lease under which was loaded. */
  readonly lease: number;
}

/** How an invalidation by tag takes effect: `hard` = gone, `stale` = served once more while it is refreshed. */
export type InvalidationMode = "hard" | "stale";

/** What a queued or done invalidation answers. */
export interface StoreInvalidation {
  /** `queued` = the store is unavailable; it is replayed before the next read is trusted. */
  readonly status: "done" | "queued";
  /** How many entries were removed, where that is known. */
  readonly removed?: number;
}

/** Options of an invalidation by pattern. */
export interface PatternOptions {
  /** Told the number of entries removed so far. */
  onProgress?: ((removed: number) => void) | undefined;
  /** Stops the removal; the entries stay invisible all the same. */
  signal?: AbortSignal | undefined;
}

/** What a flight needs to be compared with what the store knows of invalidations. */
export interface Loaded extends Position {
  /** Its key. */
  readonly key: string;
  /** Its tags, as far as they are known. */
  readonly tags: readonly string[];
}

/** Waits for a change of one key. */
export interface Watch extends Disposable {
  /** Whether changes are told. If not, `next` only waits. */
  readonly live: boolean;
  /** Resolves at the first change since the watch began or `next` last resolved, or after so many milliseconds. */
  next(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Takes what changes in a store, for copies of its entries. */
export interface ChangeListener {
  /** An entry was written, removed or given up. */
  key(key: string): void;
  /** Anything may have changed. */
  all(): void;
}

/** What is known of changes in a store by other processes. */
export interface Changes {
  /** Whether every change that was acknowledged a second before `now`, by `performance.now()`, has been heard of. */
  inTouch(now: number): boolean;
  /** What the invalidations heard of say about an entry. */
  judge(key: string, entry: Pick<StoredEntry, "epoch" | "asOf" | "tags">): "valid" | "stale" | "invalid" | "unknown";
}

/**
 * Where a cache keeps its entries. A store answers for coherence: what it returns was not invalidated before the read.
 * It does not know values, schemas, loaders or policies.
 *
 * Every method ends within the store's deadline and rejects with `UnavailableError` when the store does not answer;
 * invalidations are queued instead.
 */
export interface CacheStore extends AsyncDisposable {
  /** Ends it; what comes later rejects, and says what ended it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
  /** Where values live, for reports. */
  readonly kind: "memory" | "redis";
  /** Reads one entry and, where there is nothing fresh, may grant a lease in the same step. */
  read(key: string, options?: ReadOptions): Promise<Read>;
  /** Writes an entry; with a fence only while the lease is held. Resolves to whether it was stored. */
  write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean>;
  /** Gives a lease back without writing. With `pause`, nobody is granted one for so many milliseconds. */
  release(key: string, lease: number, pause?: number): Promise<void>;
  /**
   * Removes an entry while its lease is held, and with it the lease. Resolves to false when it is lost; then nothing is
   * removed.
   */
  remove(key: string, lease: number): Promise<boolean>;
  /** Makes a lease last `milliseconds` from now. Resolves to false when it is lost. */
  extend(key: string, lease: number, milliseconds: number): Promise<boolean>;
  /** Gives an entry a new freshness from now, its further windows kept. Resolves to whether there was one. */
  touch(key: string, fresh: number): Promise<boolean>;
  /** Invalidates entries by key. */
  invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation>;
  /** Invalidates entries by tag. */
  invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation>;
  /** Invalidates entries whose key matches a glob. */
  invalidatePattern(glob: string, options?: PatternOptions): Promise<StoreInvalidation>;
  /** Invalidates everything. */
  clear(): Promise<StoreInvalidation>;
  /** Whether a loaded value may be given to somebody who has just read, as far as that read knows. */
  isCurrent(loaded: Loaded): boolean;
  /** Waits for a change of a key, made by anybody. */
  watch(key: string): Watch;
  /**
   * Tells the changes made by anybody, for copies of entries in this process; `undefined` where copies make no sense.
   */
  changes(listener: ChangeListener): Changes | undefined;
  /** Walks over the entries whose key matches a glob and that are neither invalidated nor expired. */
  inspect(glob: string): AsyncIterable<readonly [key: string, read: Read]>;
  /** A store of the same kind beside this one, with which it shares no entries. Disposed of with this one. */
  beside(name: string): CacheStore;
  /** The names of the stores beside this one that hold something, whoever opened them. */
  namespaces(): Promise<string[]>;
  /** Clears the store and removes every trace of it, a bounded number of keys at a time. It may be used again. */
  drop(options?: PatternOptions): Promise<StoreInvalidation>;
  /** Invalidations that wait for the store to be back. */
  readonly queued: number;
}
