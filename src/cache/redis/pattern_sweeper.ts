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
  /** How often everything was hidden. */
  #clears = 0;
  #closed = false;

  constructor(slots: readonly RedisSlot[], on: EventListener | undefined) {
    this.#slots = slots;
    this.#on = on;
  }

  /** Nobody sees what matches any more. Resolves to what {@linkcode PatternSweeper.sweep} wants to know. */
  hide(glob: string): Promise<number[]> {
    return Promise.all(this.#slots.map((slot) => slot.hidePattern(glob)));
  }

  /** Removes what is hidden, then has the pattern forgotten. Resolves to how many entries there were. */
  async sweep(glob: string, hidden: readonly number[], { onProgress, signal }: PatternOptions = {}): Promise<number> {
    let removed = 0;
    for (const [i, slot] of this.#slots.entries()) {
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

  /** The same behind the scenes. */
  sweepLater(glob: string, hidden: readonly number[]): void {
    this.inBackground(this.sweep(glob, hidden));
  }

  /** Everything is hidden: what is being removed behind the scenes need not be looked for any more. */
  cleared(): void {
    this.#clears++;
  }

  /** Gives back behind the scenes what everything that is hidden occupies. */
  sweepAll(): void {
    const run = this.#clears;
    this.inBackground((async () => {
      for (const slot of this.#slots) {
        for await (const _ of slot.sweep("*", 0)) if (this.#closed || run !== this.#clears) return;
      }
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
