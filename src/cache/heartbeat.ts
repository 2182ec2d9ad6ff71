import { clearTimeout, setTimeout } from "../util/real_timers.ts";
import { unref } from "../util/timers.ts";
import type { CacheStore } from "./store.ts";
import { microturns } from "../util/turn.ts";

/**
 * Milliseconds for which a lease lasts that was never extended: who was cut off while it was granted one does not know
 * that it holds it, and others must not wait for it for long.
 */
export const PROOF = 2000;
/** Turns of the microtask queue after which a loader is one that takes time. */
const TURNS = 12;

/**
 * Extends a lease for as long as its loader lives. The first time, as soon as it is seen that this takes time, proves
 * that its holder knows of it.
 */
export class Heartbeat {
  readonly #extend: () => void;
  readonly #every: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  /** Extends the lease of a key to `milliseconds` again and again. */
  constructor(store: CacheStore, key: string, lease: number, milliseconds: number) {
    this.#every = Math.max(10, milliseconds / 3);
    this.#extend = () => {
      if (this.#over) return;
      this.#schedule();
      store.extend(key, lease, milliseconds).catch(() => {}); // the fence decides at the end
    };
  }

  /** The loader was called. */
  async start(): Promise<void> {
    await microturns(TURNS);
    this.#extend();
  }

  /** The loader is over. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(this.#extend, this.#every);
    unref(this.#timer);
  }
}
