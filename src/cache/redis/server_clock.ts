import type { Batch } from "../../redis/batch.ts";
import { decoder } from "../../util/utf8.ts";

/** Milliseconds for which the best estimate of the server's time is kept. */
const BEST_KEPT = 5000;

/** What is known of the time of the server at the end of a connection. */
export class ServerClock {
  readonly #batch: Batch;
  /** A key of the server. */
  readonly #route: string;
  #ahead = -Infinity;
  #aheadAt = -Infinity;
  #generation = -1;

  constructor(batch: Batch, route: string) {
    this.#batch = batch;
    this.#route = route;
  }

  /** Whether it is known. */
  get known(): boolean {
    return this.#generation === this.#batch.client.generation;
  }

  /** What to add to `performance.now()` to get the server's time in milliseconds, or a little less. */
  get ahead(): number {
    return this.known ? this.#ahead : -Infinity;
  }

  /** The server's time in milliseconds was this just now, at the earliest. */
  received(now: number): void {
    const here = performance.now();
    // The later a reply is looked at, the less it says: the best of the last seconds counts. Clocks are set, so none
    // counts for long.
    if (!this.known || now - here >= this.#ahead || here - this.#aheadAt > BEST_KEPT) {
      this.#ahead = now - here;
      this.#aheadAt = here;
    }
    this.#generation = this.#batch.client.generation;
  }

  /** Asks the server for its time. */
  async ask(): Promise<void> {
    const options = { operation: "write cache entries", route: this.#route };
    const [seconds, micros] = await this.#batch.send("TIME", [], options) as [Uint8Array, Uint8Array];
    this.received(Number(decoder.decode(seconds)) * 1000 + Math.floor(Number(decoder.decode(micros)) / 1000));
  }
}
