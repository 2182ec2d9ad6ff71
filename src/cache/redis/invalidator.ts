import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import { isPassing } from "../../redis/refusals.ts";
import type { ChangeFeed } from "./change_feed.ts";
import type { InvalidationQueue } from "./invalidation_queue.ts";
import type { PatternSweeper } from "./pattern_sweeper.ts";
import { Preconditions } from "./preconditions.ts";
import { Replay } from "./replay.ts";
import type { RedisSlot } from "./slot.ts";

/** Invalidates in the slots of a store, now or as soon as their servers answer. */
export class Invalidator {
  /** What is to be done first in each slot. */
  readonly #before = new Map<RedisSlot, Preconditions>();
  readonly #sweeper: PatternSweeper;
  readonly #on: EventListener | undefined;
  /** Who is told what changed. */
  changes: ChangeFeed | undefined;

  constructor(
    batch: Batch,
    slots: readonly RedisSlot[],
    sweeper: PatternSweeper,
    on: EventListener | undefined,
  ) {
    this.#sweeper = sweeper;
    this.#on = on;
    for (const slot of slots) {
      const replay = new Replay(batch, (queue) => this.#carryOut(slot, queue));
      this.#before.set(slot, new Preconditions(batch, replay));
    }
  }

  /** What is to be done first in a slot. */
  before(slot: RedisSlot): Preconditions {
    return this.#before.get(slot)!;
  }

  /** What waits in each slot. */
  get replays(): Replay[] {
    return [...this.#before.values()].map(({ replay }) => replay);
  }

  /** Whether a replay is under way or waits for a server. */
  get behind(): boolean {
    return this.replays.some((replay) => replay.behind);
  }

  /**
   * Runs an invalidation in slots, and keeps it for later in those whose server does not answer.
   *
   * @param isClosed Whether nothing is kept any more.
   * @returns What came of it in each; nothing where it waits in one.
   */
  async run<T>(
    keep: (queue: InvalidationQueue, slot: RedisSlot) => void,
    run: (slot: RedisSlot) => Promise<T>,
    slots: readonly RedisSlot[],
    isClosed: () => boolean,
  ): Promise<T[] | undefined> {
    const operation = "invalidate cache";
    let queued = false;
    const results = await Promise.all(slots.map(async (slot) => {
      const before = this.before(slot);
      try {
        const within = before.pending ? await before.met(operation) : undefined;
        return await before.afterwards(run(slot), within, operation);
      } catch (error) {
        if (isClosed() || !isPassing(error)) throw error;
        // It may have taken effect or not: invalidating twice does no harm, not at all would.
        before.replay.keep((queue) => keep(queue, slot));
        queued = true;
      }
    }));
    return queued ? undefined : results as T[];
  }

  /** Makes up in a slot for what could not reach its server. */
  async #carryOut(slot: RedisSlot, queue: InvalidationQueue): Promise<void> {
    if (queue.all) await this.clear(slot);
    const patterns = [...queue.patterns];
    const [hidden] = await Promise.all([
      Promise.all(patterns.map((glob) => slot.hidePattern(glob))),
      queue.keys.size > 0 && this.removeKeys(slot, [...queue.keys]),
      slot.invalidateTags([...queue.tags.hard], "hard"),
      slot.invalidateTags([...queue.tags.stale], "stale"),
    ]);
    this.#on?.({ type: "cache.replayed", count: queue.size });
    for (const [i, glob] of patterns.entries()) this.#sweeper.sweepLater(glob, hidden[i]!, slot);
  }

  async removeKeys(slot: RedisSlot, keys: readonly string[]): Promise<number> {
    const removed = await slot.remove(keys);
    for (const key of keys) this.changes?.changed(key);
    return removed;
  }

  /** Nobody sees the entries of a slot any more. */
  async hideAll(slot: RedisSlot): Promise<void> {
    await slot.clear();
    this.changes?.changedAll();
    this.#sweeper.cleared(slot);
  }

  async clear(slot: RedisSlot): Promise<void> {
    await this.hideAll(slot);
    this.#sweeper.sweepAll(slot);
  }
}
