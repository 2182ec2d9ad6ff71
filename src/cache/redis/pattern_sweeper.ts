import type { EventListener } from "../../observe/events.ts";
import { isPassing } from "../../redis/refusals.ts";
import { unawaited } from "../../util/callbacks.ts";
import { unref } from "../../util/timers.ts";
import type { PatternOptions } from "../store.ts";
import type { RedisSlot } from "./slot.ts";

/**
 * Milliseconds for which a pattern stays in the ledger after its entries are gone, so that processes that are between
 * two looks at the ledger still hear of it.
 */
const KEPT = 60_000;

/** Invalidates patterns: hides what matches at once, then removes it a batch at a time. */
export class PatternSweeper {
  readonly #slots: readonly RedisSlot[];
  readonly #on: EventListener | undefined;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** When everything in a slot was hidden last. */
  readonly #clears = new WeakMap<RedisSlot, object>();
  #closed = false;

  constructor(slots: readonly RedisSlot[], on: EventListener | undefined) {
    this.#slots = slots;
    this.#on = on;
  }

  /**
   * Removes what was hidden, then has the pattern forgotten.
   *
   * @param hidden What `RedisSlot.hidePattern()` has given for each of the slots.
   * @returns How many entries there were.
   */
  async sweep(
    glob: string,
    hidden: readonly number[],
    { onProgress, signal }: PatternOptions = {},
    slots: readonly RedisSlot[] = this.#slots,
  ): Promise<number> {
    let removed = 0;
    for (const [i, slot] of slots.entries()) {
      let node: string | undefined;
      try {
        node = await slot.ownerNode();
        for await (const count of slot.sweep(glob, hidden[i]!)) {
          removed += count;
          unawaited(onProgress?.(removed));
          signal?.throwIfAborted();
          if (this.#closed) return removed;
        }
      } catch (error) {
        // The entries are invisible already; the pattern stays until they have expired.
        if (isPassing(error)) return removed;
        throw error;
      }
      // What the scan may not have seen is kept invisible.
      if (node === undefined || node !== await slot.ownerNode()) continue;
      this.#later(KEPT, () => slot.showPattern(glob, hidden[i]!));
    }
    return removed;
  }

  /** The same of one slot, behind the scenes. */
  sweepLater(glob: string, hidden: number, slot: RedisSlot): void {
    this.inBackground(this.sweep(glob, [hidden], {}, [slot]));
  }

  /** All of a slot is hidden: what is being removed behind the scenes need not be looked for any more. */
  cleared(slot: RedisSlot): void {
    this.#clears.set(slot, {});
  }

  /** Gives back behind the scenes what all that is hidden in a slot occupies. */
  sweepAll(slot: RedisSlot): void {
    const run = this.#clears.get(slot);
    this.inBackground((async () => {
      for await (const _ of slot.sweep("*", 0)) if (this.#closed || run !== this.#clears.get(slot)) return;
    })());
  }

  /** Tells of what fails behind the scenes. */
  inBackground(work: Promise<unknown>): void {
    work.catch((error) => {
      if (!this.#closed) this.#on?.({ type: "cache.error", operation: "clean up after an invalidation", error });
    });
  }

  /** Ends it. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #later(milliseconds: number, run: () => Promise<void>): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.inBackground(run());
    }, milliseconds);
    unref(timer);
    this.#timers.add(timer);
  }
}
