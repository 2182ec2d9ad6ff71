import { RecentNames } from "../../util/recent_names.ts";
import { unawaited } from "../../util/callbacks.ts";
import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import { Deadline } from "../../redis/deadline.ts";
import { isPassing, isRefusal } from "../../redis/refusals.ts";
import type { InvalidationQueue } from "./invalidation_queue.ts";
import { findNamespaces } from "./namespaces.ts";
import { PatternSweeper } from "./pattern_sweeper.ts";
import { Preconditions } from "./preconditions.ts";
import { Replay } from "./replay.ts";
import { ChangeFeed } from "./change_feed.ts";
import { longestEntry, MAX_BYTES } from "../entry.ts";
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
  readonly #replay: Replay;
  readonly #before: Preconditions;
  readonly #sweeper: PatternSweeper;
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
    this.#replay = new Replay(batch, (queue) => this.#carryOut(queue));
    this.#before = new Preconditions(batch, this.#replay);
    this.#sweeper = new PatternSweeper(this.#slots.all, on);
    this.#changes = new ChangeFeed(batch.client, namespace, this.#slots, this.#replay, on);
  }

  get queued(): number {
    return this.#replay.size;
  }

  read(key: string, options: ReadOptions = {}): Promise<Read> {
    if (this.#closed || this.#before.pending) return this.#readAfterReplay(key, options);
    return this.#slots.of(key).read(key, options);
  }

  async write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean> {
    const operation = "write cache entry";
    this.#assertOpen(operation);
    const slot = this.#slots.of(key);
    const within = new Deadline(this.#batch.commandTimeout);
    try {
      // Where there is nothing to wait for, it goes out in the order of the calls.
      if (this.#before.pendingForWrite(slot, !fence)) await this.#before.metByWrite(slot, !fence, within, operation);
      const stored = await this.#before.afterwards(slot.write(key, entry, fence, within), within, operation);
      this.#changes.changed(key);
      return stored;
    } catch (error) {
      // It may or may not have been stored; whoever wrote must not find what was there before.
      this.#changes.changed(key);
      if (!fence && (isPassing(error) || isRefusal(error)) && !(error instanceof RefusedWriteError)) {
        this.#replay.keep((queue) => queue.add({ keys: [key] }));
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
      if (isPassing(error)) this.#replay.keep((queue) => queue.add({ keys: [key] }));
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
    const within = this.#before.pending ? await this.#before.met(operation) : undefined;
    const touched = await this.#before.afterwards(this.#slots.of(key).touch(key, fresh), within, operation);
    this.#changes.changed(key);
    return touched;
  }

  invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    return this.#invalidate((queue) => queue.add({ keys }), async (last) => ({
      status: "done",
      removed: await last(this.#removeKeys(keys)),
    }));
  }

  invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    return this.#invalidate((queue) => queue.add({ tags, mode }), async (last) => {
      await last(this.#slots.invalidateTags(tags, mode));
      return { status: "done" };
    });
  }

  invalidatePattern(glob: string, options: PatternOptions = {}): Promise<StoreInvalidation> {
    return this.#invalidate((queue) => queue.add({ patterns: [glob] }), async (last) => {
      const hidden = await last(this.#sweeper.hide(glob));
      return { status: "done", removed: await this.#sweeper.sweep(glob, hidden, options) };
    });
  }

  clear(): Promise<StoreInvalidation> {
    return this.#invalidate((queue) => queue.addAll(), async (last) => {
      await last(this.#clear());
      return { status: "done" };
    });
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
    await this.#replay.done("inspect cache");
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
    const { status } = await this.#invalidate((queue) => queue.addAll(), async (last) => {
      await last(this.#hideAll());
      return { status: "done" };
    });
    if (status === "queued") return { status };
    let removed = 0;
    for await (const count of this.#slots.drop()) {
      removed += count;
      unawaited(options.onProgress?.(removed));
      options.signal?.throwIfAborted();
      this.#assertOpen("drop namespace");
    }
    this.#changes.changedAll();
    return { status, removed };
  }

  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    if (!this.#replay.isEmpty && !this.#closed) {
      await this.#replay.done("replay invalidations").catch((error) => {
        this.#on?.({ type: "cache.error", operation: "replay invalidations before closing", error });
      });
    }
    this.#closed ??= by;
    this.#replay.close();
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

  async #readAfterReplay(key: string, options: ReadOptions): Promise<Read> {
    const operation = "read cache entry";
    this.#assertOpen(operation);
    const within = await this.#before.met(operation);
    return await this.#before.afterwards(this.#slots.of(key).read(key, options, within), within, operation);
  }

  /** Runs an invalidation, or keeps it for later when Redis does not answer. */
  async #invalidate(
    keep: (queue: InvalidationQueue) => void,
    run: (last: <T>(work: Promise<T>) => Promise<T>) => Promise<StoreInvalidation>,
  ): Promise<StoreInvalidation> {
    const operation = "invalidate cache";
    this.#assertOpen(operation);
    try {
      const within = this.#before.pending ? await this.#before.met(operation) : undefined;
      return await run((work) => this.#before.afterwards(work, within, operation));
    } catch (error) {
      if (this.#closed || !isPassing(error)) throw error;
      // It may have taken effect or not: invalidating twice does no harm, not at all would.
      this.#replay.keep(keep);
      return { status: "queued" };
    }
  }

  /** Makes up for what could not reach Redis. */
  async #carryOut(queue: InvalidationQueue): Promise<void> {
    if (queue.all) await this.#clear();
    const patterns = [...queue.patterns];
    const [hidden] = await Promise.all([
      Promise.all(patterns.map((glob) => this.#sweeper.hide(glob))),
      this.#removeKeys([...queue.keys]),
      this.#slots.invalidateTags([...queue.tags.hard], "hard"),
      this.#slots.invalidateTags([...queue.tags.stale], "stale"),
    ]);
    this.#on?.({ type: "cache.replayed", count: queue.size });
    for (const [i, glob] of patterns.entries()) this.#sweeper.sweepLater(glob, hidden[i]!);
  }

  async #removeKeys(keys: readonly string[]): Promise<number> {
    const removed = await this.#slots.remove(keys);
    for (const key of keys) this.#changes.changed(key);
    return removed;
  }

  /** Nobody sees the entries any more. */
  async #hideAll(): Promise<void> {
    await this.#slots.clear();
    this.#changes.changedAll();
    this.#sweeper.cleared();
  }

  async #clear(): Promise<void> {
    await this.#hideAll();
    this.#sweeper.sweepAll();
  }

  /** The commands of this store, for those who share its connection. */
  get batch(): Batch {
    return this.#batch;
  }
}
