import type { Product } from "../catalogue/product.ts";
import type { Catalogue } from "../catalogue/service.ts";

/** Milliseconds from one group of readers to the next. */
const PACE = 200;
/** How many come at a time. */
const GROUP = 6;
/** How many may be waiting, before no more come. */
const MOST_WAITING = 200;

/** Reads of the catalogue, with a watch in hand; and readers who come by themselves while somebody looks on. */
export class Readers {
  /** Whether readers stay away although somebody looks on. */
  paused = false;
  readonly #catalogue: Catalogue;
  readonly #ids: readonly number[];
  #durations: number[] = [];
  #waiting = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(catalogue: Catalogue, ids: readonly number[]) {
    this.#catalogue = catalogue;
    this.#ids = ids;
  }

  /** Reads a product. */
  product(id: number): Promise<Product | null> {
    return this.#timed(() => this.#catalogue.product(id));
  }

  /** The milliseconds of all reads since this was last asked. */
  take(): number[] {
    const durations = this.#durations;
    this.#durations = [];
    return durations;
  }

  /** Lets readers come. */
  start(): void {
    this.#timer ??= setInterval(() => this.#come(), PACE);
  }

  /** Lets no more come. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #come(): void {
    if (this.paused || this.#waiting > MOST_WAITING) return;
    for (let i = 0; i < GROUP; i++) {
      // Some products are wanted more than others, and one reader of six wants to know whether there are any left.
      const id = this.#ids[Math.floor(Math.random() ** 1.5 * this.#ids.length)]!;
      const read = i === 0 ? () => this.#catalogue.stock(id) : () => this.#catalogue.product(id);
      this.#timed<unknown>(read).catch(() => {}); // that the origin fails is told by an event
    }
  }

  async #timed<T>(read: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.#waiting++;
    try {
      return await read();
    } finally {
      this.#waiting--;
      this.#durations.push(performance.now() - began);
    }
  }
}
