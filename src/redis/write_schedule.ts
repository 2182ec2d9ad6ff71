/**
 * Microtask turns between the first call of a tick and the write. The continuations that one batch of replies wakes run
 * at different depths; these few turns (well under a microsecond each) let them all join the next write.
 */
const TURNS = 8;
/** Deno's own queueMicrotask() takes several times as long. */
const resolved = Promise.resolve();

/** Runs something once at the end of a tick, however often it is asked for meanwhile. */
export class WriteSchedule {
  readonly #run: () => void;
  #set = false;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Asks for it. */
  set(): void {
    if (this.#set) return;
    this.#set = true;
    void this.#wait();
  }

  /** A turn by `await` makes no promise of its own. */
  async #wait(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await resolved;
    this.#set = false;
    this.#run();
  }
}
