import { UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import { Deadline } from "../../redis/deadline.ts";
import { unref } from "../../util/timers.ts";
import { InvalidationQueue } from "./invalidation_queue.ts";

/** How often invalidations that wait are tried again without being asked for, in milliseconds. */
const EVERY = 500;

/**
 * Keeps invalidations of one slot that Redis has not answered, and makes up for them before the next read of it is
 * trusted. Other slots do not wait for that: they may be on other servers.
 */
export class Replay {
  readonly #batch: Batch;
  /** Carries out what was kept. */
  readonly #carryOut: (queue: InvalidationQueue) => Promise<void>;
  readonly #queue = new InvalidationQueue();
  #running: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Those that are being carried out. */
  #underway: InvalidationQueue | undefined;
  #waiting = 0;
  #closed = false;

  constructor(batch: Batch, carryOut: (queue: InvalidationQueue) => Promise<void>) {
    this.#batch = batch;
    this.#carryOut = carryOut;
  }

  /** Adds those that wait to others, those that are being carried out among them. */
  addTo(all: InvalidationQueue): void {
    if (this.#underway) all.putBack(this.#underway);
    all.putBack(this.#queue);
  }

  /** Whether any wait. */
  get behind(): boolean {
    return this.#queue.size > 0 || this.#running !== undefined;
  }

  /** Keeps an invalidation, and sees to it that other processes need not wait until this one does something. */
  keep(add: (queue: InvalidationQueue) => void): void {
    add(this.#queue);
    if (this.#closed || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      // What fails is in the queue again.
      this.done("replay invalidations").catch(() => this.keep(() => {}));
    }, EVERY);
    unref(this.#retry);
  }

  /**
   * Resolves when none waits any more; rejects when they cannot be carried out yet, or that takes longer than a command
   * may.
   */
  async done(operation: string, within: Deadline = new Deadline(this.#batch.commandTimeout)): Promise<void> {
    if (!this.behind) return;
    if (this.#waiting >= this.#batch.maxQueued) throw this.#batch.diagnosis.unavailable(operation, "overload");
    this.#waiting++;
    try {
      while (this.behind) {
        this.#running ??= this.#run().finally(() => this.#running = undefined);
        await this.#batch.hold(this.#running, within, operation);
      }
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      throw new UnavailableError(operation, error.reason, { cause: error.cause ?? error });
    } finally {
      this.#waiting--;
    }
  }

  /** Whether any wait that are not being carried out. */
  get isEmpty(): boolean {
    return this.#queue.size === 0;
  }

  /** Tries no more by itself. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    const queue = this.#underway = this.#queue.take();
    try {
      await this.#carryOut(queue);
    } catch (error) {
      this.#queue.putBack(queue);
      throw error;
    } finally {
      this.#underway = undefined;
    }
  }
}
