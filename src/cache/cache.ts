import { abortable } from "../abort.ts";
import { describe } from "../describe.ts";
import { type Duration, toMilliseconds } from "../duration.ts";
import { type EventListener, type LarderEvent, safeListener } from "../events.ts";
import { assertKey, assertTags, MAX_KEY_BYTES } from "../keys.ts";
import { Codec } from "./codec.ts";
import { NEVER } from "./entry.ts";
import { getOrSet, type GetOrSetHost, isStoreFailure } from "./get_or_set.ts";
import { Loading, type LoadRequest } from "./loading.ts";
import type {
  CacheOptions,
  GetOptions,
  GetOrSetOptions,
  InvalidateByPatternOptions,
  InvalidateByTagOptions,
  InvalidationResult,
  Loader,
  Lookup,
  OperationOptions,
  SetOptions,
} from "./options.ts";
import { lifetimeOf, type Policy, policyOf, ttlOf } from "./policy.ts";
import { isStandardSchema, type StandardSchema } from "./standard_schema.ts";
import { type CacheStats, StatsCounter } from "./stats.ts";
import type { CacheStore, Read } from "./store.ts";
import { type Found, Values } from "./values.ts";

const MAX_BYTES = 8 * 2 ** 20;
const LEASE = 10_000;
const RETRY_AFTER = 1000;
/** Longest a lease may last without being extended: a day. */
const LEASE_MOST = 86_400_000;
const MISS: Lookup<never> = Object.freeze({ status: "miss", age: 0, ttl: 0, tags: Object.freeze([]) });

/**
 * A cache that never serves what was invalidated.
 *
 * Reads degrade when the store is away: they miss, loaders still run, writes resolve to `false`, invalidations are queued. Values come
 * back equal, `Date`, `Map`, `Set`, `BigInt`, `undefined`, `NaN` and typed arrays included, and each caller gets its own.
 *
 * @example Read through, invalidate by tag
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const load = () => ({ name: "Ada", born: new Date("1815-12-10") });
 * const user = await redis.cache.getOrSet("user:1", load, { ttl: "5m", tags: ["users"] });
 * assert.equal(user.born.getUTCFullYear(), 1815);
 * await redis.cache.invalidateByTag("users");
 * assert.equal(await redis.cache.get("user:1"), undefined);
 * ```
 */
export class Cache implements AsyncDisposable {
  readonly #store: CacheStore;
  readonly #on: EventListener | undefined;
  readonly #stats = new StatsCounter();
  readonly #values: Values;
  readonly #loading: Loading;
  readonly #host: GetOrSetHost;
  readonly #policy: Policy;
  readonly #lease: number;
  readonly #maxKeyBytes: number;

  /**
   * Creates a cache. `connect()` does it for you.
   *
   * @param store Where entries are kept; disposed of with the cache.
   * @param options How it works.
   * @param on Told what happens.
   * @throws {TypeError} If an option has the wrong shape.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(store: CacheStore, options: CacheOptions = {}, on?: (event: LarderEvent) => void) {
    const { lease, retryAfter, serializer, compress, maxBytes = MAX_BYTES, maxKeyBytes = MAX_KEY_BYTES } = options;
    this.#store = store;
    this.#on = safeListener(on);
    this.#policy = policyOf(options);
    this.#lease = lease === undefined ? LEASE : leaseOf(lease);
    this.#maxKeyBytes = maxKeyBytes;
    this.#values = new Values(new Codec({ serializer, compress, maxBytes }), this.#stats, this.#on);
    this.#loading = new Loading({
      store,
      values: this.#values,
      stats: this.#stats,
      retryAfter: retryAfter === undefined ? RETRY_AFTER : toMilliseconds(retryAfter, "retryAfter"),
      on: this.#on,
    });
    this.#host = { store, values: this.#values, loading: this.#loading, stats: this.#stats, on: this.#on };
  }

  /**
   * Reads a fresh value.
   *
   * @typeParam T What the value is; checked only by a schema.
   * @param key The key: 1 to 512 bytes without control characters.
   * @param options A schema, a signal.
   * @returns The value, or `undefined` if there is none that is fresh, or the store does not answer.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async get<T = unknown>(key: string, options: GetOptions<T> = {}): Promise<T | undefined> {
    const { schema, signal } = options;
    assertKey(key, this.#maxKeyBytes, "read from the cache");
    assertSchema(schema);
    const read = await this.#read(key, signal);
    return (await this.#fresh(key, read, schema))?.value;
  }

  /**
   * Reads several values in one round trip.
   *
   * @typeParam T What the values are.
   * @param keys The keys.
   * @param options A schema for each value, a signal.
   * @returns The fresh values by key; keys without one are absent.
   * @throws {TypeError | RangeError} If a key cannot be one.
   */
  async getMany<T = unknown>(keys: Iterable<string>, options: GetOptions<T> = {}): Promise<Map<string, T>> {
    const { schema, signal } = options;
    const distinct = this.#keys(keys, "read from the cache");
    assertSchema(schema);
    const found = await Promise.all(distinct.map(async (key) => {
      return await this.#fresh(key, await this.#read(key, signal), schema);
    }));
    const values = new Map<string, T>();
    for (const [i, key] of distinct.entries()) if (found[i]) values.set(key, found[i].value);
    return values;
  }

  /**
   * Reads a value with how it stands, stale ones too.
   *
   * @typeParam T What the value is.
   * @param key The key.
   * @param options A schema, a signal.
   * @returns Its status, value, age, remaining freshness and tags.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async lookup<T = unknown>(key: string, options: GetOptions<T> = {}): Promise<Lookup<T>> {
    const { schema, signal } = options;
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    assertSchema(schema);
    const read = await this.#read(key, signal);
    const entry = read?.entry;
    const found = entry && await this.#values.read(key, entry, schema);
    if (!entry || !found) return MISS;
    const fresh = read.state === "fresh";
    return {
      status: fresh ? "hit" : "stale",
      value: found.value,
      age: Math.max(0, read.now - entry.asOf / 1000) / 1000,
      ttl: fresh ? secondsLeft(read) : 0,
      tags: entry.tags,
    };
  }

  /**
   * Stores a value. It beats loaders that began before.
   *
   * @param key The key.
   * @param value Anything but functions, symbols and instances of classes that Larder does not know.
   * @param options How long, and under which tags.
   * @returns Whether it was stored. If not, what was there before is not served either.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    assertKey(key, this.#maxKeyBytes, "write to the cache");
    const tags = assertTags(options.tags, "write to the cache");
    const policy = policyOf(options, this.#policy);
    const encoded = await this.#values.codec.encode(value, JSON.stringify(key));
    return await this.#write(key, encoded, tags, policy, options.signal);
  }

  /**
   * Stores several values in one round trip.
   *
   * @param entries Keys and values: a `Map`, an array of pairs, or an object.
   * @param options How long, and under which tags; the same for all.
   * @returns Whether all were stored.
   * @throws {TypeError | RangeError} If an argument is not as it should be; then nothing is stored.
   */
  async setMany(
    entries: Iterable<readonly [string, unknown]> | Readonly<Record<string, unknown>>,
    options: SetOptions = {},
  ): Promise<boolean> {
    if (typeof entries !== "object" || entries === null) {
      throw new TypeError(`Cannot write to the cache: wanted keys and values, got ${describe(entries)}`);
    }
    const pairs = new Map(Symbol.iterator in entries ? entries : Object.entries(entries));
    const tags = assertTags(options.tags, "write to the cache");
    const policy = policyOf(options, this.#policy);
    const keys = this.#keys(pairs.keys(), "write to the cache");
    const encoded = await Promise.all(
      keys.map((key) => this.#values.codec.encode(pairs.get(key), JSON.stringify(key))),
    );
    const stored = await Promise.all(
      keys.map((key, i) => this.#write(key, encoded[i]!, tags, policy, options.signal)),
    );
    return stored.every(Boolean);
  }

  /**
   * Reads a value; when there is none that is fresh, has it loaded by one caller for all, in all processes.
   *
   * A stale value (see `staleWhileRevalidate`) is served at once while one caller refreshes it in the background. An older one (see
   * `staleIfError`) is served when the loader fails.
   *
   * @typeParam T What the value is.
   * @param key The key.
   * @param loader Gets the value from where it really lives.
   * @param options How long, under which tags, with which schema.
   * @returns The value.
   * @throws {TypeError | RangeError} If an argument is not as it should be, or the loader's value cannot be stored or does not fit the
   * schema.
   * @throws What the loader throws, when there is nothing older to serve.
   */
  async getOrSet<T>(key: string, loader: Loader<T>, options: GetOrSetOptions<T> = {}): Promise<T> {
    const { schema, signal, tags, lease } = options;
    assertKey(key, this.#maxKeyBytes, "read from the cache");
    if (typeof loader !== "function") {
      throw new TypeError(
        `Cannot read ${JSON.stringify(key)} from the cache: wanted a function as the loader, got ${describe(loader)}`,
      );
    }
    assertSchema(schema);
    const request: LoadRequest<T> = {
      loader,
      policy: policyOf(options, this.#policy),
      tags: typeof tags === "function" ? tags : assertTags(tags, "read from the cache"),
      schema,
      lease: lease === undefined ? this.#lease : leaseOf(lease),
    };
    return await getOrSet(this.#host, key, request, signal);
  }

  /**
   * Whether there is a fresh value.
   *
   * @param key The key.
   * @param options A signal.
   * @returns Whether there is one; `false` when the store does not answer.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async has(key: string, options: OperationOptions = {}): Promise<boolean> {
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    return (await this.#read(key, options.signal))?.state === "fresh";
  }

  /**
   * How long a value will still be fresh.
   *
   * @param key The key.
   * @param options A signal.
   * @returns Seconds, `Infinity` = for ever; `undefined` if there is no fresh value or the store does not answer.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async ttl(key: string, options: OperationOptions = {}): Promise<number | undefined> {
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    const read = await this.#read(key, options.signal);
    return read?.state === "fresh" ? secondsLeft(read) : undefined;
  }

  /**
   * Makes a value fresh for a new time from now. How long it is stale or a fallback beyond that stays as it was.
   *
   * @param key The key.
   * @param ttl Seconds, or a string such as `"5m"`; 0 = for ever.
   * @param options A signal.
   * @returns Whether there was a value; `false` when the store does not answer.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  async touch(key: string, ttl: Duration, options: OperationOptions = {}): Promise<boolean> {
    assertKey(key, this.#maxKeyBytes, "touch in the cache");
    const fresh = ttlOf(ttl);
    return await this.#attempt("touch", key, this.#store.touch(key, fresh), options.signal) ?? false;
  }

  /**
   * Removes a value, and keeps loaders that are running from storing what they began to load before.
   *
   * @param key The key.
   * @param options A signal.
   * @returns How it ended. Once it is `done`, no process serves the old value again.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async invalidate(key: string, options: OperationOptions = {}): Promise<InvalidationResult> {
    return await this.invalidateMany([key], options);
  }

  /**
   * Removes several values in one round trip, as {@linkcode Cache.invalidate} does.
   *
   * @param keys The keys.
   * @param options A signal.
   * @returns How it ended.
   * @throws {TypeError | RangeError} If a key cannot be one; then nothing is removed.
   */
  async invalidateMany(keys: Iterable<string>, options: OperationOptions = {}): Promise<InvalidationResult> {
    const distinct = this.#keys(keys, "invalidate in the cache");
    if (distinct.length === 0) return { status: "done", removed: 0 };
    this.#loading.detach(distinct);
    return await this.#invalidated("key", distinct, this.#store.invalidateKeys(distinct), options.signal);
  }

  /**
   * Removes a value: the plain form of {@linkcode Cache.invalidate}.
   *
   * @param key The key.
   * @param options A signal.
   * @returns Whether there was a value; `false` also when the removal is queued.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async delete(key: string, options: OperationOptions = {}): Promise<boolean> {
    return ((await this.invalidate(key, options)).removed ?? 0) > 0;
  }

  /**
   * Invalidates all values with a tag, however many, at the same cost.
   *
   * @param tags One tag or several.
   * @param options Whether the values are gone (`hard`) or served once more while they are refreshed (`stale`).
   * @returns How it ended.
   * @throws {TypeError | RangeError} If a tag cannot be one.
   */
  async invalidateByTag(
    tags: string | readonly string[],
    options: InvalidateByTagOptions = {},
  ): Promise<InvalidationResult> {
    const { mode = "hard", signal } = options;
    if (mode !== "hard" && mode !== "stale") {
      throw new TypeError(`Cannot invalidate by tag: wanted "hard" or "stale" as the mode, got ${describe(mode)}`);
    }
    const list = typeof tags === "string" ? assertTags([tags], "invalidate by tag") : distinctTags(tags);
    if (list.length === 0) return { status: "done" };
    this.#loading.detach();
    return await this.#invalidated("tag", list, this.#store.invalidateTags(list, mode), signal);
  }

  /**
   * Removes all values whose key matches a pattern. They are invisible at once; giving back what they occupy takes a walk over the
   * keys in Redis, so prefer tags where you can.
   *
   * @param pattern A Redis glob: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\` before a character that stands for itself.
   * @param options Progress, a signal that stops the walk (the values stay invisible).
   * @returns How it ended, and how many values were removed.
   * @throws {TypeError | RangeError} If the pattern cannot be one.
   */
  async invalidateByPattern(
    pattern: string,
    options: InvalidateByPatternOptions = {},
  ): Promise<InvalidationResult> {
    const { onProgress, signal } = options;
    assertKey(pattern, this.#maxKeyBytes, "invalidate by pattern");
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw new TypeError(`Cannot invalidate by pattern: wanted a function to tell, got ${describe(onProgress)}`);
    }
    signal?.throwIfAborted();
    this.#loading.detach();
    const done = this.#store.invalidatePattern(pattern, { onProgress, signal });
    return await this.#invalidated("pattern", [pattern], done, signal);
  }

  /**
   * Invalidates everything, at the same cost however much there is.
   *
   * @param options A signal.
   * @returns How it ended.
   */
  async clear(options: OperationOptions = {}): Promise<InvalidationResult> {
    this.#loading.detach();
    return await this.#invalidated("clear", [], this.#store.clear(), options.signal);
  }

  /** What this cache has done since it was made. */
  stats(): CacheStats {
    return this.#stats.snapshot(this.#store.queued, this.#loading.size);
  }

  /** Tells loaders to stop and closes the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#loading.close();
    await this.#store[Symbol.asyncDispose]();
  }

  /** Reads, or resolves to `undefined` when the store fails. */
  #read(key: string, signal: AbortSignal | undefined): Promise<Read | undefined> {
    return this.#attempt("read", key, this.#store.read(key), signal);
  }

  #fresh<T>(
    key: string,
    read: Read | undefined,
    schema: StandardSchema<unknown, T> | undefined,
  ): Found<T> | Promise<Found<T>> {
    const found = read?.state === "fresh" ? this.#values.read(key, read.entry!, schema) : undefined;
    return found instanceof Promise ? found.then((found) => this.#counted(key, found)) : this.#counted(key, found);
  }

  #counted<T>(key: string, found: Found<T>): Found<T> {
    if (found) {
      this.#stats.hits++;
      this.#on?.({ type: "cache.hit", key, stale: false });
    } else {
      this.#stats.misses++;
      this.#on?.({ type: "cache.miss", key });
    }
    return found;
  }

  async #write(
    key: string,
    encoded: { payload: Uint8Array; flags: number },
    tags: readonly string[],
    policy: Policy,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    this.#loading.detach([key]);
    const written = this.#store.write(key, { ...encoded, ...lifetimeOf(policy), tags, loadTime: 0 });
    const stored = await this.#attempt("write", key, written, signal) ?? false;
    if (stored) this.#stats.sets++;
    return stored;
  }

  async #attempt<T>(
    operation: string,
    key: string,
    work: Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    try {
      return await (signal ? abortable(work, signal) : work);
    } catch (error) {
      if (signal?.aborted || !isStoreFailure(error)) throw error;
      this.#stats.errors++;
      this.#on?.({ type: "cache.error", operation, key, error });
    }
  }

  async #invalidated(
    by: "key" | "tag" | "pattern" | "clear",
    what: readonly string[],
    work: Promise<InvalidationResult>,
    signal: AbortSignal | undefined,
  ): Promise<InvalidationResult> {
    const result = await abortable(work, signal);
    this.#stats.invalidations++;
    this.#on?.({ type: "cache.invalidate", by, what, status: result.status });
    return result;
  }

  #keys(keys: Iterable<string>, action: string): string[] {
    if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
      throw new TypeError(`Cannot ${action}: wanted several keys, got ${describe(keys)}`);
    }
    const distinct = [...new Set(keys)];
    for (const key of distinct) assertKey(key, this.#maxKeyBytes, action);
    return distinct;
  }
}

function secondsLeft({ entry, now }: Read): number {
  return entry!.freshUntil >= NEVER ? Infinity : (entry!.freshUntil - now) / 1000;
}

function leaseOf(lease: Duration): number {
  return toMilliseconds(lease, "lease", { min: 10, max: LEASE_MOST });
}

function assertSchema(schema: unknown): void {
  if (schema !== undefined && !isStandardSchema(schema)) {
    throw new TypeError(`Cannot read from the cache: wanted a Standard Schema as the schema, got ${describe(schema)}`);
  }
}

/** Any number of tags, each as it should be. */
function distinctTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) {
    throw new TypeError(`Cannot invalidate by tag: wanted a tag or several, got ${describe(tags)}`);
  }
  const distinct = new Set<string>();
  for (const tag of tags as string[]) distinct.add(assertTags([tag], "invalidate by tag")[0]!);
  return [...distinct];
}
