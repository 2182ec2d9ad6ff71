import { abortable } from "./abort.ts";

/** How long anybody waits for those before, in milliseconds: one who never ends must not hold up all others. */
const PATIENCE = 2000;

/** Runs what has the same name one after the other, as far as that does not take too long. */
export class Turns {
  /** The last of those that are under way or wait. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs it when those before have ended. The signal ends the wait for them. */
  async take<T>(name: string, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(name);
    const turn = before ? abortable(ended(before), signal).then(run) : run();
    this.#last.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(name) === turn) this.#last.delete(name);
    }
  }
}

function ended(promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(end, end);
  });
}
