import type { LRUCache } from "lru-cache";
import { type EventListener, safeListener } from "../observe/events.ts";
import { growingLru } from "../util/growing_lru.ts";
import { isMadeUp } from "./callers.ts";

/** What is kept of one identity. */
interface Kept {
  readonly state: unknown;
  /** When nothing counts any more. */
  readonly until: number;
}

/** Milliseconds in which it is told once that counts in use had to go. */
const QUIET = 60_000;

/**
 * States of limits, up to so many. Callers can make up as many ids as they like, where those are made of what they
 * send: these make room for each other, and never push out the count of an address or a user.
 */
export class LiveStates {
  readonly #max: number;
  readonly #on: EventListener | undefined;
  readonly #known: LRUCache<string, Kept>;
  readonly #madeUp: LRUCache<string, Kept>;
  /** How many are added before all are looked at again for those that ended. */
  #patience = 0;
  #told = -Infinity;

  constructor(max: number, on?: EventListener) {
    this.#max = max;
    this.#on = safeListener(on);
    this.#known = growingLru(max);
    this.#madeUp = growingLru(max);
  }

  /** How many there are. */
  get size(): number {
    return this.#known.size + this.#madeUp.size;
  }

  get(key: string, id: string): unknown {
    return this.#of(id).get(key)?.state;
  }

  set(key: string, id: string, kept: Kept, now: number): void {
    const states = this.#of(id);
    if (this.size >= this.#max && !states.has(key)) this.#makeRoom(now);
    states.set(key, kept);
  }

  delete(key: string, id: string): void {
    this.#of(id).delete(key);
  }

  clear(): void {
    this.#known.clear();
    this.#madeUp.clear();
  }

  #of(id: string): LRUCache<string, Kept> {
    return isMadeUp(id) ? this.#madeUp : this.#known;
  }

  #makeRoom(now: number): void {
    if (--this.#patience < 0) {
      this.#patience = Math.ceil(this.#max / 10); // so that each addition looks at ten of them at most
      this.#sweep(now);
    }
    if (this.size < this.#max) return;
    if (this.#madeUp.pop()) return;
    this.#known.pop();
    if (now >= this.#told && now - this.#told < QUIET) return;
    this.#told = now;
    const message = `Counts of rate limits that are in use were dropped, since there are more than ${this.#max}: ` +
      "limits are not exact any more. Redis holds as many as there are";
    this.#on?.({ type: "warning", message });
  }

  /** Drops what counts no more. */
  #sweep(now: number): void {
    for (const states of [this.#known, this.#madeUp]) {
      const ended: string[] = [];
      for (const [key, { until }] of states.entries()) if (until <= now) ended.push(key);
      for (const key of ended) states.delete(key);
    }
  }
}
