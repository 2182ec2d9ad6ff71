import type { UnavailableError } from "../errors.ts";
import type { Deadline } from "./deadline.ts";
import type { Due } from "./grace_period.ts";

interface Waiter extends Due {
  readonly within: Deadline;
  readonly expire: () => void;
}

/** Those who wait for what others have called. */
export class Held {
  readonly #gracePeriod: number;
  readonly #error: (operation: string) => UnavailableError;
  readonly #left: () => void;
  readonly #waiters = new Set<Waiter>();

  /** The grace period is what a process that was busy gives them; `left` is told when one need not wait any more. */
  constructor(gracePeriod: number, error: (operation: string) => UnavailableError, left: () => void) {
    this.#gracePeriod = gracePeriod;
    this.#error = error;
    this.#left = left;
  }

  /** What has a deadline. */
  get dues(): ReadonlySet<Due> {
    return this.#waiters;
  }

  /** Waits for some work until the deadline, which begins now. */
  add<T>(work: Promise<T>, within: Deadline, operation: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        deadline: within.begin(),
        gracePeriod: this.#gracePeriod,
        gracePeriods: 0,
        within,
        expire: () => {
          this.#waiters.delete(waiter);
          reject(this.#error(operation));
        },
      };
      this.#waiters.add(waiter);
      work.then(resolve, reject).finally(() => {
        if (this.#waiters.delete(waiter)) this.#left();
      });
    });
  }

  /** Ends the wait of those whose time has come. */
  expire(now: number): void {
    for (const waiter of this.#waiters) {
      // What it waits for may have to wait for its turn, and has its time from then on.
      if (waiter.deadline < waiter.within.end) waiter.deadline = waiter.within.end;
      if (waiter.deadline <= now) waiter.expire();
    }
  }
}
