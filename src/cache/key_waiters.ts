import { abortable, delay } from "../util/abort.ts";
import type { Watch } from "./store.ts";

/** Milliseconds by which a look may be late for the sake of being shared. */
const TOGETHER = 5;

/** Everybody in this process who waits for one key. They share the timer, so that they look again together. */
class KeyWaiter {
  watchers = 0;
  changes = 0;
  #due = 0;
  #round: Promise<void> | undefined;
  #end: (() => void) | undefined;

  notify(): void {
    this.changes++;
    this.#end?.();
  }

  round(milliseconds: number): Promise<void> {
    const due = performance.now() + milliseconds;
    if (this.#round && due + TOGETHER < this.#due) return withTimeout(this.#round, milliseconds);
    return this.#round ??= new Promise((resolve) => {
      this.#due = due;
      const timer = setTimeout(() => this.#end?.(), milliseconds);
      this.#end = () => {
        clearTimeout(timer);
        this.#round = this.#end = undefined;
        resolve();
      };
    });
  }

  stop(): void {
    this.#end?.();
  }
}

/** The keys that somebody in this process waits for. */
export class KeyWaiters {
  readonly #keys = new Map<string, KeyWaiter>();

  /** Whether somebody waits. */
  get any(): boolean {
    return this.#keys.size > 0;
  }

  /** Starts a watch; `live` says whether changes are told at present. */
  watch(key: string, live: () => boolean): Watch {
    const watched = this.#keys.get(key) ?? new KeyWaiter();
    this.#keys.set(key, watched);
    watched.watchers++;
    let seen = watched.changes;
    return {
      get live() {
        return live();
      },
      next: async (milliseconds, signal) => {
        if (seen === watched.changes) await abortable(watched.round(milliseconds), signal);
        seen = watched.changes;
      },
      [Symbol.dispose]: () => {
        if (--watched.watchers > 0) return;
        watched.stop();
        this.#keys.delete(key);
      },
    };
  }

  /** A key changed. */
  notify(key: string): void {
    if (this.#keys.size > 0) this.#keys.get(key)?.notify();
  }

  /** Anything may have changed. */
  notifyAll(): void {
    for (const waiter of this.#keys.values()) waiter.notify();
  }
}

/** Resolves as the promise does, or after so many milliseconds if that is sooner. */
async function withTimeout(promise: Promise<void>, milliseconds: number): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([promise, delay(milliseconds, done.signal)]);
  } finally {
    done.abort();
  }
}
