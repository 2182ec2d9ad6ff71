import { unawaited } from "../../util/callbacks.ts";
import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import { bucketOf, hashTags } from "../../redis/buckets.ts";
import { Deadline } from "../../redis/deadline.ts";
import { isPassing, isRefusal } from "../../redis/refusals.ts";
import { Doubts } from "./doubts.ts";
import { InvalidationQueue } from "./invalidation_queue.ts";
import { findNamespaces } from "./namespaces.ts";
import { ChangeChannel, type ChangeChannelListener } from "./change_channel.ts";
import { longestEntry, MAX_BYTES } from "../entry.ts";
import { RedisSlot } from "./slot.ts";
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
import { KeyWaiters } from "../key_waiters.ts";
import { RecentNames } from "../../util/recent_names.ts";
import { unref } from "../../util/timers.ts";

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

/**
 * Milliseconds for which a pattern stays in the ledger after its entries are gone, so that processes that are between
 * two looks at the ledger still hear of it.
 */
const BARRIER_KEPT = 60_000;
/** How often invalidations that wait are tried again without being asked for, in milliseconds. */
const REPLAY_EVERY = 500;

/** Ends the channels of stores that nobody uses any more. */
const CHANNELS = new FinalizationRegistry<ChangeChannel>((channel) =>
  void channel[Symbol.asyncDispose]().catch(() => {})
);

/** Keeps entries in Redis. Reads of one tick are one round trip; see `ledger_prelude.ts` for the protocol. */
export class RedisStore implements CacheStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #slots: RedisSlot[];
  readonly #on: EventListener | undefined;
  readonly #queue = new InvalidationQueue();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #waiters = new KeyWaiters();
  readonly #changes: ChangeChannel;
  readonly #doubts: Doubts;
  readonly #options: RedisStoreOptions;
  readonly #others = new RecentNames<RedisStore>(0);
  #copies: ChangeListener | undefined;
  #replaying: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /**
   * While a server is asked for its time; resolves to the error if there was one. Others wait too, to keep their order.
   */
  #timing: { readonly slot: RedisSlot; readonly done: Promise<unknown> } | undefined;
  /** How many invalidations are being replayed. */
  #underway = 0;
  #waiting = 0;
  #clearing = 0;
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, options: RedisStoreOptions) {
    const { namespace, buckets = 1, maxBytes = MAX_BYTES, on } = options;
    this.#batch = batch;
    this.#options = options;
    this.#on = on;
    this.#slots = hashTags(namespace, buckets).map((tag) => new RedisSlot(batch, tag, on, longestEntry(maxBytes)));
    this.#doubts = new Doubts(() => this.#look(), () => this.#copies?.all());
    const listener = RedisStore.#listenerOf(new WeakRef(this), batch.client.name, on);
    this.#changes = new ChangeChannel(batch.client, namespace, listener);
    CHANNELS.register(this, this.#changes);
  }

  /** What hears of changes. It does not hold the store: one that nobody uses any more is forgotten all the same. */
  static #listenerOf(self: WeakRef<RedisStore>, client: string, on: EventListener | undefined): ChangeChannelListener {
    const tell = <T>(what: (store: RedisStore) => T): T | undefined => {
      const store = self.deref();
      return store && what(store);
    };
    const changedAll = () => tell((store) => store.#changedAll());
    return {
      key: (key) =>
        tell((store) => {
          store.#waiters.notify(key);
          store.#copies?.key(key);
        }),
      // Who has no copies hears of it with the next read; of a pattern, who waits for a loader looks again at once.
      invalidated: (tag) =>
        tell((store) => {
          if (store.#copies) store.#doubts.add(tag);
          if (tag === undefined) store.#waiters.notifyAll();
        }),
      all: changedAll,
      look: () => tell((store) => store.#look()) ?? Promise.resolve(""),
      ready: changedAll,
      lost: changedAll,
      failed: () => on?.({ type: "warning", message: `The client ${client} cannot subscribe to changes` }),
    };
  }

  get queued(): number {
    // An invalidation of everything stands for what is underway, too.
    return this.#queue.all ? this.#queue.size : this.#queue.size + this.#underway;
  }

  read(key: string, options: ReadOptions = {}): Promise<Read> {
    if (this.#closed || this.#busy) return this.#readAfterReplay(key, options);
    return this.#slotOf(key).read(key, options);
  }

  async write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean> {
    this.#assertOpen("write cache entry");
    const operation = "write cache entry";
    const slot = this.#slotOf(key);
    const within = new Deadline(this.#batch.commandTimeout);
    try {
      if (this.#behind) await this.#replayed(operation, within);
      // A write says from when on it must not take effect. All wait in the same way, so they go on in the order of the
      // calls.
      while (this.#timing || (!fence && !slot.timed)) {
        const timing = this.#timing ??= this.#askTime(slot);
        const error = await this.#batch.hold(timing.done, within, operation);
        if (error !== undefined && timing.slot === slot) throw error;
      }
      const stored = await this.#last(slot.write(key, entry, fence, within), within, operation);
      this.#copies?.key(key);
      return stored;
    } catch (error) {
      // It may or may not have been stored; whoever wrote must not find what was there before.
      this.#copies?.key(key);
      if (!fence && (isPassing(error) || isRefusal(error)) && !(error instanceof RefusedWriteError)) {
        this.#keep(() => this.#queue.add({ keys: [key] }));
      }
      throw error;
    }
  }

  async release(key: string, lease: number, pause = 0): Promise<void> {
    this.#assertOpen("release lease");
    const slot = this.#slotOf(key);
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
      const removed = await this.#slotOf(key).lease(key, lease, "remove", 0);
      this.#copies?.key(key);
      return removed;
    } catch (error) {
      // The source has it no more, so it must not be served whenever the store is back.
      this.#copies?.key(key);
      if (isPassing(error)) this.#keep(() => this.#queue.add({ keys: [key] }));
      throw error;
    }
  }

  async extend(key: string, lease: number, milliseconds: number): Promise<boolean> {
    this.#assertOpen("extend lease");
    return await this.#slotOf(key).lease(key, lease, "extend", milliseconds);
  }

  async touch(key: string, fresh: number): Promise<boolean> {
    const operation = "touch cache entry";
    this.#assertOpen(operation);
    const within = this.#busy ? await this.#turn(operation) : undefined;
    const touched = await this.#last(this.#slotOf(key).touch(key, fresh), within, operation);
    this.#copies?.key(key);
    return touched;
  }

  invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#queue.add({ keys }), async (last) => ({
      status: "done",
      removed: await last(this.#removeKeys(keys)),
    }));
  }

  invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#queue.add({ tags, mode }), async (last) => {
      await last(Promise.all(this.#slots.map((slot) => slot.invalidateTags(tags, mode))));
      return { status: "done" };
    });
  }

  invalidatePattern(glob: string, options: PatternOptions = {}): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#queue.add({ patterns: [glob] }), async (last) => {
      const barred = await last(this.#bar(glob));
      return { status: "done", removed: await this.#sweep(glob, barred, options) };
    });
  }

  clear(): Promise<StoreInvalidation> {
    return this.#invalidate(() => this.#queue.addAll(), async (last) => {
      await last(this.#clear());
      return { status: "done" };
    });
  }

  isCurrent(loaded: Loaded): boolean {
    const { key, epoch, clock, tags } = loaded;
    const verdict = this.#slotOf(key).known.judge(key, { epoch, asOf: clock, tags });
    return verdict === "valid" || verdict === "stale";
  }

  watch(key: string): Watch {
    this.#changes.start();
    return this.#waiters.watch(key, () => this.#changes.live);
  }

  changes(listener: ChangeListener): Changes {
    this.#copies = listener;
    this.#changes.start();
    return {
      // What waits to be replayed was invalidated here, but the copies do not know.
      inTouch: (now) => this.#changes.inTouch(now) && !this.#behind,
      judge: (key, entry) => {
        return this.#doubts.about(entry.tags) ? "unknown" : this.#slotOf(key).known.judge(key, entry);
      },
    };
  }

  async *inspect(glob: string): AsyncGenerator<readonly [string, Read]> {
    this.#assertOpen("inspect cache");
    await this.#replayed("inspect cache");
    for (const slot of this.#slots) yield* slot.inspect(glob);
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
    const { onProgress, signal } = options;
    const { status } = await this.#invalidate(() => this.#queue.addAll(), async (last) => {
      await last(this.#hideAll());
      return { status: "done" };
    });
    if (status === "queued") return { status };
    let removed = 0;
    for (const slot of this.#slots) {
      for await (const count of slot.drop()) {
        removed += count;
        unawaited(onProgress?.(removed));
        signal?.throwIfAborted();
        this.#assertOpen("drop namespace");
      }
    }
    this.#copies?.all();
    return { status, removed };
  }

  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    if (this.#queue.size > 0 && !this.#closed) {
      await this.#replayed("replay invalidations").catch((error) => {
        this.#on?.({ type: "cache.error", operation: "replay invalidations before closing", error });
      });
    }
    this.#closed ??= by;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const slot of this.#slots) slot.owed.close();
    this.#waiters.notifyAll();
    await Promise.all([
      this.#changes[Symbol.asyncDispose](),
      ...[...this.#others].map(([, other]) => other[Symbol.asyncDispose](by)),
    ]);
  }

  /** Whether invalidations wait to be replayed. */
  get #behind(): boolean {
    return this.#queue.size > 0 || this.#replaying !== undefined;
  }

  /** Whether anything has to be waited for. Where nothing has, nothing is: what is done in one tick keeps its order. */
  get #busy(): boolean {
    return this.#behind || this.#timing !== undefined;
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  /** Reads what is new in the records. Resolves to the marks of changes that could not ring. */
  async #look(): Promise<string> {
    return (await Promise.all(this.#slots.map((slot) => slot.look()))).join();
  }

  /** Copies and waiting readers have to look again. */
  #changedAll(): void {
    this.#waiters.notifyAll();
    this.#copies?.all();
  }

  #slotOf(key: string): RedisSlot {
    return this.#slots[bucketOf(key, this.#slots.length)]!;
  }

  async #readAfterReplay(key: string, options: ReadOptions): Promise<Read> {
    const operation = "read cache entry";
    this.#assertOpen(operation);
    const within = await this.#turn(operation);
    return await this.#last(this.#slotOf(key).read(key, options, within), within, operation);
  }

  /** Asks a server for its time, before the first write over a connection. */
  #askTime(slot: RedisSlot): { slot: RedisSlot; done: Promise<unknown> } {
    const done = slot.time().then(() => undefined, (error) => error).finally(() => this.#timing = undefined);
    return { slot, done };
  }

  /** Waits until nothing is to be done before. What has waited has a deadline that has begun. */
  async #turn(operation: string): Promise<Deadline> {
    const within = new Deadline(this.#batch.commandTimeout);
    if (this.#behind) await this.#replayed(operation, within);
    while (this.#timing) await this.#batch.hold(this.#timing.done, within, operation);
    return within;
  }

  /**
   * Does what a call has waited to do, in what is left of its deadline; if it has not waited, the deadline is that of
   * the command.
   */
  #last<T>(work: Promise<T>, within: Deadline | undefined, operation: string): Promise<T> {
    return within === undefined || within.end === Infinity ? work : this.#batch.hold(work, within, operation);
  }

  /** Runs an invalidation, or keeps it for later when Redis does not answer. */
  async #invalidate(
    keep: () => void,
    run: (last: <T>(work: Promise<T>) => Promise<T>) => Promise<StoreInvalidation>,
  ): Promise<StoreInvalidation> {
    const operation = "invalidate cache";
    this.#assertOpen(operation);
    try {
      const within = this.#busy ? await this.#turn(operation) : undefined;
      return await run((work) => this.#last(work, within, operation));
    } catch (error) {
      if (this.#closed || !isPassing(error)) throw error;
      // It may have taken effect or not: invalidating twice does no harm, not at all would.
      this.#keep(keep);
      return { status: "queued" };
    }
  }

  /** Keeps an invalidation, and sees to it that other processes need not wait until this one does something. */
  #keep(keep: () => void): void {
    keep();
    if (this.#closed || this.#retry !== undefined) return;
    const timer = this.#retry = setTimeout(() => {
      this.#timers.delete(timer);
      this.#retry = undefined;
      // What fails is in the queue again.
      this.#replayed("replay invalidations").catch(() => this.#keep(() => {}));
    }, REPLAY_EVERY);
    unref(timer);
    this.#timers.add(timer);
  }

  /**
   * Resolves when no invalidation waits any more; rejects when they cannot be replayed yet, or that takes longer than a
   * command may.
   */
  async #replayed(operation: string, within = new Deadline(this.#batch.commandTimeout)): Promise<void> {
    if (!this.#behind) return;
    if (this.#waiting >= this.#batch.maxQueued) throw this.#batch.diagnosis.unavailable(operation, "overload");
    this.#waiting++;
    try {
      while (this.#behind) {
        this.#replaying ??= this.#replay().finally(() => this.#replaying = undefined);
        await this.#batch.hold(this.#replaying, within, operation);
      }
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      throw new UnavailableError(operation, error.reason, { cause: error.cause ?? error });
    } finally {
      this.#waiting--;
    }
  }

  async #replay(): Promise<void> {
    const queue = this.#queue.take();
    this.#underway = queue.size;
    try {
      if (queue.all) await this.#clear();
      const patterns: Promise<[string, number[]]>[] = [];
      for (const glob of queue.patterns) patterns.push(this.#bar(glob).then((barred) => [glob, barred]));
      const [barred] = await Promise.all([
        Promise.all(patterns),
        this.#removeKeys([...queue.keys]),
        ...this.#slots.map((slot) => slot.invalidateTags([...queue.tags.hard], "hard")),
        ...this.#slots.map((slot) => slot.invalidateTags([...queue.tags.stale], "stale")),
      ]);
      this.#on?.({ type: "cache.replayed", count: queue.size });
      for (const [glob, at] of barred) this.#inBackground(this.#sweep(glob, at, {}));
    } catch (error) {
      this.#queue.putBack(queue);
      throw error;
    } finally {
      this.#underway = 0;
    }
  }

  async #removeKeys(keys: readonly string[]): Promise<number> {
    const slots = new Map<RedisSlot, string[]>();
    for (const key of keys) {
      const slot = this.#slotOf(key);
      const of = slots.get(slot);
      if (of) of.push(key);
      else slots.set(slot, [key]);
    }
    const removed = await Promise.all([...slots].map(([slot, of]) => slot.remove(of)));
    if (this.#copies) { for (const key of keys) this.#copies.key(key); }
    return removed.reduce((sum, count) => sum + count, 0);
  }

  #bar(glob: string): Promise<number[]> {
    return Promise.all(this.#slots.map((slot) => slot.bar(glob)));
  }

  /** Nobody sees the entries any more. */
  async #hideAll(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.clear()));
    this.#copies?.all();
    this.#clearing++;
  }

  async #clear(): Promise<void> {
    await this.#hideAll();
    // What they occupy is given back behind the scenes.
    const run = this.#clearing;
    this.#inBackground((async () => {
      for (const slot of this.#slots) {
        for await (const _ of slot.sweep("*", 0)) if (this.#closed || run !== this.#clearing) return;
      }
    })());
  }

  /** Removes what a barrier hides, then lifts it. */
  async #sweep(glob: string, barred: readonly number[], options: PatternOptions): Promise<number> {
    const { onProgress, signal } = options;
    let removed = 0;
    for (const [i, slot] of this.#slots.entries()) {
      let place: string | undefined;
      try {
        place = await slot.place();
        for await (const count of slot.sweep(glob, barred[i]!)) {
          removed += count;
          unawaited(onProgress?.(removed));
          signal?.throwIfAborted();
          if (this.#closed) return removed;
        }
      } catch (error) {
        // The entries are invisible already; the barrier stays until they have expired.
        if (isPassing(error)) return removed;
        throw error;
      }
      // What the scan may not have seen is kept invisible.
      if (place === undefined || place !== await slot.place()) continue;
      this.#later(BARRIER_KEPT, () => slot.unbar(glob, barred[i]!));
    }
    return removed;
  }

  #later(milliseconds: number, run: () => Promise<void>): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#inBackground(run());
    }, milliseconds);
    unref(timer);
    this.#timers.add(timer);
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch((error) => {
      if (!this.#closed) this.#on?.({ type: "cache.error", operation: "clean up after an invalidation", error });
    });
  }

  /** The commands of this store, for those who share its connection. */
  get batch(): Batch {
    return this.#batch;
  }
}
