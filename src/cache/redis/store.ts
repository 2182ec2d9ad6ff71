import { RecentNames } from "../../util/recent_names.ts";
import { unawaited } from "../../util/callbacks.ts";
import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import { Deadline } from "../../redis/deadline.ts";
import { isPassing, isRefusal } from "../../redis/refusals.ts";
import { InvalidationQueue } from "./invalidation_queue.ts";
import { Invalidator } from "./invalidator.ts";
import { findNamespaces } from "./namespaces.ts";
import { PatternSweeper } from "./pattern_sweeper.ts";
import { ChangeFeed } from "./change_feed.ts";
import { longestEntry, MAX_BYTES } from "../entry.ts";
import type { RedisSlot } from "./slot.ts";
import { Slots } from "./slots.ts";
import { RefusedWriteError } from "./writer.ts";
import type {
  CacheStore,
  ChangeListener,
  Changes,
  Fence,
  InvalidationMode,
  Loaded,
  NewEntry,
  PatternOptions,
  Read,
  ReadOptions,
  StoreInvalidation,
  Watch,
} from "../store.ts";

/** How a Redis store works. */
export interface RedisStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /**
   * Most bytes of an encoded value: what is longer with all that belongs to an entry is none. @default {8_388_608} (8
   * MiB)
   */
  maxBytes?: number | undefined;
  /** Told about replays and new epochs. */
  on?: EventListener | undefined;
}

/** Keeps entries in Redis. Reads of one tick are one round trip; see `ledger_prelude.ts` for the protocol. */
export class RedisStore implements CacheStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #slots: Slots;
  readonly #on: EventListener | undefined;
  readonly #sweeper: PatternSweeper;
  readonly #invalidator: Invalidator;
  readonly #changes: ChangeFeed;
  readonly #options: RedisStoreOptions;
  readonly #others = new RecentNames<RedisStore>(0);
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, options: RedisStoreOptions) {
    const { namespace, buckets = 1, maxBytes = MAX_BYTES, on } = options;
    this.#batch = batch;
    this.#options = options;
    this.#on = on;
    this.#slots = new Slots(batch, namespace, buckets, on, longestEntry(maxBytes));
    this.#sweeper = new PatternSweeper(this.#slots.all, on);
    this.#invalidator = new Invalidator(batch, this.#slots.all, this.#sweeper, on);
    this.#changes = new ChangeFeed(batch, namespace, this.#slots, this.#invalidator);
    this.#invalidator.changes = this.#changes;
  }

  get queued(): number {
    // What waits in several slots is one invalidation.
    const all = new InvalidationQueue();
    for (const replay of this.#invalidator.replays) replay.addTo(all);
    return all.size;
  }

  read(key: string, options: ReadOptions = {}): Promise<Read> {
    const slot = this.#slots.of(key);
    if (this.#closed || this.#invalidator.before(slot).pending) return this.#readAfterReplay(slot, key, options);
    return slot.read(key, options);
  }

  async write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean> {
    const operation = "write cache entry";
    this.#assertOpen(operation);
    const slot = this.#slots.of(key);
    const before = this.#invalidator.before(slot);
    const within = new Deadline(this.#batch.commandTimeout);
    try {
      // Where there is nothing to wait for, it goes out in the order of the calls.
      if (before.pendingForWrite(slot, !fence)) await before.metByWrite(slot, !fence, within, operation);
      const stored = await before.afterwards(slot.write(key, entry, fence, within), within, operation);
      this.#changes.changed(key);
      return stored;
    } catch (error) {
      // It may or may not have been stored; whoever wrote must not find what was there before.
      this.#changes.changed(key);
      if (!fence && (isPassing(error) || isRefusal(error)) && !(error instanceof RefusedWriteError)) {
        this.#invalidator.before(this.#slots.of(key)).replay.keep((queue) => queue.add({ keys: [key] }));
      }
      throw error;
    }
  }

  async release(key: string, lease: number, pause = 0): Promise<void> {
    this.#assertOpen("release lease");
    const slot = this.#slots.of(key);
    try {
      await slot.lease(key, lease, "release", pause);
    } catch (error) {
      slot.owed.owe(key, lease, pause);
      throw error;
    }
  }

  async remove(key: string, lease: number): Promise<boolean> {
    this.#assertOpen("remove cache entry");
    try {
      const removed = await this.#slots.of(key).lease(key, lease, "remove", 0);
      this.#changes.changed(key);
      return removed;
    } catch (error) {
      // The source has it no more, so it must not be served whenever the store is back.
      this.#changes.changed(key);
      if (isPassing(error)) {
        this.#invalidator.before(this.#slots.of(key)).replay.keep((queue) => queue.add({ keys: [key] }));
      }
      throw error;
    }
  }

  async extend(key: string, lease: number, milliseconds: number): Promise<boolean> {
    this.#assertOpen("extend lease");
    return await this.#slots.of(key).lease(key, lease, "extend", milliseconds);
  }

  async touch(key: string, fresh: number): Promise<boolean> {
    const operation = "touch cache entry";
    this.#assertOpen(operation);
    const slot = this.#slots.of(key);
    const before = this.#invalidator.before(slot);
    const within = before.pending ? await before.met(operation) : undefined;
    const touched = await before.afterwards(slot.touch(key, fresh), within, operation);
    this.#changes.changed(key);
    return touched;
  }

  async invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    const parts = this.#slots.parted(keys);
    const counts = await this.#run(
      (queue, slot) => queue.add({ keys: parts.get(slot)! }),
      (slot) => this.#invalidator.removeKeys(slot, parts.get(slot)!),
      [...parts.keys()],
    );
    if (!counts) return { status: "queued" };
    return { status: "done", removed: counts.reduce((sum, count) => sum + count, 0) };
  }

  async invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    const done = await this.#run(
      (queue) => queue.add({ tags, mode }),
      (slot) => slot.invalidateTags(tags, mode),
    );
    return { status: done ? "done" : "queued" };
  }

  async invalidatePattern(glob: string, options: PatternOptions = {}): Promise<StoreInvalidation> {
    const hidden = await this.#run(
      (queue) => queue.add({ patterns: [glob] }),
      (slot) => slot.hidePattern(glob),
    );
    if (!hidden) return { status: "queued" };
    return { status: "done", removed: await this.#sweeper.sweep(glob, hidden, options) };
  }

  async clear(): Promise<StoreInvalidation> {
    const done = await this.#run((queue) => queue.addAll(), (slot) => this.#invalidator.clear(slot));
    return { status: done ? "done" : "queued" };
  }

  isCurrent(loaded: Loaded): boolean {
    const { key, epoch, clock, tags } = loaded;
    const verdict = this.#slots.of(key).known.judge(key, { epoch, asOf: clock, tags });
    return verdict === "valid" || verdict === "stale";
  }

  watch(key: string): Watch {
    return this.#changes.watch(key);
  }

  changes(listener: ChangeListener): Changes {
    return this.#changes.start(listener);
  }

  async *inspect(glob: string): AsyncGenerator<readonly [string, Read]> {
    this.#assertOpen("inspect cache");
    await Promise.all(this.#invalidator.replays.map((replay) => replay.done("inspect cache")));
    yield* this.#slots.inspect(glob);
  }

  beside(name: string): RedisStore {
    const namespace = `${this.#options.namespace}.${name}`;
    return this.#others.get(name, () => new RedisStore(this.#batch, { ...this.#options, namespace }));
  }

  async namespaces(): Promise<string[]> {
    this.#assertOpen("look for namespaces");
    return await findNamespaces(this.#batch, this.#options.namespace);
  }

  async drop(options: PatternOptions = {}): Promise<StoreInvalidation> {
    const done = await this.#run((queue) => queue.addAll(), (slot) => this.#invalidator.hideAll(slot));
    if (!done) return { status: "queued" };
    let removed = 0;
    for await (const count of this.#slots.drop()) {
      removed += count;
      unawaited(options.onProgress?.(removed));
      options.signal?.throwIfAborted();
      this.#assertOpen("drop namespace");
    }
    this.#changes.changedAll();
    return { status: "done", removed };
  }

  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    const owed = this.#closed ? [] : this.#invalidator.replays.filter(({ isEmpty }) => !isEmpty);
    await Promise.all(owed.map((replay) => replay.done("replay invalidations"))).catch((error) => {
      this.#on?.({ type: "cache.error", operation: "replay invalidations before closing", error });
    });
    this.#closed ??= by;
    for (const replay of this.#invalidator.replays) replay.close();
    this.#sweeper.close();
    this.#slots.close();
    await Promise.all([
      this.#changes[Symbol.asyncDispose](),
      ...[...this.#others].map(([, other]) => other[Symbol.asyncDispose](by)),
    ]);
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  async #readAfterReplay(slot: RedisSlot, key: string, options: ReadOptions): Promise<Read> {
    const operation = "read cache entry";
    this.#assertOpen(operation);
    const before = this.#invalidator.before(slot);
    const within = await before.met(operation);
    return await before.afterwards(slot.read(key, options, within), within, operation);
  }

  /** Runs an invalidation in slots. */
  async #run<T>(
    keep: (queue: InvalidationQueue, slot: RedisSlot) => void,
    run: (slot: RedisSlot) => Promise<T>,
    slots: readonly RedisSlot[] = this.#slots.all,
  ): Promise<T[] | undefined> {
    this.#assertOpen("invalidate cache");
    return await this.#invalidator.run(keep, run, slots, () => this.#closed !== undefined);
  }

  /** The commands of this store, for those who share its connection. */
  get batch(): Batch {
    return this.#batch;
  }
}
