/** Most bytes that are asked for of a value of unknown length, and the fewest. */
const [MOST, LEAST] = [16 * 1024, 4 * 1024];
/** How many that turn out to be much shorter it takes to ask for less. */
const RUN = 256;

/**
 * How many bytes are asked for of a value whose length is not known: those of most entries, and few enough for many.
 */
export class Probe {
  #bytes = MOST;
  #short = 0;

  /** How many. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many are likely to come, at most. */
  get expected(): number {
    return this.#bytes / 4;
  }

  /** So many came. */
  learn(bytes: number): void {
    if (bytes >= this.#bytes) {
      this.#bytes = MOST;
      this.#short = 0;
    } else if (bytes > this.expected) {
      this.#short = 0;
    } else if (++this.#short >= RUN && this.#bytes > LEAST) {
      this.#bytes /= 2;
      this.#short = 0;
    }
  }
}
