import { abortable } from "../util/abort.ts";
import { LoaderTimeoutError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { assertKey, assertTags } from "../util/keys.ts";
import { type Copy, Local } from "./local.ts";
import { RefreshAhead } from "./early.ts";
import type { Failures } from "./failures.ts";
import { PROOF } from "./heartbeat.ts";
import { type LoadRequest, siteOf } from "./load_request.ts";
import { LoadRunner } from "./load_runner.ts";
import { ANEW, MissResolver } from "./miss.ts";
import type { MissHost } from "./miss_host.ts";
import type { CacheOptions, GetOrSetOptions, Loader } from "./options.ts";
import { isEarly, type LoadPolicy, loadPolicyOf, type Policy, policyOf, ttlOf } from "./policy.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { isStoreFailure } from "./store_failure.ts";
import type { StatsCounter } from "./stats.ts";
import { SharedReads } from "./shared_reads.ts";
import type { CacheStore, Read } from "./store.ts";
import type { Found, Values } from "./values.ts";
import { versionOf } from "./version.ts";

interface Host {
  readonly store: CacheStore;
  readonly values: Values;
  readonly stats: StatsCounter;
  readonly retryAfter: number;
  readonly on: EventListener | undefined;
}

/** Reads through the copies in this process, the store and, at last, a loader; and counts what it finds. */
export class ReadThrough {
  /** The loaders that run. */
  readonly loading: LoadRunner;
  /** The defaults of how long values are kept. */
  readonly policy: Policy;
  readonly #host: MissHost & { readonly early: RefreshAhead };
  readonly #loads: LoadPolicy;
  readonly #local: Local | undefined;
  /** Keys at whose lease is being looked in order to refresh them early. */
  readonly #looking = new Set<string>();

  constructor(host: Host, options: CacheOptions) {
    const { local } = options;
    this.policy = policyOf(options);
    this.#loads = loadPolicyOf(options);
    const early = new RefreshAhead(host.on);
    this.loading = new LoadRunner({ ...host, early });
    if (local) this.#local = Local.of(local === true ? {} : local, (listener) => host.store.changes(listener));
    this.#host = { ...host, early, loading: this.loading, steals: new SharedReads(), local: this.#local };
  }

  /**
   * A fresh value, or `undefined`.
   *
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  get<T>(key: string, wanted: Wanted<T>, maxKeyBytes: number): Promise<T | undefined> {
    return this.#local ? this.#getCopied(key, wanted, maxKeyBytes) : this.#getStored(key, wanted, maxKeyBytes);
  }

  async #getCopied<T>(key: string, wanted: Wanted<T>, maxKeyBytes: number): Promise<T | undefined> {
    const copied = this.#copy(key, wanted);
    const copy = copied instanceof Promise ? await copied : copied;
    if (copy) return copy.value; // what there is a copy of was found to be a key before
    return await this.#getStored(key, wanted, maxKeyBytes);
  }

  /** No async function, and no promise more than it takes: that is a good part of a hit. */
  #getStored<T>(key: string, wanted: Wanted<T>, maxKeyBytes: number): Promise<T | undefined> {
    let reading: Promise<Read>;
    const mark = this.#mark();
    try {
      assertKey(key, maxKeyBytes, "read from the cache");
      reading = this.#reading(key, wanted.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return reading.then((read) => this.#valueIn(key, read, wanted, mark), (error) => {
      if (!this.#failed("read", key, error, wanted.signal)) throw error;
      return this.#valueIn(key, undefined, wanted, mark);
    });
  }

  #valueIn<T>(
    key: string,
    read: Read | undefined,
    wanted: Wanted<T>,
    mark: number,
  ): T | undefined | Promise<T | undefined> {
    const found = this.#found(key, read, wanted, mark);
    return found instanceof Promise ? found.then((found) => found?.value) : found?.value;
  }

  /** The same for one of several keys, which are known to be such. */
  async find<T>(key: string, wanted: Wanted<T>, failures: Failures): Promise<Found<T>> {
    const copy = await this.#copy(key, wanted);
    if (copy) return copy;
    const mark = this.#mark();
    return await this.#found(key, await this.read(key, wanted.signal, failures), wanted, mark);
  }

  /**
   * A fresh value from this process, at once where that is possible: a hit must not cost a promise more than it has to.
   */
  #copy<T>(key: string, { schema, version, signal }: Wanted<T>): Found<T> | Promise<Found<T>> {
    const copied = this.#local && this.#copied(key, this.#local.get(key), schema, version);
    return copied instanceof Promise ? abortable(copied, signal) : copied;
  }

  #reading(key: string, signal: AbortSignal | undefined): Promise<Read> {
    if (!signal) return this.#host.store.read(key);
    signal.throwIfAborted();
    return abortable(this.#host.store.read(key, { signal }), signal);
  }

  /** When a read began, for the copy that is made of what it finds. */
  #mark(): number {
    return this.#local?.mark() ?? 0;
  }

  /** The fresh value in what was read, counted; at once where that is possible. */
  #found<T>(
    key: string,
    read: Read | undefined,
    { schema, version, signal }: Wanted<T>,
    mark: number,
  ): Found<T> | Promise<Found<T>> {
    if (read?.state !== "fresh") return this.#counted<T>(key, undefined);
    const found = this.#host.values.read(key, read.entry!, schema, version);
    if (found instanceof Promise) {
      return abortable(found, signal).then((found) => this.#kept(key, read, found, schema, mark));
    }
    return this.#kept(key, read, found, schema, mark);
  }

  #kept<T>(
    key: string,
    read: Read,
    found: Found<T>,
    schema: StandardSchema<unknown, T> | undefined,
    mark: number,
  ): Found<T> {
    if (found) this.#fill(key, read, found, schema, mark);
    return this.#counted(key, found);
  }

  /** Counts a failure of the store. `false` when it is none: that is for the caller. */
  #failed(
    operation: string,
    key: string,
    error: unknown,
    signal: AbortSignal | undefined,
    failures?: Failures,
  ): boolean {
    if (signal?.aborted || !isStoreFailure(error)) return false;
    this.#host.stats.errors++;
    if (failures) failures.add(operation, key, error);
    else this.#host.on?.({ type: "cache.error", operation, key, error });
    return true;
  }

  /** A fresh value, or whatever comes of not having one. */
  async getOrSet<T>(key: string, request: LoadRequest<T>, signal: AbortSignal | undefined): Promise<T> {
    const { schema, version, lease, fresh } = request;
    if (this.#local && !fresh) {
      const copy = this.#local.get(key);
      const copied = this.#copied(key, copy, schema, version);
      const found = copied instanceof Promise ? await abortable(copied, signal) : copied;
      if (found) {
        // The time is not asked for where it does not matter: that alone is a good part of a hit.
        if (request.beta !== 0 || request.refreshAhead !== 0) {
          this.#refreshEarly(
            key,
            request,
            found.value,
            copy!.writtenAsOf,
            copy!.until - performance.now(),
            copy!.loadTime,
          );
        }
        return found.value;
      }
    }
    const { hardTimeout } = request;
    if (hardTimeout !== undefined) {
      return await inTime(
        key,
        hardTimeout,
        signal,
        (signal, onCycle) => this.getOrSet(key, { ...request, hardTimeout: undefined, onCycle }, signal),
      );
    }
    const mark = this.#mark();
    const began = this.loading.started;
    signal?.throwIfAborted();
    const { store, steals } = this.#host;
    const reading = fresh
      ? steals.read(key, true, () => store.read(key, { lease, proof: PROOF, ...ANEW }))
      : store.read(key, { lease, proof: PROOF, signal });
    let read: Read | undefined;
    try {
      read = await (signal ? abortable(reading, signal) : reading);
    } catch (error) {
      if (!this.#failed("read", key, error, signal, request.failures)) {
        this.loading.abandon(key, reading);
        throw error;
      }
    }
    request.asked?.();
    let found: Found<T>;
    if (read?.entry) {
      const decoded = this.#host.values.read(key, read.entry, schema, version);
      found = decoded instanceof Promise ? await this.#inTime(key, reading, decoded, signal) : decoded;
      if (found && read.state === "fresh") {
        this.#refreshEarly(
          key,
          request,
          found.value,
          read.entry.asOf,
          read.entry.freshUntil - read.now,
          read.entry.loadTime,
        );
        this.#fill(key, read, found, schema, mark);
        return this.#counted(key, found)!.value;
      }
    }
    return await new MissResolver(this.#host, key, request, signal, began).settle(read, found);
  }

  /**
   * Checks the options of a load.
   *
   * @throws {TypeError | RangeError} If one is not as it should be.
   */
  request<T>(loader: Loader<T>, options: GetOrSetOptions<T>): LoadRequest<T> {
    const { ttl, tags, schema, lock = true, fresh = false, staleWhileRevalidate, staleIfError, jitter } = options;
    const varies = typeof ttl === "function";
    const loads = loadPolicyOf(options, this.#loads);
    const policy = policyOf({ ttl: varies ? undefined : ttl, staleWhileRevalidate, staleIfError, jitter }, this.policy);
    const { refreshAhead } = loads;
    return {
      ...loads,
      refreshAhead: refreshAhead === 0 || varies ? refreshAhead : this.#host.early.within(refreshAhead, policy.ttl),
      loader,
      policy,
      ttl: varies ? ttl : undefined,
      tags: typeof tags === "function" ? tags : assertTags(tags, "read from the cache"),
      schema,
      version: versionOf(options.version),
      lock,
      fresh,
      site: siteOf(loader, options),
    };
  }

  /** Reads an entry, or resolves to `undefined` when the store fails. */
  async read(key: string, signal: AbortSignal | undefined, failures?: Failures): Promise<Read | undefined> {
    try {
      return await this.#reading(key, signal);
    } catch (error) {
      if (!this.#failed("read", key, error, signal, failures)) throw error;
    }
  }

  /** What the store answers, or `undefined` when it fails. */
  attempt<T>(
    operation: string,
    key: string,
    work: Promise<T>,
    signal: AbortSignal | undefined,
    failures?: Failures,
  ): Promise<T | undefined> {
    return abortable(work, signal).catch((error) => {
      if (!this.#failed(operation, key, error, signal, failures)) throw error;
      return undefined;
    });
  }

  /** Keeps a copy in this process, unless a schema may have changed the value. */
  #fill(key: string, read: Read, found: Found<unknown>, schema: unknown, mark: number): void {
    if (schema !== undefined || !this.#local) return;
    this.#local.guarded(found!.value, read.entry!.flags); // the first caller's too, even where no copy can be kept
    this.#local.fill(key, read, found!.value, mark);
  }

  /** The value of a copy, counted as a hit. */
  #copied<T>(
    key: string,
    copy: Copy | undefined,
    schema: StandardSchema<unknown, T> | undefined,
    version: string | undefined,
  ): Found<T> | Promise<Found<T>> {
    if (!copy || copy.version !== version) return undefined;
    const { values } = this.#host;
    const found = copy.shared ? values.check(key, copy.shared.value, schema) : values.read(key, copy, schema, version);
    if (found instanceof Promise) return found.then((found) => found && this.#counted(key, found));
    return found && this.#counted(key, found);
  }

  /** Has a fresh value refreshed in the background when its time is near. */
  #refreshEarly<T>(
    key: string,
    request: LoadRequest<T>,
    value: T,
    asOf: number,
    left: number,
    loadTime: number,
  ): void {
    if ((request.beta === 0 && request.refreshAhead === 0) || !isEarly(request, left, loadTime)) return;
    if (!isEarly({ ...request, refreshAhead: this.#ahead(key, request, value) }, left, loadTime)) return;
    if (this.loading.get(key) || this.#looking.has(key)) return;
    const { store, values, on } = this.#host;
    this.#looking.add(key);
    store.read(key, { lease: request.lease, proof: PROOF, refresh: asOf }).finally(() => this.#looking.delete(key))
      .then(
        async (read) => {
          if (!this.loading.claim(read)) return;
          const previous = read.entry && await values.read(key, read.entry, request.schema, request.version);
          this.loading.start(key, request, { fence: read, previous, background: true, fallback: true });
        },
      ).catch((error) => on?.({ type: "cache.error", operation: "refresh", key, error }));
  }

  /** How long before the end of its freshness this value is refreshed. */
  #ahead<T>(key: string, { refreshAhead, ttl }: LoadRequest<T>, value: T): number {
    const { early } = this.#host;
    const ahead = early.of(key, refreshAhead);
    if (!ttl || ahead === 0) return ahead;
    try {
      return early.within(ahead, ttlOf(ttl(value)));
    } catch {
      return ahead; // the load that comes of it will say so
    }
  }

  /** Ends the wait for a value that takes time to decode; nobody loads on behalf of its caller then. */
  async #inTime<T>(
    key: string,
    reading: Promise<Read>,
    decoding: Promise<Found<T>>,
    signal: AbortSignal | undefined,
  ): Promise<Found<T>> {
    try {
      return await abortable(decoding, signal);
    } catch (error) {
      this.loading.abandon(key, reading);
      throw error;
    }
  }

  #counted<T>(key: string, found: Found<T>): Found<T> {
    const { stats, on } = this.#host;
    if (found) {
      stats.hits++;
      on?.({ type: "cache.hit", key, stale: false });
    } else {
      stats.misses++;
      on?.({ type: "cache.miss", key });
    }
    return found;
  }
}

/** What a reader wants. */
export interface Wanted<T> {
  /** What the value must fit. */
  readonly schema: StandardSchema<unknown, T> | undefined;
  /** Its version. */
  readonly version: string | undefined;
  /** Ends the wait. */
  readonly signal: AbortSignal | undefined;
}

/** Ends the wait for `work` after so many milliseconds. What loads does not see the signal that it is given. */
async function inTime<T>(
  key: string,
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, onCycle: (error: unknown) => void) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  let cause: unknown;
  const timer = setTimeout(
    () => late.abort(new LoaderTimeoutError(key, milliseconds, cause === undefined ? undefined : { cause })),
    milliseconds,
  );
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await abortable(work(either, (error) => cause = error), late.signal);
  } finally {
    clearTimeout(timer);
  }
}
