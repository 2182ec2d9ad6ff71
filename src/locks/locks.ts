import { AsyncLocalStorage } from "node:async_hooks";
import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { lockTracer } from "../observe/telemetry.ts";
import { describe } from "../util/describe.ts";
import { assertKey } from "../util/keys.ts";
import { endLeak, heldOutside } from "../util/leaked_context.ts";
import { Acquirer, type LockRequest } from "./acquirer.ts";
import { LockTimeoutError } from "./errors.ts";
import { type Done, type IdempotentResult, runIdempotent } from "./idempotent.ts";
import type { HeldLock, Lock } from "./lock.ts";
import { type OnceResult, runOnce } from "./once.ts";
import {
  idempotentOf,
  type IdempotentOptions,
  type LockOptions,
  onceOf,
  type OnceOptions,
  permitsOf,
  type SemaphoreOptions,
  timesOf,
  type TryLockOptions,
  tryTimesOf,
} from "./options.ts";
import { NamedSemaphore, type Semaphore } from "./semaphore.ts";
import { CallCounts, type LockStats } from "./stats.ts";
import type { LockStore } from "./store.ts";

/**
 * Locks between processes: one at a time, first come, first served, each with a number that only grows.
 *
 * @example One at a time
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * let running = 0;
 * const report = () =>
 *   redis.locks.withLock("report", { ttl: "30s", wait: "5s" }, async (lock) => {
 *     assert.equal(++running, 1);
 *     await Promise.resolve();
 *     running--;
 *     return lock.token; // goes with what is written: see docs/locks.md
 *   });
 * const [first, second] = await Promise.all([report(), report()]);
 * assert.ok(second > first);
 * ```
 */
export class Locks implements AsyncDisposable {
  readonly #acquirer: Acquirer;
  readonly #store: LockStore;
  readonly #idempotent = new CallCounts("ran", "kept", "running");
  readonly #once = new CallCounts("ran", "skipped");
  /** The locks that are held around a call. */
  readonly #around = new AsyncLocalStorage<ReadonlyMap<string, HeldLock>>();

  /**
   * Creates locks. `connect()` does it for you.
   *
   * @param store Where they are.
   * @param on Told what is acquired, waited for and lost.
   */
  constructor(store: LockStore, on?: EventListener) {
    this.#store = store;
    this.#acquirer = new Acquirer(store, safeListener(on));
  }

  /**
   * Runs a job while a lock is held, and gives it up afterwards, however the job ends.
   *
   * @typeParam Value What the job gives.
   * @param name What is locked, up to 512 bytes.
   * @param options How long it is held by a process that died, how long to wait, a signal.
   * @param job What is done. It has the lock, whose `signal` says that it was lost.
   * @returns What the job gives.
   * @throws {LockTimeoutError} If it is not free in time.
   * @throws {UnavailableError} If Redis does not answer.
   * @throws {TypeError | RangeError} If an argument cannot be used, or the lock is held already by whoever calls.
   */
  withLock<Value>(name: string, options: LockOptions, job: (lock: Lock) => Value | Promise<Value>): Promise<Value>;
  /**
   * The same with the usual times.
   *
   * @typeParam Value What the job gives.
   * @param name What is locked.
   * @param job What is done.
   * @returns What the job gives.
   */
  withLock<Value>(name: string, job: (lock: Lock) => Value | Promise<Value>): Promise<Value>;
  async withLock<Value>(
    name: string,
    ...rest:
      | [options: LockOptions, job: (lock: Lock) => Value | Promise<Value>]
      | [job: (lock: Lock) => Value | Promise<Value>]
  ): Promise<Value> {
    const [options, job] = rest.length === 1 ? [{}, rest[0]] : rest;
    if (typeof job !== "function") {
      throw new TypeError(`Cannot run with a lock: wanted a function as the job, got ${describe(job)}`);
    }
    const lock = await this.#acquire(name, options);
    try {
      const around = new Map(this.#around.getStore()).set(lock.key, lock);
      const trace = lockTracer();
      return await this.#around.run(around, () => trace ? trace("hold", async () => await job(lock)) : job(lock));
    } finally {
      await lock.release();
    }
  }

  /**
   * Acquires a lock, which is extended until it is released: `await using lock = await redis.locks.acquire("report")`.
   *
   * @param name What is locked, up to 512 bytes.
   * @param options How long it is held by a process that died, how long to wait, a signal.
   * @returns The lock.
   * @throws {LockTimeoutError} If it is not free in time.
   * @throws {UnavailableError} If Redis does not answer.
   * @throws {TypeError | RangeError} If an argument cannot be used, or the lock is held already by whoever calls.
   */
  async acquire(name: string, options: LockOptions = {}): Promise<Lock> {
    return await this.#acquire(name, options);
  }

  /**
   * Acquires a lock if it is free and nobody is in line for it.
   *
   * @param name What is locked, up to 512 bytes.
   * @param options How long it is held by a process that died, a signal.
   * @returns The lock, or `undefined`.
   * @throws {UnavailableError} If Redis does not answer.
   * @throws {TypeError | RangeError} If an argument cannot be used, or the lock is held already by whoever calls.
   */
  async tryAcquire(name: string, options: TryLockOptions = {}): Promise<Lock | undefined> {
    const request = { ...requestOf(name), ...tryTimesOf(options, "acquire a lock") };
    if (this.#isHeldAround(request.key)) await this.#assertNotWithin(name);
    return await this.#acquirer.acquire(request);
  }

  /**
   * A lock that several may hold at a time.
   *
   * @param name What is limited, up to 512 bytes. A lock of the same name is another thing.
   * @param options How many at a time, and the times of a lock.
   * @returns The semaphore.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   *
   * @example Two at a time
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const exports = redis.locks.semaphore("exports", { permits: 2 });
   * const [a, b, c] = await Promise.all([exports.tryAcquire(), exports.tryAcquire(), exports.tryAcquire()]);
   * assert.deepEqual([a?.held, b?.held, c?.held], [true, true, undefined]);
   * await Promise.all([a?.release(), b?.release()]);
   * ```
   */
  semaphore(name: string, options: SemaphoreOptions): Semaphore {
    assertKey(name, undefined, "make a semaphore");
    return new NamedSemaphore(this.#acquirer, name, permitsOf(options), options);
  }

  /**
   * Runs a job if it is due, in one of all processes that call: each time that `every` has passed since the last run,
   * which Redis keeps.
   * Call it as often as you like, as from a timer in every process. A job that throws, or whose process dies, counts
   * as not run.
   *
   * @typeParam Value What the job gives.
   * @param name What is run, up to 512 bytes.
   * @param options How often, and what becomes of a run that was missed.
   * @param job What is done. It has the lock, whose `signal` says that it was lost.
   * @returns Whether this call ran it, and what it gave.
   * @throws {UnavailableError} If Redis does not answer: nothing is run then.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   *
   * @example Once an hour
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * let runs = 0;
   * const clean = () => redis.locks.once("clean", { every: "1h" }, () => ++runs);
   * const all = await Promise.all([clean(), clean(), clean()]);
   * assert.deepEqual([runs, all.filter(({ ran }) => ran).length], [1, 1]);
   * assert.equal((await clean()).ran, false);
   * ```
   */
  async once<Value>(
    name: string,
    options: OnceOptions,
    job: (lock: Lock) => Value | Promise<Value>,
  ): Promise<OnceResult<Value>> {
    assertKey(name, undefined, "run once");
    const once = onceOf(options);
    if (typeof job !== "function") {
      throw new TypeError(`Cannot run once: wanted a function as the job, got ${describe(job)}`);
    }
    const call = runOnce(this.#acquirer, this.#store, name, once, job);
    return await this.#once.count(call, ({ ran }) => ran ? "ran" : "skipped");
  }

  /**
   * Runs a job once for all who ask by the same key: the first runs it, and what it says to keep is given to all who
   * come later. A job that throws, keeps nothing, or whose process dies, counts as not done.
   * [`idempotent()`](https://jsr.io/@larder/larder/doc/http/~/idempotent) of `@larder/larder/http` does that for
   * requests with `Idempotency-Key`.
   *
   * @typeParam Value What the job gives to who runs it.
   * @param key What is done, up to 512 bytes.
   * @param options For how long it is kept.
   * @param job What is done. It has the lock, whose `signal` says that it was lost.
   * @returns What the job gave, what was kept of it, or that another runs it now.
   * @throws {UnavailableError} If Redis does not answer: nothing is run then.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   *
   * @example A message that comes twice
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * let paid = 0;
   * const pay = () =>
   *   redis.locks.idempotent("payment:7", { ttl: "24h" }, () => {
   *     paid++;
   *     return { value: "paid", keep: new TextEncoder().encode("paid") };
   *   });
   * assert.deepEqual(await pay(), { state: "ran", value: "paid" });
   * assert.equal((await pay()).state, "kept");
   * assert.equal(paid, 1);
   * ```
   */
  async idempotent<Value>(
    key: string,
    options: IdempotentOptions,
    job: (lock: Lock) => Done<Value> | Promise<Done<Value>>,
  ): Promise<IdempotentResult<Value>> {
    assertKey(key, undefined, "run what is idempotent");
    const times = idempotentOf(options);
    if (typeof job !== "function") {
      throw new TypeError(`Cannot run what is idempotent: wanted a function as the job, got ${describe(job)}`);
    }
    const call = runIdempotent(this.#acquirer, this.#store, key, times, job);
    return await this.#idempotent.count(call, ({ state }) => state);
  }

  /** What was done in this process so far. */
  stats(): LockStats {
    return { ...this.#acquirer.stats(), idempotent: this.#idempotent.get(), once: this.#once.get() };
  }

  /**
   * Gives up what is held, and ends the wait of those in line.
   *
   * @param by What ends it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await this.#acquirer.close(by);
  }

  async #acquire(name: string, options: LockOptions): Promise<HeldLock> {
    const request = { ...requestOf(name), ...timesOf(options, "acquire a lock") };
    if (this.#isHeldAround(request.key)) await this.#assertNotWithin(name);
    const lock = await this.#acquirer.acquire(request);
    if (lock) return lock;
    throw new LockTimeoutError(name, request.wait);
  }

  #isHeldAround(key: string): boolean {
    return this.#around.getStore()?.get(key)?.held === true;
  }

  /** Refuses who would wait for himself, unless he only seems to be within: see {@linkcode endLeak}. */
  async #assertNotWithin(name: string): Promise<void> {
    if (await heldOutside(this.#around) === this.#around.getStore()) return endLeak(this.#around);
    const wanted = "wanted one that is not held around this call, since it would wait for itself";
    throw new TypeError(`Cannot acquire lock ${JSON.stringify(name)}: ${wanted}`);
  }
}

/** What is asked for, without the times. */
function requestOf(name: string): Pick<LockRequest, "key" | "name" | "permits"> {
  assertKey(name, undefined, "acquire a lock");
  return { key: `l:${name}`, name, permits: 1 };
}
