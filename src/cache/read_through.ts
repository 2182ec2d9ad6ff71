import { abortable } from "../abort.ts";
import { LoaderTimeoutError } from "../errors.ts";
import type { EventListener } from "../events.ts";
import { assertTags } from "../keys.ts";
import { type Copy, Local } from "./local.ts";
import { Loading, type LoadRequest } from "./loading.ts";
import { isStoreFailure, Miss } from "./miss.ts";
import type { CacheOptions, GetOrSetOptions, Loader } from "./options.ts";
import { isEarly, type LoadPolicy, loadPolicyOf, type Policy, policyOf } from "./policy.ts";
import type { StandardSchema } from "./standard_schema.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore, Read } from "./store.ts";
import type { Found, Values } from "./values.ts";

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
  readonly loading: Loading;
  /** The defaults of how long values are kept. */
  readonly policy: Policy;
  readonly #host: Host & { readonly loading: Loading };
  readonly #loads: LoadPolicy;
  readonly #local: Local | undefined;
  /** Keys at whose lease is being looked in order to refresh them early. */
  readonly #looking = new Set<string>();

  constructor(host: Host, options: CacheOptions) {
    const { local } = options;
    this.policy = policyOf(options);
    this.#loads = loadPolicyOf(options);
    this.loading = new Loading(host);
    this.#host = { ...host, loading: this.loading };
    if (local) this.#local = Local.of(local === true ? {} : local, (listener) => host.store.changes(listener));
  }

  /** A fresh value from this process, at once where that is possible: a hit must not cost a promise more than it has to. */
  copied<T>(key: string, schema: StandardSchema<unknown, T> | undefined): Found<T> | Promise<Found<T>> {
    return this.#local && this.#copied(key, this.#local.get(key), schema);
  }

  /** Reads an entry. Hand what comes to {@linkcode ReadThrough.found}, a failure to {@linkcode ReadThrough.failed}. */
  reading(key: string, signal: AbortSignal | undefined): Promise<Read> {
    signal?.throwIfAborted();
    const reading = this.#host.store.read(key);
    return signal ? abortable(reading, signal) : reading;
  }

  /** Call it before a read, and hand what it gives to {@linkcode ReadThrough.found}. */
  mark(): number {
    return this.#local?.mark() ?? 0;
  }

  /** The fresh value in what was read, counted; at once where that is possible. */
  found<T>(
    key: string,
    read: Read | undefined,
    schema: StandardSchema<unknown, T> | undefined,
    mark: number,
  ): Found<T> | Promise<Found<T>> {
    if (read?.state !== "fresh") return this.#counted<T>(key, undefined);
    const found = this.#host.values.read(key, read.entry!, schema);
    if (found instanceof Promise) return found.then((found) => this.#kept(key, read, found, schema, mark));
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
  failed(operation: string, key: string, error: unknown, signal: AbortSignal | undefined): boolean {
    if (signal?.aborted || !isStoreFailure(error)) return false;
    this.#host.stats.errors++;
    this.#host.on?.({ type: "cache.error", operation, key, error });
    return true;
  }

  /** A fresh value, or whatever comes of not having one. */
  async getOrSet<T>(key: string, request: LoadRequest<T>, signal: AbortSignal | undefined): Promise<T> {
    const { schema, lease } = request;
    if (this.#local) {
      const copy = this.#local.get(key);
      const copied = this.#copied(key, copy, schema);
      const found = copied instanceof Promise ? await copied : copied;
      if (found) {
        // The time is not asked for where it does not matter: that alone is a good part of a hit.
        if (request.beta !== 0 || request.refreshAhead !== 0) {
          this.#refreshEarly(key, request, copy!.writtenAsOf, copy!.until - performance.now(), copy!.loadTime);
        }
        return found.value;
      }
    }
    const { hardTimeout } = request;
    if (hardTimeout !== undefined) {
      const patient = { ...request, hardTimeout: undefined };
      return await inTime(key, hardTimeout, signal, (signal) => this.getOrSet(key, patient, signal));
    }
    const mark = this.#local?.mark() ?? 0;
    const began = this.loading.started;
    signal?.throwIfAborted();
    const reading = this.#host.store.read(key, { lease });
    let read: Read | undefined;
    try {
      read = await (signal ? abortable(reading, signal) : reading);
    } catch (error) {
      if (!this.failed("read", key, error, signal)) {
        this.loading.abandon(key, reading);
        throw error;
      }
    }
    let found: Found<T>;
    if (read?.entry) {
      const decoded = this.#host.values.read(key, read.entry, schema);
      found = decoded instanceof Promise ? await decoded : decoded;
      if (found && read.state === "fresh") {
        this.#refreshEarly(key, request, read.entry.asOf, read.entry.freshUntil - read.now, read.entry.loadTime);
        this.#fill(key, read, found, schema, mark);
        return this.#counted(key, found)!.value;
      }
    }
    return await new Miss(this.#host, key, request, signal, began).settle(read, found);
  }

  /**
   * Checks the options of a load.
   *
   * @throws {TypeError | RangeError} If one is not as it should be.
   */
  request<T>(loader: Loader<T>, options: GetOrSetOptions<T>): LoadRequest<T> {
    const { ttl, tags, schema, lock = true, staleWhileRevalidate, staleIfError, jitter } = options;
    const varies = typeof ttl === "function";
    return {
      ...loadPolicyOf(options, this.#loads),
      loader,
      policy: policyOf({ ttl: varies ? undefined : ttl, staleWhileRevalidate, staleIfError, jitter }, this.policy),
      ttl: varies ? ttl : undefined,
      tags: typeof tags === "function" ? tags : assertTags(tags, "read from the cache"),
      schema,
      lock,
    };
  }

  /** Reads an entry, or resolves to `undefined` when the store fails. */
  async read(key: string, signal: AbortSignal | undefined): Promise<Read | undefined> {
    try {
      return await this.reading(key, signal);
    } catch (error) {
      if (!this.failed("read", key, error, signal)) throw error;
    }
  }

  /** What the store answers, or `undefined` when it fails. */
  async attempt<T>(
    operation: string,
    key: string,
    work: Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    try {
      return await (signal ? abortable(work, signal) : work);
    } catch (error) {
      if (!this.failed(operation, key, error, signal)) throw error;
    }
  }

  /** Keeps a copy in this process, unless a schema may have changed the value. */
  #fill(key: string, read: Read, found: Found<unknown>, schema: unknown, mark: number): void {
    if (schema === undefined) this.#local?.fill(key, read, found!.value, mark);
  }

  /** The value of a copy, counted as a hit. */
  #copied<T>(
    key: string,
    copy: Copy | undefined,
    schema: StandardSchema<unknown, T> | undefined,
  ): Found<T> | Promise<Found<T>> {
    if (!copy) return undefined;
    const { values } = this.#host;
    const found = copy.shared ? values.check(key, copy.shared.value, schema) : values.read(key, copy, schema);
    if (found instanceof Promise) return found.then((found) => found && this.#counted(key, found));
    return found && this.#counted(key, found);
  }

  /** Has a fresh value refreshed in the background when its time is near. */
  #refreshEarly<T>(key: string, request: LoadRequest<T>, asOf: number, left: number, loadTime: number): void {
    if ((request.beta === 0 && request.refreshAhead === 0) || !isEarly(request, left, loadTime)) return;
    if (this.loading.get(key) || this.#looking.has(key)) return;
    const { store, values, on } = this.#host;
    this.#looking.add(key);
    store.read(key, { lease: request.lease, refresh: asOf }).finally(() => this.#looking.delete(key)).then(
      async (read) => {
        if (!this.loading.claim(read)) return;
        const previous = read.entry && await values.read(key, read.entry, request.schema);
        this.loading.start(key, request, { fence: read, previous, background: true, fallback: true });
      },
    ).catch((error) => on?.({ type: "cache.error", operation: "refresh", key, error }));
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

/** Ends the wait for `work` after so many milliseconds. What loads does not see the signal that it is given. */
async function inTime<T>(
  key: string,
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new LoaderTimeoutError(key, milliseconds)), milliseconds);
  try {
    return await abortable(work(signal ? AbortSignal.any([signal, late.signal]) : late.signal), late.signal);
  } finally {
    clearTimeout(timer);
  }
}
