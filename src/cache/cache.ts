import { abortable } from "../util/abort.ts";
import type { ClosedBy } from "../errors.ts";
import type { LarderEvent } from "../observe/events.ts";
import { isNamespace } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { RECENT_NAMESPACES, RecentNames } from "../util/recent_names.ts";
import { assertName, assertProgress, hasEmptyPart } from "./cache_arguments.ts";
import { CacheCore } from "./cache_core.ts";
import { CacheLoads } from "./cache_loads.ts";
import { setListener } from "./listener.ts";
import { BY_PATTERN, OPERATION } from "./option_names.ts";
import type { CacheOptions, InvalidateByPatternOptions, InvalidationResult, OperationOptions } from "./options.ts";
import type { CacheStats } from "./stats.ts";
import type { CacheStore } from "./store.ts";

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
export class Cache extends CacheLoads implements AsyncDisposable {
  readonly #core: CacheCore;
  readonly #options: CacheOptions;
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
    const core = new CacheCore(store, options, on);
    super(core);
    this.#core = core;
    this.#options = options;
    this.#family = { store, caches: new RecentNames(RECENT_NAMESPACES) };
    setListener(this, core.on);
  }

  /** The most bytes of one encoded value. */
  get maxBytes(): number {
    return this.#core.maxBytes;
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
      const cache = new Cache(store.beside(path), this.#options, this.#core.on);
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
    if (known) known.#core.reader.loading.detach();
    return await this.#core.invalidated(
      "clear",
      [name],
      (known ? known.#core.store : store.beside(path)).drop({ onProgress, signal }),
      signal,
    );
  }

  /** What this cache has done since it was made. */
  stats(): CacheStats {
    return this.#core.stats.snapshot(this.#core.store.queued, this.#core.reader.loading.size);
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
    const stopped = closing.map((cache) => cache.#core.reader.loading.close(by));
    await Promise.all(closing.map((cache) => cache.#core.store[Symbol.asyncDispose](by)));
    await Promise.all(stopped);
  }

  /** The name of a namespace as the whole family knows it. */
  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }
}
