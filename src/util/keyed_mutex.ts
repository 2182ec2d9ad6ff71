import { endsWithin } from "./abort.ts";

/** How long anybody waits for those before, in milliseconds: one who never ends must not hold up all others. */
const PATIENCE = 2000;

/** A mutex for each key: calls with the same key run one after the other, and none waits for more than 2 s. */
export class KeyedMutex {
  /** By key, the last call that runs or waits. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs a call when those before it with the same key have ended. The signal ends the wait for them. */
  async runExclusive<T>(key: string, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(key);
    const call = before ? turnAfter(before, signal).then(run) : run();
    this.#last.set(key, call);
    try {
      return await call;
    } finally {
      if (this.#last.get(key) === call) this.#last.delete(key);
    }
  }
}

async function turnAfter(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!await endsWithin(before, PATIENCE, signal)) signal?.throwIfAborted();
}
