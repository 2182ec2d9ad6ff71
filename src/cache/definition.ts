import { unawaited } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import { assertTag, assertTags } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import type { CacheOperations } from "./operations.ts";
import { LOAD_CALL, OPERATION } from "./option_names.ts";
import { onBehalfOf } from "./load_request.ts";
import type {
  DefinitionOptions,
  GetOrSetOptions,
  InvalidationResult,
  LoadCallOptions,
  Lookup,
  OperationOptions,
  SetOptions,
} from "./options.ts";

/** The values of one kind in a cache. Made by `cache.define()`. */
export class Definition<Id, T> {
  /** The name. */
  readonly name: string;
  readonly #cache: CacheOperations;
  readonly #options: DefinitionOptions<Id, T>;

  /**
   * Creates a definition.
   *
   * @param cache Where the values are kept.
   * @param options The definition.
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(cache: CacheOperations, options: DefinitionOptions<Id, T>) {
    const { name, key, load, loadMany } = options ?? {};
    if (typeof name !== "string") {
      throw new TypeError(`Cannot define a kind of value: wanted a string as "name", got ${describe(name)}`);
    }
    assertTag(name, "define a kind of value");
    const functions = { key, load, ...(loadMany !== undefined && { loadMany }) };
    for (const [option, value] of Object.entries(functions)) {
      if (typeof value !== "function") {
        throw new TypeError(`Cannot define "${name}": wanted a function as "${option}", got ${describe(value)}`);
      }
    }
    this.name = name;
    this.#cache = cache;
    this.#options = options;
  }

  /**
   * The key under which a value is kept.
   *
   * @throws {TypeError} If `key` gives anything but text or a number: ids that look alike would share a value.
   */
  keyOf(id: Id): string {
    const key: unknown = unawaited(this.#options.key(id));
    const plain = typeof key === "string" ? key !== "" : typeof key === "bigint" || Number.isFinite(key);
    if (!plain) {
      throw new TypeError(`Cannot use the key of a "${this.name}": wanted text or a number, got ${describe(key)}`);
    }
    return `${this.name}:${key}`;
  }

  /** Reads a value, or has it loaded. See {@linkcode Cache.getOrSet}. */
  async get(id: Id, options: LoadCallOptions = {}): Promise<T> {
    assertOptions(options, LOAD_CALL, "read from the cache");
    const { load } = this.#options;
    return await this.#cache.getOrSet<T>(
      this.keyOf(id),
      (context) => load(id, context),
      this.#getOptions(() => id, options),
    );
  }

  /** Reads several values, or has them loaded together. Ids for which there is none are absent. */
  async getMany(ids: Iterable<Id>, options: LoadCallOptions = {}): Promise<Map<Id, T>> {
    assertOptions(options, LOAD_CALL, "read from the cache");
    const { loadMany } = this.#options;
    const keys = new Map<Id, string>();
    const byKey = new Map<string, Id>();
    for (const id of ids) {
      const key = this.keyOf(id);
      keys.set(id, key);
      byKey.set(key, id);
    }
    let found = new Map<string, T>();
    if (!loadMany) {
      await Promise.all([...byKey].map(async ([key, id]) => {
        const value = await this.get(id, options);
        if (value !== undefined) found.set(key, value);
      }));
    } else {
      found = await this.#cache.getOrSetMany<T>(byKey.keys(), async (missing) => {
        const loaded = await loadMany(missing.map((key) => byKey.get(key)!));
        return new Map([...loaded].map(([id, value]) => [this.keyOf(id), value]));
      }, this.#getOptions((key) => byKey.get(key)!, options));
    }
    const values = new Map<Id, T>();
    for (const [id, key] of keys) if (found.has(key)) values.set(id, found.get(key)!);
    return values;
  }

  /** How a value stands, without loading it. */
  async lookup(id: Id, options: OperationOptions = {}): Promise<Lookup<T>> {
    assertOptions(options, OPERATION, "look up in the cache");
    const { schema, version } = this.#options;
    return await this.#cache.lookup<T>(this.keyOf(id), { ...options, schema, version });
  }

  /** Stores a value that is known already. */
  async set(id: Id, value: T, options: OperationOptions = {}): Promise<boolean> {
    assertOptions(options, OPERATION, "write to the cache");
    const { ttl, staleWhileRevalidate, staleIfError, jitter, version } = this.#options;
    const { tags } = this.#getOptions(() => id, options);
    const settings: SetOptions = {
      ...options,
      ttl: typeof ttl === "function" ? unawaited(ttl(value)) : ttl,
      staleWhileRevalidate,
      staleIfError,
      jitter,
      version,
      tags: typeof tags === "function" ? tags(value, this.keyOf(id)) : tags,
    };
    return await this.#cache.set(this.keyOf(id), value, settings);
  }

  /** Removes a value. */
  async invalidate(id: Id, options: OperationOptions = {}): Promise<InvalidationResult> {
    return await this.#cache.invalidate(this.keyOf(id), options);
  }

  /** Removes all values of this kind. */
  async invalidateAll(options: OperationOptions = {}): Promise<InvalidationResult> {
    assertOptions(options, OPERATION, "invalidate in the cache");
    return await this.#cache.invalidateByTag(this.name, options);
  }

  #getOptions(idOf: (key: string) => Id, options: LoadCallOptions): GetOrSetOptions<T> {
    const { name: _name, key: _key, load: _load, loadMany: _loadMany, tags, ...rest } = this.#options;
    return onBehalfOf(this, {
      ...rest,
      ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
      tags: typeof tags === "function"
        ? (value: T, key: string) => [this.name, ...assertTags(tags(value, idOf(key)))]
        : [this.name, ...(tags ?? [])],
    });
  }
}
