import type { Duration } from "../util/duration.ts";
import type { LocalOptions } from "./local.ts";
import type { MemoryStoreOptions } from "./memory_store.ts";
import type { Serializer } from "../values/serializer.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import type { InvalidationMode } from "./store.ts";

/** What every operation takes. */
export interface OperationOptions {
  /** Ends the wait with the signal's reason. What was already sent to the store takes effect all the same. */
  signal?: AbortSignal | undefined;
}

/** How long a value is kept and served. */
export interface LifetimeOptions {
  /** How long a value is fresh: seconds, or a string such as `"5m"`; 0 = for ever. @default {"1h"} */
  ttl?: Duration | undefined;
  /** How long after that it is still served while it is refreshed in the background; 0 = not at all. @default {0} */
  staleWhileRevalidate?: Duration | undefined;
  /** How long after the end of its freshness it is still served when the loader fails; 0 = not at all. @default {0} */
  staleIfError?: Duration | undefined;
  /** By what share of the ttl, at most, an entry expires early, drawn for each: 0 to 1. @default {0} */
  jitter?: number | undefined;
}

/** How loaders are run. */
export interface LoadOptions {
  /** How long a loader that died keeps others waiting; extended while it lives. @default {"10s"} */
  lease?: Duration | undefined;
  /**
   * How long a caller waits for a loader when there is an older value to serve (see `staleIfError`), which it is then
   * given. The loader goes on.
   *
   * @default {as long as it takes}
   */
  timeout?: Duration | undefined;
  /**
   * How long a caller waits at all; then it gets a `LoaderTimeoutError`. The loader goes on. 0 = as long as it takes.
   *
   * @default {0}
   */
  hardTimeout?: Duration | undefined;
  /**
   * How long a caller waits for somebody else's loader; then it runs its own, and what the other one gives is not
   * stored. Of many who give up at the same time one does, for whom the rest wait as long again. 0 = as long as it
   * takes. Within a loader, the wait for another process is bounded in any case: that may be waiting for this one.
   *
   * @default {as long as it takes; "10s" within a loader, for another process}
   */
  waitTimeout?: Duration | undefined;
  /**
   * How eagerly a fresh value is refreshed before its time, at random, the more likely the longer its loader took and
   * the nearer its end (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
   * 2015): 0 = never, 1 = as the paper recommends.
   *
   * @default {0}
   */
  beta?: number | undefined;
  /**
   * How long before the end of its freshness a read has the value refreshed in the background; 0 = not. One that is not
   * shorter than the ttl counts as half of the ttl.
   *
   * @default {0}
   */
  refreshAhead?: Duration | undefined;
  /**
   * What becomes of a loader's value that cannot be stored: too long (`maxBytes`), or of a kind that cannot be written.
   * `"serve"`: the callers get it, an event tells, and the next call loads anew. `"throw"`: it is a failure of the
   * loader.
   *
   * @default {"serve"}
   */
  unstorable?: "serve" | "throw" | undefined;
}

/** How a cache works. */
export interface CacheOptions extends LifetimeOptions, LoadOptions {
  /**
   * Whether there is a cache at all. Without it reads miss, writes resolve to `false`, and loaders run, one at a time
   * for all in this process; what is invalidated or written is invalidated in Redis all the same, since in other
   * processes it may be on.
   *
   * @default {true}
   */
  enabled?: boolean | undefined;
  /** How long nobody tries again after a loader failed while an older value can be served. @default {"1s"} */
  retryAfter?: Duration | undefined;
  /** How values become bytes. @default {richSerializer} */
  serializer?: Serializer | undefined;
  /** Whether, or from which size in bytes on, payloads are compressed. @default {false} */
  compress?: boolean | { threshold?: number | undefined } | undefined;
  /** The most bytes of one encoded value. @default {8_388_608} (8 MiB) */
  maxBytes?: number | undefined;
  /** The most bytes of a key. @default {512} */
  maxKeyBytes?: number | undefined;
  /**
   * Copies of what is read in this process (L1), at most a second behind other processes: `true`, or how many. Of no
   * use, and ignored, on the embedded store.
   *
   * @default {false}
   */
  local?: boolean | LocalOptions | undefined;
  /** How much the embedded store keeps, where that is used. */
  memory?: Pick<MemoryStoreOptions, "maxEntries" | "maxBytes"> | undefined;
}

/** Which shape of values is meant. */
export interface VersionOptions {
  /**
   * The version of the code that writes or reads the value: a number, or a text of at most 64 bytes. A value of another
   * version, or of none, counts as a miss and is replaced, so that a release leaves old values behind. Invalidations
   * reach every version.
   *
   * @default {none}
   */
  version?: string | number | undefined;
}

/** Options of `get`, `getMany` and `lookup`. */
export interface GetOptions<T = unknown> extends OperationOptions, VersionOptions {
  /** What the value must fit; what does not counts as a miss. */
  schema?: StandardSchema<unknown, T> | undefined;
}

/** Options of `set` and `setMany`. */
export interface SetOptions extends LifetimeOptions, OperationOptions, VersionOptions {
  /** Names by which it can be invalidated together with others; at most 64. */
  tags?: readonly string[] | undefined;
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions<T = unknown> extends Omit<LifetimeOptions, "ttl">, LoadOptions, GetOptions<T> {
  /**
   * How long a value is fresh: seconds, or a string such as `"5m"`; 0 = for ever. Or a function that tells for each
   * value, say less for one that stands for "not there".
   *
   * @default {"1h"}
   */
  ttl?: Duration | ((value: T) => Duration) | undefined;
  /** Names by which it can be invalidated together with others, or a function that gives them; at most 64. */
  tags?: readonly string[] | ((value: T, key: string) => readonly string[]) | undefined;
  /**
   * Whether one caller loads for all processes. With `false`, a process does not wait for another that is loading the
   * same; what is stored is what the last of them began to load.
   *
   * @default {true}
   */
  lock?: boolean | undefined;
  /**
   * Has the value loaded anew whatever there is: no loader that began before is joined, what it gives is stored, and
   * its failure is the caller's. What there was stays until then.
   *
   * @default {false}
   */
  fresh?: boolean | undefined;
}

/** Options of `get` and `getMany` of a definition. */
export interface LoadCallOptions
  extends OperationOptions, Pick<GetOrSetOptions, "fresh" | "timeout" | "hardTimeout" | "waitTimeout"> {}

/** Options of `invalidateByTag`. */
export interface InvalidateByTagOptions extends OperationOptions {
  /** `"hard"`: gone at once. `"stale"`: `getOrSet` serves it once more while it is refreshed. @default {"hard"} */
  mode?: InvalidationMode | undefined;
}

/** Options of `invalidateByPattern`. */
export interface InvalidateByPatternOptions extends OperationOptions {
  /** Told the number of entries removed so far. */
  onProgress?: ((removed: number) => void) | undefined;
}

/** What a loader is given. */
export interface LoaderContext<T> {
  /** The key that is loaded. */
  readonly key: string;
  /** The previous value, when there is one that was not invalidated. */
  readonly stale: T | undefined;
  /** Aborted when the cache is closed. */
  readonly signal: AbortSignal;
  /**
   * Keeps the previous value, with the tags that it has, and makes it fresh again: `return ctx.notModified()`. Other
   * tags, or another ttl, only come of `setTags()` and `setTtl()` in the same run. Where the type of the value was not
   * said, it is `never` here, so that what else the loader gives says it.
   *
   * @throws {TypeError} If there is no previous value.
   */
  notModified(): unknown extends T ? never : T;
  /** Gives a value to the callers without storing it: `return ctx.skip(value)`. */
  skip<Skipped extends T>(value: Skipped): Skipped;
  /**
   * Sets how long this value is fresh, and how long it is served after that: what is not said is as in the options.
   *
   * @param ttl Seconds, or a string such as `"5m"`; 0 = for ever.
   * @param windows How long after that it is served while it is refreshed, and when the loader fails.
   */
  setTtl(ttl: Duration, windows?: Pick<LifetimeOptions, "staleWhileRevalidate" | "staleIfError">): void;
  /** Sets the tags of this value. */
  setTags(tags: readonly string[]): void;
}

/** Gets a value from where it really lives; `undefined` says that there is none, and takes away what was kept. */
export type Loader<T> = (context: LoaderContext<T>) => T | Promise<T>;

/** How an entry stands. */
export interface Lookup<T> {
  /** `hit`: fresh · `stale`: only served while it is refreshed, or when a loader fails · `miss`: not there. */
  readonly status: "hit" | "stale" | "miss";
  /** The value, unless it is a miss. */
  readonly value?: T;
  /** Seconds since the value was current; 0 for a miss. */
  readonly age: number;
  /** Seconds that it will still be fresh; 0 for a stale one or a miss, `Infinity` = for ever. */
  readonly ttl: number;
  /** Its tags. */
  readonly tags: readonly string[];
}

/** How an invalidation ended. */
export interface InvalidationResult {
  /** `queued`: Redis is away; it is replayed before this process trusts its next read. */
  readonly status: "done" | "queued";
  /** How many entries were removed, where that is known. */
  readonly removed?: number;
}

/** Options of `inspect`. */
export interface InspectOptions<T = unknown> extends Omit<GetOptions<T>, "version"> {
  /** Whether the values are shown too. @default {false} */
  values?: boolean | undefined;
}

/** An entry as `inspect` shows it. */
export interface Inspected<T = unknown> {
  /** Its key. */
  readonly key: string;
  /** Seconds since the value was current. */
  readonly age: number;
  /** Seconds that it will still be fresh; 0 for a stale one, `Infinity` = for ever. */
  readonly ttl: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Its size in bytes, as it is stored. */
  readonly bytes: number;
  /** Its value, if it was asked for and can be read. */
  readonly value?: T;
}

/** One kind of value: what identifies it, where it comes from, how it is kept. */
export interface DefinitionOptions<Id, Known, T extends Known = Known>
  extends Omit<GetOrSetOptions<T>, "tags" | "signal" | "fresh"> {
  /** Its name: the first part of its keys, and a tag of all its entries. */
  name: string;
  /** What identifies a value within the kind. */
  key: (id: Id) => string | number | bigint;
  /** Gets a value from where it really lives; `undefined` says that there is none, and takes away what was kept. */
  load: (id: Id, context: LoaderContext<Known>) => T | Promise<T>;
  /**
   * Gets several; those that there are, by id. What was kept under an id that is missing is taken away.
   *
   * @default {`load` for each}
   */
  loadMany?: ((ids: readonly Id[]) => ReadonlyMap<Id, T> | Promise<ReadonlyMap<Id, T>>) | undefined;
  /** Further tags, or a function that gives them. */
  tags?: readonly string[] | ((value: T, id: Id) => readonly string[]) | undefined;
}
