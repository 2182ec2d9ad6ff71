/** For how many milliseconds of work is fetched ahead. */
const AHEAD = 50;
/** How many messages are in hand at most, beyond those that are ready or begun: of the same keys, or put off. */
const MOST_IN_HAND = 1000;
/** How many bytes are fetched at a time, as far as those before tell how long messages are. */
const MOST_BYTES = 4 * 1_048_576;

/** How many messages a consumer fetches: those that can begin, and as many as it handles in a moment. */
export class Appetite {
  readonly #concurrency: number;
  readonly #batch: number;
  #since = 0;
  #count = 0;
  #ahead = 0;
  #bytes = 0;

  constructor(concurrency: number, batch: number) {
    this.#concurrency = concurrency;
    this.#batch = batch;
  }

  /** One was handled. */
  handled(): void {
    const now = performance.now();
    if (now - this.#since >= AHEAD) {
      this.#ahead = now - this.#since < 2 * AHEAD ? Math.min(this.#count, this.#batch) : 0;
      this.#since = now;
      this.#count = 0;
    }
    this.#count++;
  }

  /** Such were fetched. */
  fetched(lengths: readonly number[]): void {
    for (const length of lengths) this.#bytes = Math.max(length, this.#bytes * 0.95);
  }

  /** How many are wanted, where so many can begin or have begun, and so many are in hand. */
  wanted(busy: number, waiting: number, inHand: number): number {
    const ahead = Math.max(this.#ahead, Math.min(this.#count, this.#batch));
    const target = this.#concurrency + ahead;
    const room = Math.min(target - busy, target + MOST_IN_HAND - inHand);
    if (waiting > 0 && room < target / 2) return 0;
    const fit = this.#bytes > 0 ? Math.max(1, Math.floor(MOST_BYTES / this.#bytes)) : 100;
    return Math.max(0, Math.min(room, fit, 1000));
  }
}
