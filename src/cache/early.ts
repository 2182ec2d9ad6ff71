import type { EventListener } from "../observe/events.ts";
import { capped } from "./policy.ts";

/** Most keys of which it is remembered that their values live shorter than a refresh ahead would need. */
const MOST = 1000;

/** How long before the end of their freshness values are refreshed, where that is less than what was asked for. */
export class RefreshAhead {
  readonly #on: EventListener | undefined;
  readonly #said = new Set<string>();
  /** By key, in milliseconds. */
  readonly #known = new Map<string, number>();

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /** What counts for values of this ttl; one that would have each read refresh is said once. Milliseconds. */
  within(refreshAhead: number, ttl: number): number {
    const ahead = capped(refreshAhead, ttl);
    if (ahead === refreshAhead) return ahead;
    const what = `${refreshAhead} ${ttl}`;
    if (!this.#said.has(what) && this.#said.size < MOST) {
      this.#said.add(what);
      const message =
        `refreshAhead of ${refreshAhead} ms is not shorter than the ttl of ${ttl} ms: ${ahead} ms is used`;
      this.#on?.({ type: "warning", message });
    }
    return ahead;
  }

  /** Notes how long a value of this key is fresh. */
  stored(key: string, refreshAhead: number, fresh: number): void {
    if (refreshAhead === 0) return;
    if (capped(refreshAhead, fresh) === refreshAhead) {
      if (this.#known.size > 0) this.#known.delete(key);
      return;
    }
    this.#known.delete(key);
    this.#known.set(key, this.within(refreshAhead, Math.round(fresh)));
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
  }

  /** What counts for this key. */
  of(key: string, refreshAhead: number): number {
    return Math.min(refreshAhead, this.#known.get(key) ?? refreshAhead);
  }
}
