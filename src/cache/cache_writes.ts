import { describe } from "../util/describe.ts";
import { disposing } from "../util/disposing.ts";
import type { Duration } from "../util/duration.ts";
import { assertKey, assertTags } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { isRecord } from "../util/record.ts";
import { NONE } from "./cache_arguments.ts";
import type { CacheCore } from "./cache_core.ts";
import type { Encoded } from "./codec.ts";
import { CacheReads } from "./cache_reads.ts";
import { Failures } from "./failures.ts";
import { OPERATION, setOptionsOf } from "./option_names.ts";
import type { OperationOptions, SetOptions } from "./options.ts";
import { type Policy, policyOf, ttlOf } from "./policy.ts";
import { setMany } from "./set_many.ts";
import { versionOf } from "./version.ts";

/** How `Cache` stores values, and makes them last. */
export class CacheWrites extends CacheReads {
  readonly #core: CacheCore;

  /** @internal */
  constructor(core: CacheCore) {
    super(core);
    this.#core = core;
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
  set(key: string, value: unknown, options: SetOptions | Duration = NONE): Promise<boolean> {
    try {
      const settings = setOptionsOf(options);
      assertKey(key, this.#core.maxKeyBytes, "write to the cache");
      const tags = assertTags(settings.tags, "write to the cache");
      const policy = policyOf(settings, this.#core.reader.policy);
      const { signal } = settings;
      const encoded = this.#core.values.encode(key, value, versionOf(settings.version));
      return encoded instanceof Promise
        ? this.#setLater(key, encoded, tags, policy, signal)
        : this.#core.write(this.#core.store, key, encoded, tags, policy, signal);
    } catch (error) {
      return Promise.reject(error); // no async function: one more promise is a few per cent of a write
    }
  }

  /** What is compressed takes time: what is called meanwhile comes behind it. */
  async #setLater(
    key: string,
    encoded: Promise<Encoded>,
    tags: readonly string[],
    policy: Policy,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const call = this.#core.store.begin([key], tags);
    let written: Promise<boolean>;
    try {
      const compressed = await encoded;
      await call.before;
      written = this.#core.write(call.store, key, compressed, tags, policy, signal);
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
    if (typeof entries !== "object" || entries === null || !(Symbol.iterator in entries || isRecord(entries))) {
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
    const policy = policyOf(settings, this.#core.reader.policy);
    this.#core.keys(pairs.keys(), "write to the cache");
    const version = versionOf(settings.version);
    const stored = await disposing(
      new Failures(this.#core.on),
      (failures) =>
        setMany(
          this.#core.store,
          pairs,
          tags,
          (key, value) => this.#core.values.encode(key, value, version),
          (store, key, encoded) => this.#core.write(store, key, encoded, tags, policy, settings.signal, failures),
        ),
    );
    return stored.every(Boolean);
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
    assertKey(key, this.#core.maxKeyBytes, "touch in the cache");
    const fresh = ttlOf(ttl);
    options.signal?.throwIfAborted();
    return await this.#core.reader.attempt("touch", key, this.#core.store.touch(key, fresh), options.signal) ?? false;
  }
}
