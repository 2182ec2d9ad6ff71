import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import { toMilliseconds } from "../util/duration.ts";
import { type EventListener, type LarderEvent, safeListener } from "../observe/events.ts";
import { assertStore } from "../util/assert_store.ts";
import { assertKey, MAX_KEY_BYTES } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertSchema, distinctKeys } from "./cache_arguments.ts";
import { Codec, integer } from "./codec.ts";
import { RefreshAhead } from "./early.ts";
import { Local } from "./local.ts";
import { SharedReads } from "./shared_reads.ts";
import { DisabledStore } from "./disabled_store.ts";
import { MAX_BYTES } from "./entry.ts";
import type { Failures } from "./failures.ts";
import type { LoadRequest } from "./load_request.ts";
import { CACHE } from "./option_names.ts";
import type {
  CacheOptions,
  GetOrSetOptions,
  InvalidationResult,
  Loader,
  LoaderContext,
  OperationOptions,
  VersionOptions,
} from "./options.ts";
import { OrderedStore } from "./ordered_store.ts";
import { lifetimeOf, type Policy } from "./policy.ts";
import { ReadThrough } from "./read_through.ts";
import { StatsCounter } from "./stats.ts";
import type { CacheStore, Read } from "./store.ts";
import { Values } from "./values.ts";
import { versionIn, versionOf } from "./version.ts";
import { currentRun } from "./waits.ts";

/** What the parts of a cache work on. */
export class CacheCore {
  /** Where entries are kept, in the order of the calls. */
  readonly store: OrderedStore;
  /** Told what happens. */
  readonly on: EventListener | undefined;
  /** What it has done. */
  readonly stats: StatsCounter = new StatsCounter();
  /** Turns values into bytes and back. */
  readonly values: Values;
  /** Reads, and has loaded what is not there. */
  readonly reader: ReadThrough;
  /** The most bytes of a key. */
  readonly maxKeyBytes: number;
  /** The most bytes of one encoded value. */
  readonly maxBytes: number;

  /**
   * Checks the options, and opens the parts.
   *
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(store: CacheStore, options: CacheOptions, on: ((event: LarderEvent) => void) | undefined) {
    assertStore(store, "read", "open the cache", "new MemoryStore()");
    assertOptions(options, CACHE, "open the cache");
    const {
      enabled = true,
      retryAfter = "1s",
      serializer,
      compress,
      maxBytes = MAX_BYTES,
      maxKeyBytes = MAX_KEY_BYTES,
    } = options;
    if (typeof enabled !== "boolean") {
      throw new TypeError(`Cannot use "enabled": wanted a boolean, got ${describe(enabled)}`);
    }
    this.on = safeListener(on);
    this.store = new OrderedStore(enabled ? store : new DisabledStore(store), this.on);
    this.maxKeyBytes = integer("maxKeyBytes", maxKeyBytes, 1);
    this.maxBytes = maxBytes;
    this.values = new Values(new Codec({ serializer, compress, maxBytes }), this.stats, this.on);
    const { local } = options;
    const { store: ordered } = this;
    this.reader = new ReadThrough({
      store: ordered,
      values: this.values,
      local: local ? Local.of(local === true ? {} : local, (listener) => ordered.changes(listener)) : undefined,
      stats: this.stats,
      early: new RefreshAhead(this.on),
      steals: new SharedReads(),
      retryAfter: toMilliseconds(retryAfter, "retryAfter"),
      on: this.on,
    }, options);
  }

  /** Several keys, each as it should be and once. */
  keys(keys: Iterable<string>, action: string): string[] {
    return distinctKeys(keys, action, this.maxKeyBytes);
  }

  /** What a load is to do. */
  request<Known, T extends Known>(
    key: string,
    loader: (context: LoaderContext<Known>) => T | Promise<T>,
    options: GetOrSetOptions<T>,
  ): LoadRequest<T> {
    assertKey(key, this.maxKeyBytes, "read from the cache");
    if (typeof loader !== "function") {
      throw new TypeError(
        `Cannot read ${JSON.stringify(key)} from the cache: wanted a function as the loader, got ${describe(loader)}`,
      );
    }
    assertSchema(options.schema);
    // What is known of the previous value is what a loader gave.
    return this.reader.request(loader as unknown as Loader<T>, options);
  }

  /** The entry of a key, if it is fresh and of the version that is wanted. */
  async fresh(key: string, options: OperationOptions & VersionOptions): Promise<Read | undefined> {
    const version = versionOf(options.version);
    const read = await this.reader.read(key, options.signal);
    return read?.state === "fresh" && versionIn(read.entry!) === version ? read : undefined;
  }

  /** Writes an entry, which beats loaders that began before. */
  write(
    store: CacheStore,
    key: string,
    encoded: { payload: Uint8Array; flags: number },
    tags: readonly string[],
    policy: Policy,
    signal: AbortSignal | undefined,
    failures?: Failures,
  ): Promise<boolean> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.reader.loading.detach([key]);
    const { payload, flags } = encoded;
    const { fresh, stale, error } = lifetimeOf(policy);
    const written = store.write(key, { payload, flags, fresh, stale, error, tags, loadTime: 0 });
    return abortable(written, signal).then((stored) => {
      if (stored) this.stats.sets++;
      return stored;
    }, (error) => {
      if (!this.reader.failed("write", key, error, signal, failures)) throw error;
      return false;
    });
  }

  /** Waits for an invalidation, and tells of it. */
  async invalidated(
    by: "key" | "tag" | "pattern" | "clear",
    what: readonly string[],
    work: Promise<InvalidationResult>,
    signal: AbortSignal | undefined,
  ): Promise<InvalidationResult> {
    const run = currentRun();
    if (run && by === "tag") run.invalidates(what);
    const result = await abortable(work, signal);
    this.stats.invalidations++;
    this.on?.({ type: "cache.invalidate", by, what, status: result.status });
    return result;
  }
}
