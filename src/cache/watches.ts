import { abortable } from "../abort.ts";
import type { Watch } from "./store.ts";

/** Everybody in this process who waits for one key. They share the timer, so that they look again together. */
class Watched {
  watchers = 0;
  changes = 0;
  #round: Promise<void> | undefined;
  #end: (() => void) | undefined;

  ring(): void {
    this.changes++;
    this.#end?.();
  }

  round(milliseconds: number): Promise<void> {
    return this.#round ??= new Promise((resolve) => {
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
export class Watches {
  readonly #keys = new Map<string, Watched>();

  /** Whether somebody waits. */
  get any(): boolean {
    return this.#keys.size > 0;
  }

  /** Starts a watch; `live` says whether changes are told at present. */
  watch(key: string, live: () => boolean): Watch {
    const watched = this.#keys.get(key) ?? new Watched();
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
  ring(key: string): void {
    if (this.#keys.size > 0) this.#keys.get(key)?.ring();
  }

  /** Anything may have changed. */
  ringAll(): void {
    for (const watched of this.#keys.values()) watched.ring();
  }
}
