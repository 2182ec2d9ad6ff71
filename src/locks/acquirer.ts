import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import type { LockLoss } from "./errors.ts";
import { Keeper } from "./keeper.ts";
import { Leaver } from "./leaver.ts";
import { Lines, Turn } from "./lines.ts";
import { HeldLock } from "./lock.ts";
import type { LockTimes } from "./options.ts";
import type { LockStats } from "./stats.ts";
import type { LockStore, TakeAnswer, TakeRequest } from "./store.ts";

/** What is asked for. */
export interface LockRequest extends LockTimes {
  /** What is locked, in the store. */
  readonly key: string;
  /** Its name. */
  readonly name: string;
  /** How many may hold it at a time. */
  readonly permits: number;
}

/** Milliseconds after which the first in line asks again when the store did not answer. */
const AGAIN = 1000;
/**
 * Milliseconds after the end of a holder's time at which the first in line looks, and the shortest time between two
 * looks.
 */
const SLACK = 20;

/** Acquires locks, keeps them, and gives them up. */
export class Acquirer {
  readonly #store: LockStore;
  readonly #on: EventListener | undefined;
  readonly #instance = crypto.randomUUID();
  readonly #keeper: Keeper;
  readonly #leaver: Leaver;
  readonly #lines = new Lines();
  /** What is being acquired. */
  readonly #asking = new Set<Promise<unknown>>();
  readonly #counts = { acquired: 0, waited: 0, timedOut: 0, lost: 0 };
  #owners = 0;
  #listens = false;
  #closed: ClosedBy | undefined;

  constructor(store: LockStore, on: EventListener | undefined) {
    this.#store = store;
    this.#on = on;
    this.#keeper = new Keeper(store, (lock, reason) => this.#lost(lock, reason));
    this.#leaver = new Leaver(store);
  }

  /** What was done so far. */
  stats(): LockStats {
    return { ...this.#counts, held: this.#keeper.locks.size, waiting: this.#lines.size };
  }

  /** Acquires what is asked for; `undefined` when it is not free in time. */
  async acquire(request: LockRequest): Promise<HeldLock | undefined> {
    this.#assertOpen();
    const asking = this.#acquire(request);
    this.#asking.add(asking);
    try {
      return await asking;
    } finally {
      this.#asking.delete(asking);
    }
  }

  async #acquire(request: LockRequest): Promise<HeldLock | undefined> {
    const { key, ttl, permits, wait, signal } = request;
    signal?.throwIfAborted();
    const owner = `${this.#instance}|${++this.#owners}|${ttl}`;
    const began = performance.now();
    // Who is not heard of cannot be told: until then nobody stands in line.
    const ask: TakeRequest = { key, owner, ttl, permits, wait: this.#listens ? wait : 0 };
    try {
      const answer = await this.#store.take(ask, signal);
      if ("token" in answer) return this.#hold(request, owner, answer.token, began, began);
      if (wait === 0) return undefined;
      return await this.#wait(request, { ...ask, wait }, began, answer.retryIn);
    } catch (error) {
      // What was sent may have been done all the same.
      this.#leave(ask);
      throw error;
    }
  }

  /** Gives up what is held, and ends the wait of those in line. */
  async close(by: ClosedBy): Promise<void> {
    this.#closed ??= by;
    this.#lines.wakeAll();
    await Promise.all([...this.#keeper.locks].map((lock) => lock.release()));
    // What is on its way may be given all the same, and is given up before the store ends.
    await Promise.allSettled(this.#asking);
    await this.#leaver.close();
    await this.#store[Symbol.asyncDispose](by);
  }

  async #wait(
    request: LockRequest,
    ask: TakeRequest,
    began: number,
    retryIn: number,
  ): Promise<HeldLock | undefined> {
    const { key, owner, ttl } = ask;
    const turn = new Turn(key, owner);
    const end = began + ask.wait;
    this.#counts.waited++;
    this.#lines.join(turn);
    try {
      // Where nobody can be told, the first in line has to look.
      if (!this.#listens) {
        this.#listens = await this.#listen();
        turn.wake();
      }
      for (;;) {
        this.#lines.look(turn, this.#listens ? Math.max(SLACK, retryIn + SLACK) : Math.min(retryIn + SLACK, AGAIN));
        await turn.wait(Math.max(0, end - performance.now()), request.signal);
        this.#assertOpen();
        if (performance.now() >= end) break;
        const since = performance.now();
        const answer: TakeAnswer = await this.#store.take(ask, request.signal).catch((error) => {
          if (request.signal?.aborted || !(error instanceof UnavailableError) || error.reason === "closed") throw error;
          return { retryIn: AGAIN };
        });
        if ("token" in answer) {
          this.#told(request.name, began, true);
          return this.#hold(request, owner, answer.token, since, began);
        }
        retryIn = answer.retryIn;
      }
      this.#counts.timedOut++;
      this.#leave(ask);
      this.#told(request.name, began, false);
      return undefined;
    } finally {
      this.#lines.leave(turn, Math.max(ttl, retryIn) + SLACK);
    }
  }

  async #listen(): Promise<boolean> {
    const listener = {
      granted: (owner: string) => this.#lines.wake(owner),
      again: () => this.#lines.wakeAll(),
    };
    return await this.#store.listen(this.#instance, listener).then(() => true, () => false);
  }

  #hold(
    { key, name, permits, ttl }: LockRequest,
    owner: string,
    token: number,
    since: number,
    began: number,
  ): HeldLock {
    const release = async (lock: HeldLock) => {
      const kept = this.#keeper.drop(lock);
      const had = await this.#leaver.leave({ key, owner, permits }, ttl);
      return kept && had;
    };
    const lock = new HeldLock({ key, name, owner, permits, ttl, token, since, release });
    if (this.#closed) lock.release();
    this.#assertOpen();
    this.#keeper.add(lock);
    this.#counts.acquired++;
    this.#on?.({ type: "lock.acquired", name, token, milliseconds: Math.round(performance.now() - began) });
    return lock;
  }

  /** Leaves the line, and what may have been given meanwhile; nobody waits for it. */
  #leave({ key, owner, permits, ttl, wait }: TakeRequest): void {
    this.#leaver.leave({ key, owner, permits }, ttl + wait);
  }

  #assertOpen(): void {
    if (this.#closed) throw new UnavailableError("acquire lock", "closed", { closedBy: this.#closed });
  }

  #told(name: string, began: number, acquired: boolean): void {
    this.#on?.({ type: "lock.waited", name, milliseconds: Math.round(performance.now() - began), acquired });
  }

  #lost({ name, token }: HeldLock, reason: LockLoss): void {
    this.#counts.lost++;
    this.#on?.({ type: "lock.lost", name, token, reason });
  }
}
