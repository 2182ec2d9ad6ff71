import type { Place, Settled, StreamStore } from "./store.ts";

/** How many go with one call. */
const MOST = 500;

interface Waiting extends Settled {
  resolve(done: boolean): void;
  reject(error: unknown): void;
}

/** Acknowledges the messages of a place: what comes while a call is out goes with the next. */
export class Acks {
  readonly #store: StreamStore;
  readonly #place: Place;
  /** Waits before it is tried again; tells whether it is. */
  readonly #again: (error: unknown, attempt: number) => Promise<boolean>;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;

  constructor(store: StreamStore, place: Place, again: (error: unknown, attempt: number) => Promise<boolean>) {
    this.#store = store;
    this.#place = place;
    this.#again = again;
  }

  /** Acknowledges one; tells whether it was pending. */
  add(settled: Settled): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...settled, resolve, reject });
      this.#flushing ??= Promise.resolve().then(() => this.#flush());
    });
  }

  /** Resolves when none is on its way. */
  async idle(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, MOST);
      try {
        const done = await this.#call(some);
        some.forEach(({ resolve }, i) => resolve(done?.[i] ?? false));
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#flushing = undefined;
  }

  async #call(some: readonly Waiting[]): Promise<readonly boolean[] | undefined> {
    for (let attempt = 0;; attempt++) {
      try {
        const settled = some.map(({ id, key }) => ({ id, key }));
        const done = await this.#store.ack(this.#place, settled);
        // One that was written before the connection failed may have been answered by nobody.
        return attempt > 0 && done ? done.map(() => true) : done;
      } catch (error) {
        if (!await this.#again(error, attempt)) throw error;
      }
    }
  }
}
