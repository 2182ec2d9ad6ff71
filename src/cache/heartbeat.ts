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
/** Milliseconds by which an extension may be early, for the sake of going with others. */
const TOGETHER = 5;

/** Extends the leases of loaders that live. Those of very many share one timer. */
export class Heartbeats {
  readonly #store: CacheStore;
  /** Those under way, by how long the leases last. */
  readonly #rhythms = new Map<number, Rhythm>();
  #stopped = false;

  constructor(store: CacheStore) {
    this.#store = store;
  }

  /**
   * One for a lease, which is extended to so many milliseconds again and again. The first time, as soon as it is seen
   * that the loader takes time, proves that its holder knows of it.
   */
  of(key: string, lease: number, milliseconds: number): Heartbeat {
    return new Heartbeat(key, lease, () => this.#stopped ? undefined : this.#rhythmOf(milliseconds));
  }

  /** Ends all of them. */
  stop(): void {
    this.#stopped = true;
    for (const rhythm of this.#rhythms.values()) rhythm.stop();
  }

  #rhythmOf(milliseconds: number): Rhythm {
    let rhythm = this.#rhythms.get(milliseconds);
    if (!rhythm) {
      rhythm = new Rhythm(this.#store, milliseconds, () => this.#rhythms.delete(milliseconds));
      this.#rhythms.set(milliseconds, rhythm);
    }
    return rhythm;
  }
}

/** Extends a lease for as long as its loader lives. */
export class Heartbeat {
  readonly key: string;
  readonly lease: number;
  readonly #open: () => Rhythm | undefined;
  /** What it goes along with, from its first beat on. */
  #rhythm: Rhythm | undefined;
  #over = false;

  constructor(key: string, lease: number, open: () => Rhythm | undefined) {
    this.key = key;
    this.lease = lease;
    this.#open = open;
  }

  /** The loader was called. */
  async start(): Promise<void> {
    await microturns(TURNS);
    if (this.#over) return;
    this.#rhythm = this.#open();
    this.#rhythm?.beat(this);
  }

  /** The loader is over. */
  stop(): void {
    this.#over = true;
    this.#rhythm?.delete(this);
  }
}

/** The heartbeats of leases that last equally long. */
class Rhythm {
  readonly #store: CacheStore;
  readonly #lease: number;
  readonly #every: number;
  readonly #ended: () => void;
  /** When each is due, the next one first. */
  readonly #due = new Map<Heartbeat, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: CacheStore, lease: number, ended: () => void) {
    this.#store = store;
    this.#lease = lease;
    this.#every = Math.max(10, lease / 3);
    this.#ended = ended;
  }

  /** Extends a lease, now and again when it is time. */
  beat(beat: Heartbeat): void {
    this.#extend(beat);
    this.#timer ??= this.#schedule(this.#every);
  }

  #extend(beat: Heartbeat): void {
    this.#due.delete(beat);
    this.#due.set(beat, performance.now() + this.#every);
    this.#store.extend(beat.key, beat.lease, this.#lease).catch(() => {}); // the fence decides at the end
  }

  delete(beat: Heartbeat): void {
    if (this.#due.delete(beat) && this.#due.size === 0) this.#end();
  }

  stop(): void {
    this.#due.clear();
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ended();
  }

  #schedule(milliseconds: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#beatAll(), milliseconds);
    unref(timer);
    return timer;
  }

  #beatAll(): void {
    const now = performance.now();
    for (const [beat, due] of [...this.#due]) {
      if (due > now + TOGETHER) break;
      this.#extend(beat);
    }
    const [next] = this.#due.values();
    this.#timer = next === undefined ? undefined : this.#schedule(next - now);
  }
}
