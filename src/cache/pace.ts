import { turn } from "../util/turn.ts";

/** Most keys that are worked on before others get their turn. */
const KEYS = 250;
/** Milliseconds of work after which they get it sooner, because values are large. */
const MILLISECONDS = 8;

/** Sees to it that a call for many keys leaves others their turn of the event loop. */
export class Pace {
  #keys = 0;
  #since = performance.now();

  /** Counts one more key, and tells whether it is time for others before that. */
  get due(): boolean {
    return this.#keys++ >= KEYS || (this.#keys > 1 && performance.now() - this.#since > MILLISECONDS);
  }

  /** Lets others have their turn. */
  async rest(): Promise<void> {
    await turn();
    this.#keys = 1;
    this.#since = performance.now();
  }
}

/** Starts something for each key, some at a time. */
export async function inTurns<R>(keys: readonly string[], start: (key: string) => Promise<R>): Promise<Promise<R>[]> {
  const pace = new Pace();
  const started: Promise<R>[] = [];
  for (const key of keys) {
    if (pace.due) await pace.rest();
    const one = start(key);
    one.catch(() => {}); // told when all have begun
    started.push(one);
  }
  return started;
}
