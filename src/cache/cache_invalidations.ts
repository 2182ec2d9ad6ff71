import { describe } from "../util/describe.ts";
import { assertKey, assertTags } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertProgress, distinctTags } from "./cache_arguments.ts";
import type { CacheCore } from "./cache_core.ts";
import { CacheWrites } from "./cache_writes.ts";
import { BY_PATTERN, BY_TAG, OPERATION } from "./option_names.ts";
import type {
  InvalidateByPatternOptions,
  InvalidateByTagOptions,
  InvalidationResult,
  OperationOptions,
} from "./options.ts";

/** How `Cache` takes values away. */
export class CacheInvalidations extends CacheWrites {
  readonly #core: CacheCore;

  /** @internal */
  constructor(core: CacheCore) {
    super(core);
    this.#core = core;
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
    const distinct = this.#core.keys(keys, "invalidate in the cache");
    if (distinct.length === 0) return { status: "done", removed: 0 };
    options.signal?.throwIfAborted();
    this.#core.reader.loading.detach(distinct);
    return await this.#core.invalidated("key", distinct, this.#core.store.invalidateKeys(distinct), options.signal);
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
    this.#core.reader.loading.detach();
    return await this.#core.invalidated("tag", list, this.#core.store.invalidateTags(list, mode), signal);
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
    assertKey(pattern, this.#core.maxKeyBytes, "invalidate by pattern");
    assertProgress(onProgress, "invalidate by pattern");
    signal?.throwIfAborted();
    this.#core.reader.loading.detach();
    const done = this.#core.store.invalidatePattern(pattern, { onProgress, signal });
    return await this.#core.invalidated("pattern", [pattern], done, signal);
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
    this.#core.reader.loading.detach();
    return await this.#core.invalidated("clear", [], this.#core.store.clear(), options.signal);
  }
}
