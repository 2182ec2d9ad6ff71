import { abortable, delay } from "../util/abort.ts";
import { disposing } from "../util/disposing.ts";
import type { Answers } from "./answers.ts";
import type { Flight, Outcome } from "./flight.ts";
import { AbsentError, type LoadRequest } from "./load_request.ts";
import type { MissHost } from "./miss_host.ts";
import type { Patience } from "./patience.ts";
import type { Found } from "./values.ts";
import { waitFor } from "./waits.ts";

/** What comes of one look at a miss: a value, how to read again, or neither when the store cannot help. */
export type Step<T> = { readonly value: T } | { readonly again?: Again };

/** How a caller reads again. */
export interface Again {
  /** What is as old as this is of no use. */
  readonly unusable?: number;
  /** Whether the lease is taken from whoever holds it, unless there is another flight by then than `from`. */
  readonly steal?: boolean;
  /** The flight of this process at the time of the decision. */
  readonly from?: Flight | undefined;
}

/** A flight took longer than its caller waits for it. */
const TOO_LATE = Symbol("too late");

/** One caller's waits for flights of this process: its own, and those that it joins. */
export class FlightWait<T> {
  readonly #host: MissHost;
  readonly #request: LoadRequest<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #answers: Answers<T>;
  readonly #patience: Patience;
  readonly #began: number;

  /** `began` is how many loaders had been started when the caller came. */
  constructor(
    host: MissHost,
    request: LoadRequest<T>,
    signal: AbortSignal | undefined,
    answers: Answers<T>,
    patience: Patience,
    began: number,
  ) {
    this.#host = host;
    this.#request = request;
    this.#signal = signal;
    this.#answers = answers;
    this.#patience = patience;
    this.#began = began;
  }

  /** Whether a flight began after the caller came: what it gives is new enough, whatever was invalidated meanwhile. */
  isLater(flight: Flight): boolean {
    return flight.number > this.#began;
  }

  /** What the caller's own flight gives, or the older value that there is. */
  async own(flight: Flight, fallback: Found<T>): Promise<T> {
    const { timeout, absent } = this.#request;
    let outcome: Outcome | typeof TOO_LATE;
    try {
      outcome = await this.#outcome(flight, fallback && timeout !== undefined ? timeout : Infinity);
    } catch (error) {
      return this.#instead(error, fallback);
    }
    if (outcome === TOO_LATE) return this.#answers.hit(fallback!, true); // the loader goes on for those who come later
    this.#answers.miss();
    if (outcome.absent && absent) throw new AbsentError();
    return await this.#answers.own(outcome);
  }

  /** What a flight gives that somebody else has started, or how to read again when that is not for this caller. */
  async join(flight: Flight, fallback: Found<T>): Promise<Step<T>> {
    const { timeout, absent } = this.#request;
    const soft = fallback && timeout !== undefined ? timeout : Infinity;
    const left = this.#patience.here(this.isLater(flight));
    let outcome: Outcome | typeof TOO_LATE;
    try {
      outcome = await this.#outcome(flight, Math.min(soft, left));
    } catch (error) {
      if (error instanceof AbsentError && !absent) return { again: {} };
      return { value: this.#instead(error, fallback) };
    }
    if (outcome === TOO_LATE) {
      if (left >= soft) return { value: this.#answers.hit(fallback!, true) };
      // Who has given up before, and loads by now, is looked at again.
      return { again: { steal: true, from: flight } };
    }
    if (!this.isLater(flight) && !this.#host.store.isCurrent(flight)) return { again: {} };
    const found = await this.#answers.valueOf(flight, outcome);
    return found ? { value: this.#answers.shared(found.value) } : { again: {} };
  }

  /** Waits until a flight is over, whatever it gives; `false` when that takes longer than the caller waits for it. */
  async isOver(flight: Flight): Promise<boolean> {
    const over = flight.promise.then(() => {}, () => {});
    const left = this.#patience.here(this.isLater(flight));
    return await disposing(this.#waitFor(flight), () => this.#within(over, left)) !== TOO_LATE;
  }

  /**
   * Makes sure that a flight does not wait for the loader within which this is called.
   *
   * @throws {LoaderCycleError} If it does.
   */
  assertNoCycle(flight: Flight): void {
    waitFor(flight.run)?.[Symbol.dispose]();
  }

  /** As {@linkcode assertNoCycle}, unless a deadline of the caller's own ends the wait. */
  assertMayWait(flight: Flight): void {
    this.#waitFor(flight)?.[Symbol.dispose]();
  }

  /** An older value in place of a failure. That there is no value any more is an answer, not a failure. */
  #instead(error: unknown, fallback: Found<T>): T {
    if (!fallback || error instanceof AbsentError || this.#signal?.aborted) throw error;
    return this.#answers.hit(fallback, true);
  }

  async #outcome(flight: Flight, most: number): Promise<Outcome | typeof TOO_LATE> {
    return await disposing(this.#waitFor(flight), () => this.#within(flight.promise, most));
  }

  /** What a promise gives within so many milliseconds. */
  async #within<R>(promise: Promise<R>, most: number): Promise<R | typeof TOO_LATE> {
    const landing = abortable(promise, this.#signal);
    if (most === Infinity) return await landing;
    const late = new AbortController();
    landing.catch(() => {}); // may fail after nobody waits
    try {
      return await Promise.race([landing, delay(Math.max(0, most), late.signal).then(() => TOO_LATE)]) as
        | R
        | typeof TOO_LATE;
    } finally {
      late.abort();
    }
  }

  /**
   * Notes that the loader within which this is called waits for a flight, unless a deadline of its own ends that wait.
   */
  #waitFor(flight: Flight): Disposable | undefined {
    try {
      return waitFor(flight.run);
    } catch (error) {
      const { onCycle } = this.#request;
      if (!onCycle) throw error;
      onCycle(error);
    }
  }
}
