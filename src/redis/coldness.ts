/** From which part on it is cold. */
const COLD = 0.4;

/**
 * Whether what is read without a script finds nothing that will do, mostly. If so, the script that is asked then is
 * asked at once, which saves a round trip; else it is not asked at all, which saves the server most of the work.
 */
export class Coldness {
  readonly #reads: number;
  #part: number;

  /**
   * @param reads How many of the last reads count, about.
   * @param part Which part of them is taken to have found nothing at first.
   */
  constructor(reads: number, part: number) {
    this.#reads = reads;
    this.#part = part;
  }

  /** Whether it is cold. */
  get cold(): boolean {
    return this.#part > COLD;
  }

  /** One more read. */
  add(found: boolean): void {
    this.#part += ((found ? 0 : 1) - this.#part) / this.#reads;
  }
}
