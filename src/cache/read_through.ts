import { abortable } from "../util/abort.ts";
import { assertKey } from "../util/keys.ts";
import type { CacheContext } from "./cache_context.ts";
import { counted } from "./counted.ts";
import { EarlyRefresh } from "./early_refresh.ts";
import type { Failures } from "./failures.ts";
import { withHardTimeout } from "./hard_timeout.ts";
import { PROOF } from "./heartbeat.ts";
import type { LoadRequest } from "./load_request.ts";
import { loadRequestOf } from "./load_request_of.ts";
import { LoadRunner } from "./load_runner.ts";
import type { Copy, Local } from "./local.ts";
import { ANEW, MissResolver } from "./miss.ts";
import type { MissHost } from "./miss_host.ts";
import type { CacheOptions, GetOrSetOptions, Loader } from "./options.ts";
import { type LoadPolicy, loadPolicyOf, type Policy, policyOf } from "./policy.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { isStoreFailure } from "./store_failure.ts";
import type { Read } from "./store.ts";
import type { Found } from "./values.ts";
import type { Wanted } from "./wanted.ts";

/** Reads through the copies in this process, the store and, at last, a loader; and counts what it finds. */
export class ReadThrough {
  /** The loaders that run. */
  readonly loading: LoadRunner;
  /** The defaults of how long values are kept. */
  readonly policy: Policy;
  readonly #host: MissHost;
  readonly #early: EarlyRefresh;
  readonly #loads: LoadPolicy;
  readonly #local: Local | undefined;

  constructor(context: CacheContext, options: CacheOptions) {
    this.policy = policyOf(options);
    this.#loads = loadPolicyOf(options);
    this.loading = new LoadRunner(context);
    this.#local = context.local;
    this.#host = { ...context, loading: this.loading };
    this.#early = new EarlyRefresh(this.#host);
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
      if (!this.failed("read", key, error, wanted.signal)) throw error;
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
    if (read?.state !== "fresh") return counted<T>(this.#host, key, undefined);
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
    return counted(this.#host, key, found);
  }

  /** Counts a failure of the store. `false` when it is none: that is for the caller. */
  failed(
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

  /** A fresh value, or whatever comes of not having one. No async function: see {@linkcode ReadThrough.get}. */
  getOrSet<T>(key: string, request: LoadRequest<T>, signal: AbortSignal | undefined): Promise<T> {
    if (!this.#local || request.fresh) return this.#getOrSetStored(key, request, signal);
    const copy = this.#local.get(key);
    const copied = this.#copied(key, copy, request.schema, request.version);
    if (copied instanceof Promise) {
      return abortable(copied, signal).then((found) =>
        found ? this.#refreshed(key, request, copy!, found.value) : this.#getOrSetStored(key, request, signal)
      );
    }
    if (!copied) return this.#getOrSetStored(key, request, signal);
    return Promise.resolve(this.#refreshed(key, request, copy!, copied.value));
  }

  /** The value of a copy, which is refreshed behind the scenes if it is time. */
  #refreshed<T>(key: string, request: LoadRequest<T>, copy: Copy, value: T): T {
    // The time is not asked for where it does not matter: that alone is a good part of a hit.
    if (request.beta !== 0 || request.refreshAhead !== 0) {
      const { writtenAsOf: asOf, until, loadTime } = copy;
      this.#early.consider(key, request, { value, asOf, left: until - performance.now(), loadTime });
    }
    return value;
  }

  #getOrSetStored<T>(key: string, request: LoadRequest<T>, signal: AbortSignal | undefined): Promise<T> {
    const { lease, fresh, hardTimeout } = request;
    if (hardTimeout !== undefined) {
      const within = { ...request, hardTimeout: undefined };
      const work = (signal: AbortSignal, onCycle: (error: unknown) => void) =>
        this.getOrSet(key, { ...within, onCycle }, signal);
      return withHardTimeout(key, hardTimeout, signal, work);
    }
    if (signal?.aborted) return Promise.reject(signal.reason);
    const mark = this.#mark();
    const began = this.loading.started;
    const { store, steals } = this.#host;
    const reading = fresh
      ? steals.read(key, true, () => store.read(key, { lease, proof: PROOF, ...ANEW }))
      : store.read(key, { lease, proof: PROOF, signal });
    return abortable(reading, signal).then(
      (read) => this.#freshOrLoaded(key, request, signal, reading, read, mark, began),
      (error) => {
        if (this.failed("read", key, error, signal, request.failures)) {
          return this.#freshOrLoaded(key, request, signal, reading, undefined, mark, began);
        }
        this.loading.abandon(key, reading);
        throw error;
      },
    );
  }

  /** The value in what was read, if it is fresh, else what comes of a load. At once where that is possible. */
  #freshOrLoaded<T>(
    key: string,
    request: LoadRequest<T>,
    signal: AbortSignal | undefined,
    reading: Promise<Read>,
    read: Read | undefined,
    mark: number,
    began: number,
  ): T | Promise<T> {
    request.asked?.();
    const settle = (found: Found<T>): T | Promise<T> => {
      if (!found || read!.state !== "fresh") {
        return new MissResolver(this.#host, key, request, signal, began).settle(read, found);
      }
      const { asOf, freshUntil, loadTime } = read!.entry!;
      this.#early.consider(key, request, { value: found.value, asOf, left: freshUntil - read!.now, loadTime });
      this.#fill(key, read!, found, request.schema, mark);
      return counted(this.#host, key, found)!.value;
    };
    if (!read?.entry) return settle(undefined);
    const decoded = this.#host.values.read(key, read.entry, request.schema, request.version);
    return decoded instanceof Promise ? this.#inTime(key, reading, decoded, signal).then(settle) : settle(decoded);
  }

  /**
   * Checks the options of a load.
   *
   * @throws {TypeError | RangeError} If one is not as it should be.
   */
  request<T>(loader: Loader<T>, options: GetOrSetOptions<T>): LoadRequest<T> {
    return loadRequestOf(loader, options, this.#loads, this.policy, this.#host.early);
  }

  /** Reads an entry, or resolves to `undefined` when the store fails. */
  async read(key: string, signal: AbortSignal | undefined, failures?: Failures): Promise<Read | undefined> {
    try {
      return await this.#reading(key, signal);
    } catch (error) {
      if (!this.failed("read", key, error, signal, failures)) throw error;
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
      if (!this.failed(operation, key, error, signal, failures)) throw error;
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
    if (found instanceof Promise) return found.then((found) => found && counted(this.#host, key, found));
    return found && counted(this.#host, key, found);
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
}
