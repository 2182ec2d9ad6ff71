import { unref } from "../util/timers.ts";
import type { LockLoss } from "./errors.ts";
import type { HeldLock } from "./lock.ts";
import type { LockStore } from "./store.ts";

/** What share of its ttl an extension may come early, so as to go with others. */
const EARLY = 0.05;
/** What share of its ttl is waited after an extension that was not answered, and at most, in milliseconds. */
const AGAIN = 0.1;
const LONGEST = 1000;

/** Extends the locks of a process: one timer for all, and one call of the store for those that are due. */
export class Keeper {
  readonly #store: LockStore;
  readonly #lost: (lock: HeldLock, reason: LockLoss) => void;
  readonly #locks = new Set<HeldLock>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rings = Infinity;

  constructor(store: LockStore, lost: (lock: HeldLock, reason: LockLoss) => void) {
    this.#store = store;
    this.#lost = lost;
  }

  /** Those that are kept. */
  get locks(): ReadonlySet<HeldLock> {
    return this.#locks;
  }

  /** Keeps one from now on. */
  add(lock: HeldLock): void {
    this.#locks.add(lock);
    this.#set(Math.min(lock.extendAt, lock.until));
  }

  /** Keeps it no more; tells whether it was kept. */
  drop(lock: HeldLock): boolean {
    const kept = this.#locks.delete(lock);
    if (this.#locks.size === 0) this.#stop();
    return kept;
  }

  #set(at: number): void {
    if (at >= this.#rings) return;
    this.#stop();
    this.#rings = at;
    this.#timer = setTimeout(this.#ring, Math.max(0, Math.ceil(at - performance.now())));
    unref(this.#timer);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#rings = Infinity;
  }

  readonly #ring = (): void => {
    this.#stop();
    const now = performance.now();
    const due: HeldLock[] = [];
    for (const lock of this.#locks) {
      if (lock.until <= now) this.#lose(lock, "expired");
      else if (!lock.extending && lock.extendAt <= now + EARLY * lock.ttl) due.push(lock);
    }
    if (due.length > 0) this.#extend(due, now);
    this.#schedule();
  };

  #schedule(): void {
    let first = Infinity;
    for (const { extending, extendAt, until } of this.#locks) {
      first = Math.min(first, extending ? until : extendAt, until);
    }
    if (first < Infinity) this.#set(first);
  }

  async #extend(due: readonly HeldLock[], since: number): Promise<void> {
    for (const lock of due) lock.extending = true;
    try {
      const done = await this.#store.extend(due);
      due.forEach((lock, i) => {
        if (!this.#locks.has(lock)) return;
        if (!done[i]) this.#lose(lock, "gone");
        // What is past its time may have been taken by another, who has lost it again.
        else if (performance.now() < lock.until) lock.extended(since);
        else this.#lose(lock, "expired");
      });
    } catch {
      // Nobody knows whether it was: it is tried again until its time is over.
      const now = performance.now();
      for (const lock of due) lock.extendAt = now + Math.min(AGAIN * lock.ttl, LONGEST);
    }
    for (const lock of due) lock.extending = false;
    this.#schedule();
  }

  #lose(lock: HeldLock, reason: LockLoss): void {
    this.#locks.delete(lock);
    lock.lose(reason);
    this.#lost(lock, reason);
  }
}
