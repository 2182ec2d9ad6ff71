/** Tags that are doubted one by one; where there are more, everything is. */
const MOST = 1000;

/**
 * What somebody said was invalidated, until the records were looked at. A copy that is doubted is not used meanwhile:
 * the message may be true. However many messages come, one look is on its way at a time.
 */
export class Doubts {
  readonly #look: () => Promise<unknown>;
  readonly #failed: () => void;
  #told = new Set<string>();
  #asked: ReadonlySet<string> = this.#told;
  #all = false;
  #askedAll = false;
  #looking = false;

  /**
   * @param look Reads what is new in the records.
   * @param failed Told when they could not be read.
   */
  constructor(look: () => Promise<unknown>, failed: () => void) {
    this.#look = look;
    this.#failed = failed;
  }

  /** A tag may have been invalidated; without one, anything. */
  add(tag?: string): void {
    if (tag === undefined || this.#told.size >= MOST) this.#all = true;
    else this.#told.add(tag);
    if (!this.#looking) void this.#run();
  }

  /** Whether something with these tags may have been invalidated. */
  about(tags: readonly string[]): boolean {
    if (!this.#looking) return false;
    if (this.#all || this.#askedAll) return true;
    return tags.some((tag) => this.#told.has(tag) || this.#asked.has(tag));
  }

  async #run(): Promise<void> {
    this.#looking = true;
    try {
      while (this.#all || this.#told.size > 0) {
        this.#asked = this.#told;
        this.#askedAll = this.#all;
        this.#told = new Set();
        this.#all = false;
        await this.#look();
      }
    } catch {
      this.#told = new Set();
      this.#all = false;
      this.#failed();
    } finally {
      this.#asked = this.#told;
      this.#askedAll = false;
      this.#looking = false;
    }
  }
}
