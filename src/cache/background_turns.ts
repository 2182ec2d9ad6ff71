import { microturns, turn } from "../util/turn.ts";

/**
 * Turns of the microtask queue in which who was given a stale value goes on, before what refreshes it takes its time.
 */
const TURNS = 10;
/**
 * Milliseconds that a loader takes before its first `await`, from which on those after it wait for a turn of the event
 * loop.
 */
const COMPUTES = 20;
/** For how many milliseconds they do. */
const COMPUTES_KEPT = 60_000;

/** When loaders in the background begin: whoever was given a stale value comes first. */
export class BackgroundTurns {
  #computesUntil = -Infinity;

  /** A loader was called at this time, and has come to its first `await`. */
  called(at: number): void {
    const now = performance.now();
    if (now - at > COMPUTES) this.#computesUntil = now + COMPUTES_KEPT;
  }

  /** Waits for the turn of a loader. */
  async turn(signal: AbortSignal): Promise<void> {
    if (performance.now() < this.#computesUntil) await turn(signal);
    else await microturns(TURNS);
    signal.throwIfAborted();
  }
}
