import type { Standing } from "./store.ts";

/** A refusal that is remembered. Times are by {@linkcode performance.now}. */
interface DeniedCall {
  readonly cost: number;
  readonly standing: Standing;
  /** When it was asked for: from here it is counted how long it is repeated, so never too long. */
  readonly since: number;
  /** When it arrived: from here it is counted what callers are told, so never too short. */
  readonly receivedAt: number;
  /** When the store is asked whether it still holds. */
  asked: number;
}

/**
 * After how many milliseconds one call asks the store again while others are still refused: another process may have
 * reset the limit.
 */
const ASK_AGAIN = 1000;

/**
 * Refusals of the store, repeated until the moment at which it would allow the call. Bounded: the oldest goes first.
 * Who would be refused anyway is asked for when it is not remembered.
 */
export class DenyCache {
  readonly #max: number;
  readonly #now: () => number;
  readonly #denied = new Map<string, DeniedCall>();
  #forgotten = 0;

  constructor(max: number, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#now = now;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#denied.size;
  }

  /** How often something was forgotten, for {@linkcode DenyCache.add}. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The time, for {@linkcode DenyCache.add}. */
  now(): number {
    return this.#now();
  }

  /** How the limit stands now, if it is known that the same call is refused. */
  find(name: string, id: string, cost: number): Standing | undefined {
    if (this.#denied.size === 0) return undefined;
    const key = `${name}:${id}`;
    const refusal = this.#denied.get(key);
    if (!refusal || refusal.cost !== cost) return undefined;
    const now = this.#now();
    const { standing, since, receivedAt } = refusal;
    if (now - since >= standing.retryAfter) {
      this.#denied.delete(key);
      return undefined;
    }
    if (now - refusal.asked >= ASK_AGAIN) {
      refusal.asked = now; // only this one asks
      return undefined;
    }
    const left = (milliseconds: number) => Math.max(0, Math.ceil(milliseconds - (now - receivedAt)));
    return {
      ...standing,
      resetAfter: left(standing.resetAfter),
      retryAfter: left(standing.retryAfter),
      moreAfter: left(standing.moreAfter),
    };
  }

  /**
   * Remembers a refusal of a call that was sent at `since`, when so much was forgotten; if it is more now, the refusal
   * may be of before.
   */
  add(name: string, id: string, cost: number, standing: Standing, since: number, forgotten: number): void {
    if (this.#max === 0 || forgotten !== this.#forgotten) return;
    const key = `${name}:${id}`;
    this.#denied.delete(key);
    this.#denied.set(key, { cost, standing, since, receivedAt: this.#now(), asked: since });
    if (this.#denied.size <= this.#max) return;
    for (const oldest of this.#denied.keys()) {
      this.#denied.delete(oldest);
      break;
    }
  }

  /** Forgets one. */
  delete(name: string, id: string): void {
    this.#forgotten++;
    this.#denied.delete(`${name}:${id}`);
  }

  /** Forgets all. */
  clear(): void {
    this.#forgotten++;
    this.#denied.clear();
  }
}
