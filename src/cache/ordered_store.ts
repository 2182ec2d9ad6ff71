import type { ClosedBy } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { compileGlob } from "../util/glob.ts";
import { turn } from "../util/turn.ts";
import { CallOrder, type Claim } from "./call_order.ts";
import { firstPart } from "./parts.ts";
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
} from "./store.ts";

/** A call for many keys, of which not all is on its way yet. */
export interface BigCall {
  /** Where it goes on, past those who wait for it. */
  readonly store: CacheStore;
  /** Resolves when all that was called before it is on its way. */
  readonly before: Promise<void>;
  /** What it does with this key is on its way. */
  issued(key: string): void;
  /** All of it is on its way. */
  end(): void;
}

/** An invalidation that was called and has not been acknowledged. */
type Hiding = (key: string, entry: { readonly tags: readonly string[] }) => boolean;

/**
 * A store that is asked by one process, which finds its own writes and invalidations in the order of its calls, however
 * many turns of the event loop one takes: what is called behind a big call, and touches something of it that is not on
 * its way yet, waits for that.
 */
export class OrderedStore implements CacheStore {
  readonly kind: "memory" | "redis";
  readonly #store: CacheStore;
  readonly #on: EventListener | undefined;
  readonly #order = new CallOrder();
  readonly #hiding = new Set<Hiding>();
  #copies: ChangeListener | undefined;

  constructor(store: CacheStore, on: EventListener | undefined) {
    this.kind = store.kind;
    this.#store = store;
    this.#on = on;
  }

  get queued(): number {
    return this.#store.queued;
  }

  /** Begins a call that sets many keys with these tags, or one that takes a while to encode. */
  begin(all: Iterable<string>, tags: readonly string[]): BigCall {
    const keys = new Set(all);
    this.#changed(keys);
    const { before, leave } = this.#order.enter({ keys, tags: new Set(tags), sets: true });
    return { store: this.#store, before, issued: (key) => void keys.delete(key), end: leave };
  }

  read(key: string, options?: ReadOptions): Promise<Read> {
    if (this.#order.idle || !this.#order.concerns(key)) return this.#store.read(key, options);
    return this.#inTurn({ keys: new Set([key]) }, () => this.#store.read(key, options));
  }

  write(key: string, entry: NewEntry, fence?: Fence): Promise<boolean> {
    if (fence) return this.#store.write(key, entry, fence);
    this.#copies?.key(key);
    if (this.#order.idle) return this.#store.write(key, entry);
    const claim = { keys: new Set([key]), tags: new Set(entry.tags), sets: true };
    return this.#inTurn(claim, () => this.#store.write(key, entry));
  }

  release(key: string, lease: number, pause?: number): Promise<void> {
    return this.#store.release(key, lease, pause);
  }

  remove(key: string, lease: number): Promise<boolean> {
    return this.#store.remove(key, lease);
  }

  extend(key: string, lease: number, milliseconds: number): Promise<boolean> {
    return this.#store.extend(key, lease, milliseconds);
  }

  touch(key: string, fresh: number): Promise<boolean> {
    this.#copies?.key(key);
    return this.#inTurn({ keys: new Set([key]) }, () => this.#store.touch(key, fresh));
  }

  invalidateKeys(keys: readonly string[]): Promise<StoreInvalidation> {
    this.#changed(keys);
    const run = (some: readonly string[]) => this.#store.invalidateKeys(some);
    return this.#inParts("key", keys, { keys: new Set(keys) }, run);
  }

  async invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<StoreInvalidation> {
    const those = new Set(tags);
    const run = (some: readonly string[]) => this.#store.invalidateTags(some, mode);
    const claim = { tags: new Set(tags), behindSets: true };
    return await this.#hidden(
      (_, entry) => entry.tags.some((tag) => those.has(tag)),
      () => this.#inParts("tag", tags, claim, run),
    );
  }

  async invalidatePattern(glob: string, options?: PatternOptions): Promise<StoreInvalidation> {
    return await this.#hidden(
      compileGlob(glob),
      () => this.#inTurn({ behindSets: true }, () => this.#store.invalidatePattern(glob, options)),
    );
  }

  clear(): Promise<StoreInvalidation> {
    this.#copies?.all();
    return this.#inTurn({ behindSets: true }, () => this.#store.clear());
  }

  drop(options?: PatternOptions): Promise<StoreInvalidation> {
    this.#copies?.all();
    return this.#inTurn({ behindSets: true }, () => this.#store.drop(options));
  }

  isCurrent(loaded: Loaded): boolean {
    return this.#store.isCurrent(loaded);
  }

  watch(key: string): Watch {
    return this.#store.watch(key);
  }

  changes(listener: ChangeListener): Changes | undefined {
    const changes = this.#store.changes(listener);
    if (!changes) return undefined;
    this.#copies = listener;
    return {
      inTouch: (now) => changes.inTouch(now),
      judge: (key, entry) => {
        for (const hides of this.#hiding) if (hides(key, entry)) return "unknown";
        return changes.judge(key, entry);
      },
    };
  }

  inspect(glob: string): AsyncIterable<readonly [key: string, read: Read]> {
    return this.#store.inspect(glob);
  }

  beside(name: string): CacheStore {
    return this.#store.beside(name);
  }

  namespaces(): Promise<string[]> {
    return this.#store.namespaces();
  }

  async [Symbol.asyncDispose](by?: ClosedBy): Promise<void> {
    await this.#store[Symbol.asyncDispose](by);
  }

  /** Copies of what is being changed are not used any more. */
  #changed(keys: Iterable<string>): void {
    const copies = this.#copies;
    if (copies) { for (const key of keys) copies.key(key); }
  }

  /** Runs an invalidation. Until it is acknowledged, no copies are used that it may be about. */
  async #hidden<T>(hides: Hiding, run: () => Promise<T>): Promise<T> {
    if (!this.#copies) return await run();
    this.#hiding.add(hides);
    try {
      return await run();
    } finally {
      this.#hiding.delete(hides);
    }
  }

  /** Does something as soon as all that it must come behind is on its way; at once where there is nothing. */
  #inTurn<T>(claim: Claim, run: () => Promise<T>): Promise<T> {
    return this.#order.idle || !this.#order.isBehind(claim) ? run() : this.#later(claim, run);
  }

  async #later<T>(claim: Claim, run: () => Promise<T>): Promise<T> {
    const { before, leave } = this.#order.enter(claim);
    let running: Promise<T>;
    try {
      await before;
      running = run();
    } finally {
      leave();
    }
    return await running;
  }

  /** Invalidates many, a part at a time with a turn of the event loop in between. */
  #inParts(
    by: "key" | "tag",
    all: readonly string[],
    claim: Claim & { readonly keys?: Set<string>; readonly tags?: Set<string> },
    run: (some: readonly string[]) => Promise<StoreInvalidation>,
  ): Promise<StoreInvalidation> {
    return firstPart(all).length === all.length
      ? this.#inTurn(claim, () => run(all))
      : this.#partByPart(by, all, claim, run);
  }

  async #partByPart(
    by: "key" | "tag",
    all: readonly string[],
    claim: Claim & { readonly keys?: Set<string>; readonly tags?: Set<string> },
    run: (some: readonly string[]) => Promise<StoreInvalidation>,
  ): Promise<StoreInvalidation> {
    const { before, leave } = this.#order.enter(claim);
    let removed: number | undefined;
    let left = all;
    try {
      await before;
      while (true) {
        const some = firstPart(left);
        const running = run(some);
        for (const one of some) (claim.keys ?? claim.tags)!.delete(one);
        if (some.length === left.length) leave();
        const done = await running;
        left = left.slice(some.length);
        if (done.removed !== undefined) removed = (removed ?? 0) + done.removed;
        // A store that is away is not asked for each part: all of the rest waits with this one until it is back.
        if (done.status === "queued" && left.length > 0) await run(left);
        if (done.status === "queued") return { status: "queued" };
        if (left.length === 0) return { status: "done", ...(removed !== undefined && { removed }) };
        await turn();
      }
    } catch (error) {
      this.#on?.({ type: "cache.error", operation: `invalidate by ${by}`, keys: left, error });
      throw error;
    } finally {
      leave();
    }
  }
}
