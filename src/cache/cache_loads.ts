import { unawaited } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import { disposing } from "../util/disposing.ts";
import type { Duration } from "../util/duration.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertSchema, NONE } from "./cache_arguments.ts";
import type { CacheCore } from "./cache_core.ts";
import { CacheInvalidations } from "./cache_invalidations.ts";
import { Definition } from "./definition.ts";
import { Failures } from "./failures.ts";
import { loadMany, type ManyLoader } from "./load_many.ts";
import { type LoadRequest, onBehalfOf, siteOf } from "./load_request.ts";
import { DEFINE, loadOptionsOf, WRAP } from "./option_names.ts";
import type { DefinitionOptions, GetOrSetOptions, LoaderContext } from "./options.ts";
import type {
  SchemaDefinitionOptions,
  SchemaLoaderContext,
  SchemaLoadOptions,
  SchemaMakes,
  SchemaTakes,
} from "./schema_options.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { warm, type WarmEntry, type WarmOptions, type WarmResult } from "./warm.ts";

/** How `Cache` has values loaded. */
export class CacheLoads extends CacheInvalidations {
  readonly #core: CacheCore;

  /** @internal */
  constructor(core: CacheCore) {
    super(core);
    this.#core = core;
  }

  /**
   * Reads a value, or has it loaded, where a schema says what the value is: see below.
   *
   * @typeParam Schema The schema; what comes is what it makes of the value.
   * @typeParam Loaded What the loader gives: what the schema takes, or `unknown`, which the schema checks.
   * @param key The key.
   * @param loader Gets the value from where it really lives.
   * @param options The schema, how long, under which tags.
   * @returns The value; `undefined` if the loader gives that, which takes away what was kept.
   * @throws {TypeError | RangeError} If an argument is not as it should be, or the loader's value does not fit the
   * schema.
   * @throws {LoaderCycleError} If this is called within a loader that the loader of `key` waits for.
   * @throws What the loader throws, when there is nothing older to serve.
   */
  getOrSet<Schema extends StandardSchema, Loaded>(
    key: string,
    loader: (context: SchemaLoaderContext<Schema>) => Loaded | Promise<Loaded>,
    options: SchemaLoadOptions<Schema> & SchemaTakes<Schema, Loaded>,
  ): Promise<SchemaMakes<Schema, Loaded>>;
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
    options?: GetOrSetOptions<T> | Duration,
  ): Promise<T>;
  getOrSet<T>(
    key: string,
    loader: (context: LoaderContext<T>) => T | Promise<T>,
    options: GetOrSetOptions<T> | Duration = NONE,
  ): Promise<T> {
    let settings: GetOrSetOptions<T>;
    let request: LoadRequest<T>;
    try {
      settings = loadOptionsOf(options);
      request = this.#core.request(key, loader, settings);
    } catch (error) {
      return Promise.reject(error); // no async function: see get()
    }
    return this.#core.reader.getOrSet(key, request, settings.signal);
  }

  /**
   * Reads several values, or has them loaded, where a schema says what they are: see below.
   *
   * @typeParam Schema The schema; what comes is what it makes of the values.
   * @typeParam Loaded What the loader gives: what the schema takes, or `unknown`, which the schema checks.
   * @param keys The keys.
   * @param loader Given the keys that are missing; gives the values that there are, as a `Map` or an object.
   * @param options The schema, how long, under which tags, for each value.
   * @returns The values by key; keys for which the loader gave none are absent.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   * @throws {LoaderCycleError} As {@linkcode Cache.getOrSet} does.
   * @throws What the loader throws, when there is nothing older to serve.
   */
  getOrSetMany<Schema extends StandardSchema, Loaded>(
    keys: Iterable<string>,
    loader: ManyLoader<Loaded>,
    options: SchemaLoadOptions<Schema> & SchemaTakes<Schema, Loaded>,
  ): Promise<Map<string, SchemaMakes<Schema, Loaded>>>;
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
  getOrSetMany<T>(
    keys: Iterable<string>,
    loader: ManyLoader<T>,
    options?: GetOrSetOptions<T> | Duration,
  ): Promise<Map<string, T>>;
  async getOrSetMany<T>(
    keys: Iterable<string>,
    loader: ManyLoader<T>,
    options: GetOrSetOptions<T> | Duration = NONE,
  ): Promise<Map<string, T>> {
    const settings = loadOptionsOf(options);
    const distinct = this.#core.keys(keys, "read from the cache");
    if (typeof loader !== "function") {
      throw new TypeError(`Cannot read from the cache: wanted a function as the loader, got ${describe(loader)}`);
    }
    assertSchema(settings.schema);
    const site = siteOf(loader, settings);
    const sayAbsent = (key: string) => this.#core.reader.loading.oddities.absent(key, site);
    return await disposing(
      new Failures(this.#core.on),
      (failures) =>
        loadMany(distinct, loader, sayAbsent, (key, load, asked) => {
          const request = { ...this.#core.reader.request(load, settings), site, absent: true, asked, failures };
          return this.#core.reader.getOrSet(key, request, settings.signal);
        }),
    );
  }

  /**
   * Keeps together what belongs to one kind of value, where a schema says what the values are: see below.
   *
   * @typeParam Id What identifies one value.
   * @typeParam Schema The schema; what comes is what it makes of the values.
   * @typeParam Loaded What the loader gives: what the schema takes, or `unknown`, which the schema checks.
   * @param options The definition.
   * @returns Reads and invalidations by id.
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  define<Id, Schema extends StandardSchema, Loaded>(
    options: SchemaDefinitionOptions<Id, Schema, Loaded> & SchemaTakes<Schema, Loaded>,
  ): Definition<Id, SchemaMakes<Schema, Loaded>>;
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
  define<Id, Known, T extends Known = Known>(options: DefinitionOptions<Id, Known, T>): Definition<Id, T>;
  define<Id, T>(options: DefinitionOptions<Id, T>): Definition<Id, T> {
    assertOptions(options, DEFINE, "define a kind of value");
    const definition = new Definition(this, options);
    // Wrong options are told now, not at the first call.
    const { tags, schema } = options;
    assertSchema(schema);
    this.#core.reader.request(() => undefined as T, { ...options, tags: typeof tags === "function" ? [] : tags });
    return definition;
  }

  /**
   * Makes a function remember what it gave, where a schema says what that is: see below.
   *
   * @typeParam Args What the function takes.
   * @typeParam Schema The schema; what comes is what it makes of the values.
   * @typeParam Loaded What the function gives: what the schema takes, or `unknown`, which the schema checks.
   * @param fn The function.
   * @param options The schema, the key for given arguments, and how long, under which tags.
   * @returns A function that takes the same and always gives a promise. Its `this` is that of both functions.
   * @throws {TypeError | RangeError} If an argument is not as it should be.
   */
  wrap<Args extends unknown[], Schema extends StandardSchema, Loaded>(
    fn: (...args: Args) => Loaded | Promise<Loaded>,
    options: SchemaLoadOptions<Schema> & { key: NoInfer<(...args: Args) => string> } & SchemaTakes<Schema, Loaded>,
  ): (...args: Args) => Promise<SchemaMakes<Schema, Loaded>>;
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
    options: GetOrSetOptions<T> & { key: NoInfer<(...args: Args) => string> },
  ): (...args: Args) => Promise<T>;
  wrap<Args extends unknown[], T>(
    fn: (...args: Args) => T | Promise<T>,
    options: GetOrSetOptions<T> & { key: NoInfer<(...args: Args) => string> },
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
    this.#core.reader.request(() => undefined as T, rest); // wrong options are told now, not at the first call
    const getOrSet = (key: string, load: () => T | Promise<T>) => this.getOrSet<T>(key, load, rest);
    return async function (this: unknown, ...args: Args): Promise<T> {
      return await getOrSet(unawaited(key.apply(this, args)), () => fn.apply(this, args));
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
}
