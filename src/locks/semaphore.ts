import { describe } from "../util/describe.ts";
import type { Acquirer } from "./acquirer.ts";
import { LockTimeoutError } from "./errors.ts";
import type { HeldLock, Lock } from "./lock.ts";
import { type LockOptions, type LockTimes, timesOf, type TryLockOptions, tryTimesOf } from "./options.ts";

/**
 * A lock that several may hold at a time: what is held is a permit, with a number, a signal and the like, as a lock
 * has them.
 */
export interface Semaphore {
  /** Its name. */
  readonly name: string;
  /** How many may hold it at a time. */
  readonly permits: number;
  /**
   * Runs a job while a permit is held.
   *
   * @typeParam Value What the job gives.
   * @param job What is done.
   * @param options As those of a lock.
   * @returns What the job gives.
   * @throws {LockTimeoutError} If there is none in time.
   * @throws {UnavailableError} If Redis does not answer.
   */
  withPermit<Value>(job: (permit: Lock) => Value | Promise<Value>, options?: LockOptions): Promise<Value>;
  /**
   * Acquires a permit, which is extended until it is released.
   *
   * @param options As those of a lock.
   * @returns The permit.
   * @throws {LockTimeoutError} If there is none in time.
   * @throws {UnavailableError} If Redis does not answer.
   */
  acquire(options?: LockOptions): Promise<Lock>;
  /**
   * Acquires a permit if there is one and nobody is in line for it.
   *
   * @param options As those of a lock.
   * @returns The permit, or `undefined`.
   * @throws {UnavailableError} If Redis does not answer.
   */
  tryAcquire(options?: TryLockOptions): Promise<Lock | undefined>;
}

/** A semaphore by name. */
export class NamedSemaphore implements Semaphore {
  readonly name: string;
  readonly permits: number;
  readonly #acquirer: Acquirer;
  readonly #defaults: LockOptions;

  constructor(acquirer: Acquirer, name: string, permits: number, { ttl, wait, durability }: LockOptions) {
    this.#acquirer = acquirer;
    this.name = name;
    this.permits = permits;
    this.#defaults = { ttl, wait, durability };
  }

  async withPermit<Value>(
    job: (permit: Lock) => Value | Promise<Value>,
    options: LockOptions = {},
  ): Promise<Value> {
    if (typeof job !== "function") {
      throw new TypeError(`Cannot run with a permit: wanted a function as the job, got ${describe(job)}`);
    }
    const permit = await this.acquire(options);
    try {
      return await job(permit);
    } finally {
      await permit.release();
    }
  }

  async acquire(options: LockOptions = {}): Promise<Lock> {
    const times = timesOf(options, "acquire a permit", this.#defaults);
    const permit = await this.#acquire(times);
    if (permit) return permit;
    throw new LockTimeoutError(this.name, times.wait);
  }

  async tryAcquire(options: TryLockOptions = {}): Promise<Lock | undefined> {
    return await this.#acquire(tryTimesOf(options, "acquire a permit", this.#defaults));
  }

  #acquire(times: LockTimes): Promise<HeldLock | undefined> {
    const { name, permits } = this;
    return this.#acquirer.acquire({ key: `s:${name}`, name, permits, ...times });
  }
}
