import {
  clearInterval as clearRealInterval,
  setInterval as setRealInterval,
  setTimeout as realSetTimeout,
} from "../util/real_timers.ts";

/** Milliseconds after which what keeps the process alive is looked at; nothing comes of it. */
const KEPT = 60_000;

/** What a deadline timer is for. */
export interface DeadlineTimerOptions {
  /** Called when it is time. */
  readonly ring: () => void;
  /** Whether anybody still waits for a time. */
  readonly isNeeded: () => boolean;
}

/**
 * Microtask turns for which those who were answered may go on before the timer is cleared: setting it costs as much as
 * ten reads.
 */
const TURNS = 32;

/** Deno's own queueMicrotask() takes several times as long. */
const resolved = Promise.resolve();

/** One timer for many deadlines. It may ring too early, for a deadline that is none any more, never too late. */
export class DeadlineTimer {
  readonly #options: DeadlineTimerOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The one that goes with the timer: whoever fakes the time may have come or gone meanwhile. */
  #clear: typeof clearTimeout = clearTimeout;
  #keeper: ReturnType<typeof setInterval> | undefined;
  #at = Infinity;
  #turns = 0;

  constructor(options: DeadlineTimerOptions) {
    this.#options = options;
  }

  /** Makes sure that it rings at a time by `performance.now()`. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.stop();
    this.#at = at;
    this.#clear = clearTimeout;
    // A time that is faked keeps no process alive, and may stand still for as long as whoever waits.
    if (setTimeout !== realSetTimeout) this.#keeper = setRealInterval(() => {}, KEPT);
    const timer = this.#timer = setTimeout(() => {
      if (timer !== this.#timer) return; // Deno 2.1 calls back although it was cleared, when it was due already
      this.#timer = undefined;
      clearRealInterval(this.#keeper);
      this.#at = Infinity;
      this.#options.ring();
    }, Math.max(0, Math.ceil(at - performance.now())));
  }

  /** Stops it, unless somebody needs it again at once: no timer of those who are done keeps the process alive. */
  rest(): void {
    if (this.#turns === 0) void resolved.then(this.#turn);
    this.#turns = TURNS;
  }

  /** Stops it. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearRealInterval(this.#keeper);
    const clear = this.#clear;
    try {
      clear(this.#timer);
    } catch {
      // The time that was faked is real again, and the timer gone with it.
    }
    this.#timer = undefined;
    this.#at = Infinity;
  }

  readonly #turn = (): void => {
    if (this.#options.isNeeded()) this.#turns = 0;
    else if (--this.#turns > 0) void resolved.then(this.#turn);
    else this.stop();
  };
}
