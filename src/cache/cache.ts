import { unawaited } from "../util/callbacks.ts";
import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import type { ClosedBy } from "../errors.ts";
import { type EventListener, type LarderEvent, safeListener } from "../observe/events.ts";
import { assertKey, assertNamespace, assertTags, isName, isNamespace, MAX_KEY_BYTES } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { Codec, integer } from "./codec.ts";
import { MAX_BYTES, NEVER } from "./entry.ts";
import { disposing } from "../util/disposing.ts";
import { Failures } from "./failures.ts";
import { DisabledStore } from "./disabled_store.ts";
import { Definition } from "./definition.ts";
import { setListener } from "./listener.ts";
import { type LoadRequest, onBehalfOf, siteOf } from "./load_request.ts";
import { loadMany, type ManyLoader } from "./load_many.ts";
import {
  BY_PATTERN,
  BY_TAG,
  CACHE,
  DEFINE,
  GET,
  INSPECT,
  loadOptionsOf,
  OPERATION,
  setOptionsOf,
  VERSIONED,
  WRAP,
} from "./option_names.ts";
import type {
  CacheOptions,
  DefinitionOptions,
  GetOptions,
  GetOrSetOptions,
  Inspected,
  InspectOptions,
  InvalidateByPatternOptions,
  InvalidateByTagOptions,
  InvalidationResult,
  Loader,
  LoaderContext,
  Lookup,
  OperationOptions,
  SetOptions,
  VersionOptions,
} from "./options.ts";
import { lifetimeOf, type Policy, policyOf, ttlOf } from "./policy.ts";
import { OrderedStore } from "./ordered_store.ts";
import { inTurns } from "./pace.ts";
import { ReadThrough, type Wanted } from "./read_through.ts";
import { setMany } from "./set_many.ts";
import { isStandardSchema } from "../values/standard_schema.ts";
import { type CacheStats, StatsCounter } from "./stats.ts";
import type { CacheStore, Read } from "./store.ts";
import { Values } from "./values.ts";
import { versionIn, versionOf } from "./version.ts";
import { currentRun } from "./waits.ts";
import { RECENT_NAMESPACES, RecentNames } from "../util/recent_names.ts";
import { assertStore } from "../util/assert_store.ts";
import { warm, type WarmEntry, type WarmOptions, type WarmResult } from "./warm.ts";

/** What no options are, which need no check. */
const NONE = Object.freeze({});
/** What a reader wants who says nothing. */
const ANYTHING: Wanted<never> = Object.freeze({ schema: undefined, signal: undefined, version: undefined });
const MISS: Lookup<never> = Object.freeze({ status: "miss", age: 0, ttl: 0, tags: Object.freeze([]) });

/**
 * A cache that never serves what was invalidated.
 *
 * Reads degrade when the store is away: they miss, loaders still run, writes resolve to `false`, invalidations are
 * queued. Values come back equal, `Date`, `Map`, `Set`, `BigInt`, `undefined`, `NaN` and typed arrays included, and
 * each caller gets its own.
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
  readonly #store: OrderedStore;
  readonly #on: EventListener | undefined;
  readonly #stats = new StatsCounter();
  readonly #values: Values;
  readonly #through: ReadThrough;
  readonly #options: CacheOptions;
  readonly #maxKeyBytes: number;
  readonly #maxBytes: number;
  /** This cache or the one that it is a namespace of, however deep, with all namespaces by their names from there. */
  #family: { readonly store: CacheStore; readonly caches: RecentNames<Cache> };
  /** The name from there. */
  #path = "";

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
    this.#on = safeListener(on);
    this.#store = new OrderedStore(enabled ? store : new DisabledStore(store), this.#on);
    this.#family = { store, caches: new RecentNames(RECENT_NAMESPACES) };
    this.#options = options;
    this.#maxKeyBytes = integer("maxKeyBytes", maxKeyBytes, 1);
    this.#maxBytes = maxBytes;
    setListener(this, this.#on);
    this.#values = new Values(new Codec({ serializer, compress, maxBytes }), this.#stats, this.#on);
    this.#through = new ReadThrough({
      store: this.#store,
      values: this.#values,
      stats: this.#stats,
      retryAfter: toMilliseconds(retryAfter, "retryAfter"),
      on: this.#on,
    }, options);
  }

  /** The most bytes of one encoded value. */
  get maxBytes(): number {
    return this.#maxBytes;
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
  get<T = unknown>(key: string, options: GetOptions<T> = NONE): Promise<T | undefined> {
    let wanted: Wanted<T>;
    try {
      wanted = wantedOf(options);
    } catch (error) {
      return Promise.reject(error); // no async function: one more promise is a few per cent of a hit
    }
    return this.#through.get(key, wanted, this.#maxKeyBytes);
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
    const wanted = wantedOf(options);
    const distinct = this.#keys(keys, "read from the cache");
    const find = (failures: Failures) => inTurns(distinct, (key) => this.#through.find(key, wanted, failures));
    const found = await disposing(
      new Failures(this.#on),
      async (failures) => await Promise.all(await find(failures)),
    );
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
    assertOptions(options, GET, "look up in the cache");
    const { schema, signal } = options;
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    assertSchema(schema);
    const version = versionOf(options.version);
    const read = await this.#through.read(key, signal);
    const entry = read?.entry;
    const found = entry && await abortable(Promise.resolve(this.#values.read(key, entry, schema, version)), signal);
    if (!entry || !found) return MISS;
    const fresh = read.state === "fresh";
    return {
      status: fresh ? "hit" : "stale",
      value: found.value,
      age: Math.max(0, read.now - entry.asOf / 1000) / 1000,
      ttl: fresh ? secondsLeft(read) : 0,
      tags: entry.tags.filter((tag) => isName(tag)),
    };
  }

  /**
   * Stores a value. It beats loaders that began before.
   *
   * @param key The key.
   * @param value Anything but functions, symbols and instances of classes that Larder does not know.
   * @param options How long, and under which tags; or how long alone, as in `300` or `"5m"`.
   * @returns Whether it was stored. If not, what was there before is not served either.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  async set(key: string, value: unknown, options: SetOptions | Duration = NONE): Promise<boolean> {
    const settings = setOptionsOf(options);
    assertKey(key, this.#maxKeyBytes, "write to the cache");
    const tags = assertTags(settings.tags, "write to the cache");
    const policy = policyOf(settings, this.#through.policy);
    const { signal } = settings;
    const encoded = this.#values.encode(key, value, versionOf(settings.version));
    if (!(encoded instanceof Promise)) return await this.#write(this.#store, key, encoded, tags, policy, signal);
    // What is compressed takes time: what is called meanwhile comes behind it.
    const call = this.#store.begin([key], tags);
    let written: Promise<boolean>;
    try {
      const compressed = await encoded;
      await call.before;
      written = this.#write(call.store, key, compressed, tags, policy, signal);
    } finally {
      call.end();
    }
    return await written;
  }

  /**
   * Stores several values in one round trip.
   *
   * @param entries Keys and values: a `Map`, an array of pairs, or an object.
   * @param options How long, and under which tags; or how long alone. The same for all.
   * @returns Whether all were stored.
   * @throws {TypeError | RangeError} If an argument is not as it should be; then nothing is stored.
   */
  async setMany(
    entries: Iterable<readonly [string, unknown]> | Readonly<Record<string, unknown>>,
    options: SetOptions | Duration = NONE,
  ): Promise<boolean> {
    const settings = setOptionsOf(options);
    if (typeof entries !== "object" || entries === null) {
      throw new TypeError(`Cannot write to the cache: wanted keys and values, got ${describe(entries)}`);
    }
    const pairs = new Map<string, unknown>();
    for (const pair of Symbol.iterator in entries ? entries : Object.entries(entries)) {
      if (!Array.isArray(pair)) {
        throw new TypeError(`Cannot write to the cache: wanted pairs of key and value, got ${describe(pair)}`);
      }
      pairs.set(pair[0], pair[1]);
    }
    const tags = assertTags(settings.tags, "write to the cache");
    const policy = policyOf(settings, this.#through.policy);
    this.#keys(pairs.keys(), "write to the cache");
    const version = versionOf(settings.version);
    const stored = await disposing(
      new Failures(this.#on),
      (failures) =>
        setMany(
          this.#store,
          pairs,
          tags,
          (key, value) => this.#values.encode(key, value, version),
          (store, key, encoded) => this.#write(store, key, encoded, tags, policy, settings.signal, failures),
        ),
    );
    return stored.every(Boolean);
  }

  /**
   * Reads a value; when there is none that is fresh, has it loaded by one caller for all, in all processes.
   *
   * A stale value (see `staleWhileRevalidate`) is served at once while one caller refreshes it in the background. An
   * older one (see `staleIfError`) is served when the loader fails.
   *
   * @typeParam Known What the value is. Where it is not said, it is what the loader gives, and the loader knows nothing
   * of the type of the previous value.
   * @typeParam T What the loader gives.
   * @param key The key.
   * @param loader Gets the value from where it really lives.
   * @param options How long, under which tags, with which schema; or how long alone, as in `300` or `"5m"`.
   * @returns The value; `undefined` if the loader gives that, which takes away what was kept.
   * @throws {TypeError | RangeError} If an argument is not as it should be, or the loader's value does not fit the
   * schema.
   * @throws {LoaderCycleError} If this is called within a loader that the loader of `key` waits for.
   * @throws What the loader throws, when there is nothing older to serve.
   */
  getOrSet<Known, T extends Known = Known>(
    key: string,
    loader: (context: LoaderContext<Known>) => T | Promise<T>,
    options: GetOrSetOptions<T> | Duration = NONE,
  ): Promise<T> {
    let settings: GetOrSetOptions<T>;
    let request: LoadRequest<T>;
    try {
      settings = loadOptionsOf(options);
      request = this.#request(key, loader, settings);
    } catch (error) {
      return Promise.reject(error); // no async function: see get()
    }
    return this.#through.getOrSet(key, request, settings.signal);
  }

  /**
   * Reads several values; those that are missing are loaded together, by one call of the loader for all that no other
   * caller is loading already. What is stale is refreshed in the background, and all else holds for each value as in
   * {@linkcode Cache.getOrSet}.
   *
   * @typeParam T What the values are.
   * @param keys The keys.
   * @param loader Given the keys that are missing; gives the values that there are, as a `Map` or an object.
   * @param options How long, under which tags, with which schema, for each value; or how long alone.
   * @returns The values by key; keys for which the loader gave none are absent, and what was kept under them is taken
   * away.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   * @throws {LoaderCycleError} As {@linkcode Cache.getOrSet} does.
   * @throws What the loader throws, when there is nothing older to serve.
   */
  async getOrSetMany<T>(
    keys: Iterable<string>,
    loader: ManyLoader<T>,
    options: GetOrSetOptions<T> | Duration = NONE,
  ): Promise<Map<string, T>> {
    const settings = loadOptionsOf(options);
    const distinct = this.#keys(keys, "read from the cache");
    if (typeof loader !== "function") {
      throw new TypeError(`Cannot read from the cache: wanted a function as the loader, got ${describe(loader)}`);
    }
    assertSchema(settings.schema);
    const site = siteOf(loader, settings);
    const sayAbsent = (key: string) => this.#through.loading.sayAbsent(key, site);
    return await disposing(
      new Failures(this.#on),
      (failures) =>
        loadMany(distinct, loader, sayAbsent, (key, load, asked) => {
          const request = { ...this.#through.request(load, settings), site, absent: true, asked, failures };
          return this.#through.getOrSet(key, request, settings.signal);
        }),
    );
  }

  /**
   * Keeps together what belongs to one kind of value: its key, loader, lifetime, tags and schema.
   *
   * Every entry also gets the name as a tag.
   *
   * @typeParam Id What identifies one value.
   * @typeParam T What the value is.
   * @param options The definition.
   * @returns Reads and invalidations by id.
   * @throws {TypeError | RangeError} If an option is not as it should be.
   *
   * @example A user by id
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const users = redis.cache.define({
   *   name: "user",
   *   key: (id: number) => id,
   *   load: (id) => ({ id, name: `User ${id}` }),
   *   ttl: "5m",
   * });
   * assert.equal((await users.get(7)).name, "User 7");
   * await users.invalidate(7);
   * ```
   */
  define<Id, Known, T extends Known = Known>(options: DefinitionOptions<Id, Known, T>): Definition<Id, T> {
    assertOptions(options, DEFINE, "define a kind of value");
    const definition = new Definition(this, options as unknown as DefinitionOptions<Id, T>);
    // Wrong options are told now, not at the first call.
    const { tags, schema } = options;
    assertSchema(schema);
    this.#through.request(() => undefined as T, { ...options, tags: typeof tags === "function" ? [] : tags });
    return definition;
  }

  /**
   * Makes a function remember what it gave.
   *
   * @typeParam Args What the function takes.
   * @typeParam T What it gives.
   * @param fn The function.
   * @param options The key for given arguments, and how long, under which tags.
   * @returns A function that takes the same and always gives a promise. Its `this` is that of both functions.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  wrap<Args extends unknown[], T>(
    fn: (...args: Args) => T | Promise<T>,
    options: GetOrSetOptions<T> & { key: (...args: Args) => string },
  ): (...args: Args) => Promise<T> {
    const { key, ...given } = options ?? {};
    const rest = onBehalfOf(given, given);
    for (const [name, value] of Object.entries({ function: fn, key })) {
      if (typeof value !== "function") {
        throw new TypeError(`Cannot wrap: wanted a function as the ${name}, got ${describe(value)}`);
      }
    }
    assertOptions(options, WRAP, "wrap");
    assertSchema(rest.schema);
    this.#through.request(() => undefined as T, rest); // wrong options are told now, not at the first call
    const getOrSet: Cache["getOrSet"] = this.getOrSet.bind(this);
    return async function (this: unknown, ...args: Args): Promise<T> {
      return await getOrSet(unawaited(key.apply(this, args)), () => fn.apply(this, args), rest);
    };
  }

  /**
   * Fills the cache ahead of time.
   *
   * @param entries What to store; read one by one as there is room, so that they may come from a stream.
   * @param options How many at a time, progress, a signal.
   * @returns How many were stored and how many were not.
   * @throws {TypeError | RangeError} If an entry is not as it should be; those before it are stored.
   */
  async warm(entries: Iterable<WarmEntry> | AsyncIterable<WarmEntry>, options: WarmOptions = {}): Promise<WarmResult> {
    return await warm(this, entries, options);
  }

  /**
   * Walks over what is in the cache, for people who look after it: it reads all that it shows.
   *
   * @typeParam T What the values are.
   * @param pattern A Redis glob; see {@linkcode escapeGlob} for one made of an id.
   * @param options Whether the values are shown too, a schema for them, a signal.
   * @returns The entries that can be served, each with its age, remaining freshness, tags and size.
   * @throws {TypeError | RangeError} If the pattern cannot be one.
   */
  async *inspect<T = unknown>(pattern: string = "*", options: InspectOptions<T> = {}): AsyncGenerator<Inspected<T>> {
    assertOptions(options, INSPECT, "inspect the cache");
    assertKey(pattern, this.#maxKeyBytes, "inspect the cache");
    const { values = false, schema, signal } = options;
    assertSchema(schema);
    signal?.throwIfAborted();
    for await (const [key, read] of this.#store.inspect(pattern)) {
      signal?.throwIfAborted();
      if (!isName(key, this.#maxKeyBytes)) continue; // somebody else's, which nobody can read
      const entry = read.entry!;
      const found = values && await this.#values.read(key, entry, schema, versionIn(entry));
      yield {
        key,
        age: Math.max(0, read.now - entry.asOf / 1000) / 1000,
        ttl: read.state === "fresh" ? secondsLeft(read) : 0,
        tags: entry.tags.filter((tag) => isName(tag)),
        bytes: entry.bytes,
        ...(found && { value: found.value }),
      };
    }
  }

  /**
   * A cache beside this one in the same Redis: own keys, own tags, own `clear()`, the same options. It may have
   * namespaces of its own: `namespace("a").namespace("b")` is `namespace("a.b")`.
   *
   * @param name Its name, as in `"v2"`: letters, digits, `.`, `_` or `-`.
   * @returns The cache; the same one for the same name, as long as somebody holds it, or of the 1,000 that were asked
   * for last. Disposed of with this one.
   * @throws {TypeError | RangeError} If the name cannot be one.
   *
   * @example Move to a new shape of values without a cold start
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * await redis.cache.set("user:1", { name: "Ada Lovelace" });
   *
   * const v2 = redis.cache.namespace("v2");
   * const user = await v2.getOrSet("user:1", async () => {
   *   const old = await redis.cache.get<{ name: string }>("user:1");
   *   const name = old?.name ?? "from the database";
   *   return { first: name.split(" ")[0], last: name.split(" ")[1] };
   * });
   * assert.deepEqual(user, { first: "Ada", last: "Lovelace" });
   * ```
   */
  namespace(name: string): Cache {
    assertName(name, "use the cache");
    const path = this.#pathOf(name);
    const { store, caches } = this.#family;
    return caches.get(path, () => {
      const cache = new Cache(store.beside(path), this.#options, this.#on);
      cache.#family = this.#family;
      cache.#path = path;
      return cache;
    });
  }

  /**
   * Lists the namespaces below this cache that hold something, whichever process made them, by a walk over the keys in
   * Redis.
   *
   * @param options A signal.
   * @returns Their names as {@linkcode Cache.namespace} takes them, sorted. Those further below are named as in
   * `"a.b"`.
   * @throws {UnavailableError} If the store does not answer.
   */
  async namespaces(options: OperationOptions = {}): Promise<string[]> {
    assertOptions(options, OPERATION, "look for namespaces");
    options.signal?.throwIfAborted();
    const all = await abortable(this.#family.store.namespaces(), options.signal);
    const start = this.#pathOf("");
    // What cannot be a name, somebody else has put there.
    const ours = all.filter((name) => name.startsWith(start) && isNamespace(name) && !hasEmptyPart(name));
    return ours.map((name) => name.slice(start.length));
  }

  /**
   * Removes a namespace with all that it left in Redis. Its values are invisible at once, for every process; then its
   * keys are removed a few at a time, so that Redis stays free for others. Namespaces below it, as `"a.b"` below `"a"`,
   * stay. It may be used again.
   *
   * @param name Its name.
   * @param options Progress, a signal that stops the removal (the values stay invisible).
   * @returns How it ended, and how many keys were removed. Where Redis is away, `"queued"`: the values are hidden as
   * soon as it is back, and their keys expire.
   * @throws {TypeError | RangeError} If the name cannot be one, or an option is not as it should be.
   * @throws {UnavailableError} If Redis goes away in between; call it again.
   */
  async drop(name: string, options: InvalidateByPatternOptions = {}): Promise<InvalidationResult> {
    assertName(name, "drop from the cache");
    assertOptions(options, BY_PATTERN, "drop from the cache");
    const { onProgress, signal } = options;
    assertProgress(onProgress, "drop from the cache");
    signal?.throwIfAborted();
    const path = this.#pathOf(name);
    const { store, caches } = this.#family;
    const known = caches.peek(path);
    if (known) known.#through.loading.detach();
    return await this.#invalidated(
      "clear",
      [name],
      (known ? known.#store : store.beside(path)).drop({ onProgress, signal }),
      signal,
    );
  }

  /**
   * Whether there is a fresh value.
   *
   * @param key The key.
   * @param options A signal, a version.
   * @returns Whether there is one; `false` when the store does not answer.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async has(key: string, options: OperationOptions & VersionOptions = {}): Promise<boolean> {
    assertOptions(options, VERSIONED, "look up in the cache");
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    return await this.#fresh(key, options) !== undefined;
  }

  /**
   * How long a value will still be fresh.
   *
   * @param key The key.
   * @param options A signal, a version.
   * @returns Seconds, `Infinity` = for ever; `undefined` if there is no fresh value or the store does not answer.
   * @throws {TypeError | RangeError} If the key cannot be one.
   */
  async ttl(key: string, options: OperationOptions & VersionOptions = {}): Promise<number | undefined> {
    assertOptions(options, VERSIONED, "look up in the cache");
    assertKey(key, this.#maxKeyBytes, "look up in the cache");
    const read = await this.#fresh(key, options);
    return read && secondsLeft(read);
  }

  /**
   * Makes a value fresh for a new time from now. How long it is stale or a fallback beyond that stays as it was.
   *
   * @param key The key.
   * @param ttl Seconds, or a string such as `"5m"`; 0 = for ever.
   * @param options A signal.
   * @returns Whether it is fresh now; `false` when there is no value, when its tags were invalidated as stale, or when
   * the store does not answer.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  async touch(key: string, ttl: Duration, options: OperationOptions = {}): Promise<boolean> {
    assertOptions(options, OPERATION, "touch in the cache");
    assertKey(key, this.#maxKeyBytes, "touch in the cache");
    const fresh = ttlOf(ttl);
    options.signal?.throwIfAborted();
    return await this.#through.attempt("touch", key, this.#store.touch(key, fresh), options.signal) ?? false;
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
    assertOptions(options, OPERATION, "invalidate in the cache");
    const distinct = this.#keys(keys, "invalidate in the cache");
    if (distinct.length === 0) return { status: "done", removed: 0 };
    options.signal?.throwIfAborted();
    this.#through.loading.detach(distinct);
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
    assertOptions(options, BY_TAG, "invalidate by tag");
    const { mode = "hard", signal } = options;
    if (mode !== "hard" && mode !== "stale") {
      throw new TypeError(`Cannot invalidate by tag: wanted "hard" or "stale" as the mode, got ${describe(mode)}`);
    }
    const list = typeof tags === "string" ? assertTags([tags], "invalidate by tag") : distinctTags(tags);
    if (list.length === 0) return { status: "done" };
    signal?.throwIfAborted();
    this.#through.loading.detach();
    return await this.#invalidated("tag", list, this.#store.invalidateTags(list, mode), signal);
  }

  /**
   * Removes all values whose key matches a pattern. They are invisible at once; giving back what they occupy takes a
   * walk over the keys in Redis, so prefer tags where you can.
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
    assertOptions(options, BY_PATTERN, "invalidate by pattern");
    const { onProgress, signal } = options;
    assertKey(pattern, this.#maxKeyBytes, "invalidate by pattern");
    assertProgress(onProgress, "invalidate by pattern");
    signal?.throwIfAborted();
    this.#through.loading.detach();
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
    assertOptions(options, OPERATION, "clear the cache");
    options.signal?.throwIfAborted();
    this.#through.loading.detach();
    return await this.#invalidated("clear", [], this.#store.clear(), options.signal);
  }

  /** What this cache has done since it was made. */
  stats(): CacheStats {
    return this.#stats.snapshot(this.#store.queued, this.#through.loading.size);
  }

  /**
   * Tells loaders to stop and closes the store.
   *
   * @param by What closes it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    const start = this.#pathOf("");
    const below = [...this.#family.caches].filter(([path]) => path.startsWith(start)).map(([, cache]) => cache);
    const closing = [this, ...below];
    // Loaders say what they have to before the stores are closed.
    const stopped = closing.map((cache) => cache.#through.loading.close(by));
    await Promise.all(closing.map((cache) => cache.#store[Symbol.asyncDispose](by)));
    await Promise.all(stopped);
  }

  #request<Known, T extends Known>(
    key: string,
    loader: (context: LoaderContext<Known>) => T | Promise<T>,
    options: GetOrSetOptions<T>,
  ): LoadRequest<T> {
    assertKey(key, this.#maxKeyBytes, "read from the cache");
    if (typeof loader !== "function") {
      throw new TypeError(
        `Cannot read ${JSON.stringify(key)} from the cache: wanted a function as the loader, got ${describe(loader)}`,
      );
    }
    assertSchema(options.schema);
    // What is known of the previous value is what a loader gave.
    return this.#through.request(loader as unknown as Loader<T>, options);
  }

  /** The name of a namespace as the whole family knows it. */
  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  /** The entry of a key, if it is fresh and of the version that is wanted. */
  async #fresh(key: string, options: OperationOptions & VersionOptions): Promise<Read | undefined> {
    const version = versionOf(options.version);
    const read = await this.#through.read(key, options.signal);
    return read?.state === "fresh" && versionIn(read.entry!) === version ? read : undefined;
  }

  #write(
    store: CacheStore,
    key: string,
    encoded: { payload: Uint8Array; flags: number },
    tags: readonly string[],
    policy: Policy,
    signal: AbortSignal | undefined,
    failures?: Failures,
  ): Promise<boolean> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#through.loading.detach([key]);
    const { payload, flags } = encoded;
    const { fresh, stale, error } = lifetimeOf(policy);
    const written = store.write(key, { payload, flags, fresh, stale, error, tags, loadTime: 0 });
    return this.#through.attempt("write", key, written, signal, failures).then((stored = false) => {
      if (stored) this.#stats.sets++;
      return stored;
    });
  }

  async #invalidated(
    by: "key" | "tag" | "pattern" | "clear",
    what: readonly string[],
    work: Promise<InvalidationResult>,
    signal: AbortSignal | undefined,
  ): Promise<InvalidationResult> {
    const run = currentRun();
    if (run && by === "tag") run.invalidates(what);
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

/**
 * What a reader wants.
 *
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
function wantedOf<T>(options: GetOptions<T>): Wanted<T> {
  if (options === NONE) return ANYTHING;
  assertOptions(options, GET, "read from the cache");
  const { schema, signal } = options;
  assertSchema(schema);
  return { schema, signal, version: versionOf(options.version) };
}

function hasEmptyPart(name: string): boolean {
  return name.split(".").includes("");
}

/** A namespace of which each part between dots is one. */
function assertName(name: unknown, action: string): void {
  assertNamespace(name, action);
  if (!hasEmptyPart(name)) return;
  throw new TypeError(
    `Cannot ${action}: wanted a namespace without empty parts between its dots, got ${describe(name)}`,
  );
}

function assertProgress(onProgress: unknown, action: string): void {
  if (onProgress === undefined || typeof onProgress === "function") return;
  throw new TypeError(`Cannot ${action}: wanted a function to tell, got ${describe(onProgress)}`);
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
