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
  /** Those that are left; 0 = nothing is scheduled. */
  #turns = 0;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Asks for it. */
  set(): void {
    if (this.#turns > 0) return;
    this.#turns = TURNS;
    void resolved.then(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turns > 0) void resolved.then(this.#turn);
    else this.#run();
  };
}
