import { abortable } from "../util/abort.ts";
import { disposing } from "../util/disposing.ts";
import { assertKey, isName } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertSchema, NONE } from "./cache_arguments.ts";
import type { CacheCore } from "./cache_core.ts";
import { NEVER } from "./entry.ts";
import { Failures } from "./failures.ts";
import { GET, INSPECT, VERSIONED } from "./option_names.ts";
import type { GetOptions, Inspected, InspectOptions, Lookup, OperationOptions, VersionOptions } from "./options.ts";
import { inTurns } from "./pace.ts";
import type { ReadThrough } from "./read_through.ts";
import type { Read } from "./store.ts";
import { versionIn, versionOf } from "./version.ts";
import type { Wanted } from "./wanted.ts";

/** What a reader wants who says nothing. */
const ANYTHING: Wanted<never> = Object.freeze({ schema: undefined, signal: undefined, version: undefined });
const MISS: Lookup<never> = Object.freeze({ status: "miss", age: 0, ttl: 0, tags: Object.freeze([]) });

/** What `Cache` can do without changing anything: reads, and looks at what is there. */
export class CacheReads {
  readonly #core: CacheCore;
  // Asked for with each hit: one look fewer.
  readonly #reader: ReadThrough;
  readonly #maxKeyBytes: number;

  /** @internal */
  constructor(core: CacheCore) {
    this.#core = core;
    this.#reader = core.reader;
    this.#maxKeyBytes = core.maxKeyBytes;
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
    return this.#reader.get(key, wanted, this.#maxKeyBytes);
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
    const distinct = this.#core.keys(keys, "read from the cache");
    const find = (failures: Failures) => inTurns(distinct, (key) => this.#reader.find(key, wanted, failures));
    const found = await disposing(
      new Failures(this.#core.on),
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
    const read = await this.#reader.read(key, signal);
    const entry = read?.entry;
    const found = entry &&
      await abortable(Promise.resolve(this.#core.values.read(key, entry, schema, version)), signal);
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
    return await this.#core.fresh(key, options) !== undefined;
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
    const read = await this.#core.fresh(key, options);
    return read && secondsLeft(read);
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
    for await (const [key, read] of this.#core.store.inspect(pattern)) {
      signal?.throwIfAborted();
      if (!isName(key, this.#maxKeyBytes)) continue; // somebody else's, which nobody can read
      const entry = read.entry!;
      const found = values && await this.#core.values.read(key, entry, schema, versionIn(entry));
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
