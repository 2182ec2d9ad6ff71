import { keys } from "./oracle_worker.ts";
import type { Truth } from "./oracle_truth.ts";

/** When this process first saw which version to be the oldest allowed, on its own clock that only goes forward. */
export class FloorHistory {
  readonly #truth: Truth;
  readonly #seen: { at: number; floor: number }[][] = keys.map(() => []);

  constructor(truth: Truth) {
    this.#truth = truth;
  }

  look(key: number): number {
    const floor = this.#truth.floor(key);
    const seen = this.#seen[key]!;
    if (floor !== seen.at(-1)?.floor) seen.push({ at: performance.now(), floor });
    return floor;
  }

  /** For how long at least, before `now`, it had been known that a version is too old. */
  behind(key: number, version: number, now: number): number {
    return now - this.#seen[key]!.find(({ floor }) => floor > version)!.at;
  }
}
