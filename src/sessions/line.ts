import { AsyncLocalStorage } from "node:async_hooks";
import { endsWithin } from "../util/abort.ts";

/** How often those who wait look whether the request has ended, in milliseconds. */
const LOOK_EVERY = 250;

/** Runs one thing after the other, however long each takes, until the request ends. */
export class Line {
  readonly #request: { readonly signal: AbortSignal };
  /** Who is inside of what runs. */
  readonly #inside = new AsyncLocalStorage<{ runs: boolean }>();
  #last: Promise<void> | undefined;

  /** Creates it; the signal of the request ends all waits. */
  constructor(request: { readonly signal: AbortSignal }) {
    this.#request = request;
  }

  /**
   * Runs it when all before have ended, or rejects with the reason of a signal that comes first. What is called by
   * something that runs does not wait for it.
   */
  async take<T>(run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#inside.getStore()?.runs) return await run();
    const before = this.#last;
    const within = async () => {
      const here = { runs: true };
      try {
        return await this.#inside.run(here, run);
      } finally {
        here.runs = false; // what it has left behind comes in its turn
      }
    };
    const turn = before ? this.#wait(before, signal).then(within) : within();
    // Who has given up the wait leaves the place to those before.
    const ended = turn.then(() => {}, () => before);
    this.#last = ended;
    try {
      return await turn;
    } finally {
      if (this.#last === ended) this.#last = undefined;
    }
  }

  /** Resolves to whether all that was called ended within so many milliseconds. */
  async endsWithin(milliseconds: number): Promise<boolean> {
    const started = performance.now();
    for (let last = this.#last; last; last = this.#last) {
      if (!await endsWithin(last, milliseconds - (performance.now() - started))) return false;
    }
    return true;
  }

  async #wait(before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    // A listener would tell at once, but Deno complains where the signal of a request that is answered is as much as
    // looked at.
    while (!await endsWithin(before, LOOK_EVERY, signal)) {
      signal?.throwIfAborted();
      this.#request.signal.throwIfAborted();
    }
  }
}
