import { unawaited } from "../util/callbacks.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import { compileGlob } from "../util/glob.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { RECENT_NAMESPACES, RecentNames } from "../util/recent_names.ts";
import { BoundedLru } from "./bounded_lru.ts";
import { integer } from "./codec.ts";
import { InvalidationReplica } from "./invalidations.ts";
import { entryAt, leaseAt, makeFresh, type MemoryEntry } from "./memory_entry.ts";
import { stateOf } from "./state.ts";
import type {
  CacheStore,
  Fence,
  InvalidationMode,
  Loaded,
  NewEntry,
  PatternOptions,
  Read,
  ReadOptions,
  StoreInvalidation,
  Watch,
} from "./store.ts";
import { KeyWaiters } from "./key_waiters.ts";

/** How much a memory store keeps. */
export interface MemoryStoreOptions {
  /** Most entries; the least recently used goes. @default {100_000} */
  maxEntries?: number;
  /** Most bytes of all entries together, about. @default {268_435_456} (256 MiB) */
  maxBytes?: number;
  /** The time in milliseconds. @default {Date.now} */
  now?: () => number;
}

const OPTIONS = optionNames<MemoryStoreOptions>({ maxEntries: true, maxBytes: true, now: true });

/** Rough cost of an entry beside its value, in bytes. */
const OVERHEAD = 182;

/**
 * Keeps entries in this process, with the same rules as Redis: leases, fences, one clock for writes and invalidations.
 * Bounded in entries and bytes.
 */
export class MemoryStore implements CacheStore {
  readonly kind = "memory" as const;
  readonly queued: number = 0;
  readonly #entries: BoundedLru<MemoryEntry>;
  readonly #known = new InvalidationReplica();
  readonly #now: () => number;
  readonly #waiters = new KeyWaiters();
  readonly #options: MemoryStoreOptions;
  readonly #others = new RecentNames<MemoryStore>(RECENT_NAMESPACES, ({ size }) => size > 0);
  #last = 0;
  #lastToken = 0;
  #closed: ClosedBy | undefined;

  /**
   * Creates a store.
   *
   * @param options How much it keeps.
   */
  constructor(options: MemoryStoreOptions = {}) {
    assertOptions(options, OPTIONS, "open the embedded store");
    const { maxEntries = 100_000, maxBytes = 256 * 2 ** 20, now = () => Date.now() } = options;
    this.#options = options;
    this.#now = now;
    this.#known.restart(1, 0, 0);
    this.#entries = new BoundedLru<MemoryEntry>({
      maxEntries: integer("maxEntries", maxEntries, 1),
      maxBytes: integer("maxBytes", maxBytes, 1),
      size: (entry, key) => OVERHEAD + key.length * 2 + entry.bytes,
    });
  }

  /** Number of entries kept, leases without a value among them. */
  get size(): number {
    return this.#entries.size;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async read(key: string, options: ReadOptions = {}): Promise<Read> {
    this.#assertOpen("read cache entry");
    const { lease = 0, unusable = 0, refresh = 0, steal = false } = options;
    const now = this.#now();
    const epoch = this.#known.epoch;
    let entry = this.#entries.get(key);
    const verdict = entry && !entry.placeholder ? this.#known.judge(key, entry) : "invalid";
    let state = entry ? stateOf(entry, now, verdict) : "none";
    if (entry && entry.asOf <= unusable) state = "none";
    if (entry && entry.asOf <= refresh && state === "fresh") state = "stale";
    let clock = Math.max(now * 1000, this.#last);
    let granted = 0;
    let held = 0;
    if (entry && entry.leaseToken !== 0 && entry.leaseUntil > now && !steal) held = entry.leaseToken;
    // A pause after a failure is for those who are served something meanwhile.
    if (held < 0 && state === "none") held = 0;
    if (lease > 0 && state !== "fresh" && held === 0) {
      clock = this.#tick(now);
      granted = ++this.#lastToken;
      const until = now + lease;
      if (entry && state !== "none") {
        entry.leaseToken = granted;
        entry.leaseUntil = until;
      } else {
        this.#entries.set(key, leaseAt(epoch, clock, granted, until));
        entry = undefined;
      }
    }
    const heldFor = held === 0 ? 0 : entry!.leaseUntil - now;
    return { epoch, clock, now, state, entry: state === "none" ? undefined : entry, lease: granted, held, heldFor };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean> {
    this.#assertOpen("write cache entry");
    const now = this.#now();
    const { epoch } = this.#known;
    if (fence) {
      if (this.#entries.peek(key)?.leaseToken !== fence.lease) return false;
      const verdict = this.#known.judge(key, { epoch: fence.epoch, asOf: fence.clock, tags: entry.tags });
      if (verdict !== "valid" && verdict !== "stale") {
        this.#release(key, fence.lease, 0);
        return false;
      }
    }
    this.#entries.set(key, entryAt(entry, epoch, fence ? fence.clock : this.#tick(now), now));
    this.#waiters.notify(key);
    return this.#entries.has(key);
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async release(key: string, lease: number, pause = 0): Promise<void> {
    this.#assertOpen("release lease");
    this.#release(key, lease, pause);
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async remove(key: string, lease: number): Promise<boolean> {
    this.#assertOpen("remove cache entry");
    if (this.#entries.peek(key)?.leaseToken !== lease) return false;
    this.#entries.delete(key);
    this.#waiters.notify(key);
    return true;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async extend(key: string, lease: number, milliseconds: number): Promise<boolean> {
    this.#assertOpen("extend lease");
    const entry = this.#entries.peek(key);
    if (entry?.leaseToken !== lease) return false;
    entry.leaseUntil = this.#now() + milliseconds;
    return true;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async touch(key: string, fresh: number): Promise<boolean> {
    this.#assertOpen("touch cache entry");
    const entry = this.#live(key);
    if (!entry || this.#known.judge(key, entry) === "stale") return false;
    makeFresh(entry, this.#now(), fresh);
    return true;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    this.#assertOpen("invalidate cache keys");
    let removed = 0;
    for (const key of keys) {
      if (this.#live(key)) removed++;
      this.#entries.delete(key);
      this.#waiters.notify(key);
    }
    return { status: "done", removed };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    this.#assertOpen("invalidate cache tags");
    const at = this.#tick(this.#now());
    for (const tag of tags) this.#known.addTag(tag, mode, at);
    return { status: "done" };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async invalidatePattern(glob: string, options: PatternOptions = {}): Promise<StoreInvalidation> {
    this.#assertOpen("invalidate cache pattern");
    const matches = compileGlob(glob);
    let removed = 0;
    for (const key of [...this.#entries.keys()]) {
      if (!matches(key)) continue;
      if (this.#live(key)) removed++;
      this.#entries.delete(key);
      this.#waiters.notify(key);
    }
    unawaited(options.onProgress?.(removed));
    return { status: "done", removed };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async clear(): Promise<StoreInvalidation> {
    this.#assertOpen("clear cache");
    this.#entries.clear();
    this.#known.restart(this.#known.epoch + 1, this.#tick(this.#now()), 0);
    this.#waiters.notifyAll();
    return { status: "done" };
  }

  isCurrent(loaded: Loaded): boolean {
    const { key, epoch, clock, tags } = loaded;
    const verdict = this.#known.judge(key, { epoch, asOf: clock, tags });
    return verdict === "valid" || verdict === "stale";
  }

  /** Waits for a change of a key. */
  watch(key: string): Watch {
    return this.#waiters.watch(key, () => true);
  }

  /** Nothing: entries are in this process already. */
  changes(): undefined {}

  /** Walks over the entries that match. */
  async *inspect(glob: string): AsyncGenerator<readonly [string, Read]> {
    this.#assertOpen("inspect cache");
    const matches = compileGlob(glob);
    for (const key of [...this.#entries.keys()]) {
      const entry = matches(key) ? this.#live(key) : undefined;
      if (!entry) continue;
      const now = this.#now();
      const state = stateOf(entry, now, this.#known.judge(key, entry));
      yield [key, { epoch: entry.epoch, clock: this.#last, now, state, entry, lease: 0, held: 0, heldFor: 0 }];
    }
  }

  /** A store with the same bounds, which shares no entries with this one. */
  beside(name: string): MemoryStore {
    return this.#others.get(name, () => new MemoryStore(this.#options));
  }

  /** Names the stores beside this one that hold something. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async namespaces(): Promise<string[]> {
    this.#assertOpen("look for namespaces");
    return [...this.#others].filter(([, { size }]) => size > 0).map(([name]) => name).sort();
  }

  /** Removes all entries. */
  async drop(options: PatternOptions = {}): Promise<StoreInvalidation> {
    const removed = this.#entries.size;
    const { status } = await this.clear();
    unawaited(options.onProgress?.(removed));
    return { status, removed };
  }

  /** Drops all entries; what comes later rejects. */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#entries.clear();
    this.#waiters.notifyAll();
    await Promise.all([...this.#others].map(([, other]) => other[Symbol.asyncDispose](by)));
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  /** Issues the next value of the clock, which never stands still or goes back whatever the time does. */
  #tick(now: number): number {
    return this.#last = Math.max(now * 1000, this.#last + 1);
  }

  #live(key: string): MemoryEntry | undefined {
    const entry = this.#entries.peek(key);
    if (!entry || entry.placeholder) return undefined;
    return stateOf(entry, this.#now(), this.#known.judge(key, entry)) === "none" ? undefined : entry;
  }

  #release(key: string, lease: number, pause: number): void {
    const entry = this.#entries.peek(key);
    if (entry?.leaseToken !== lease) return;
    if (entry.placeholder) {
      this.#entries.delete(key);
    } else {
      entry.leaseToken = pause > 0 ? -1 : 0;
      entry.leaseUntil = pause > 0 ? this.#now() + pause : 0;
    }
    this.#waiters.notify(key);
  }
}
