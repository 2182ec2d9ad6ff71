import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import type { LockLoss } from "./errors.ts";
import { Keeper } from "./keeper.ts";
import { Leaver } from "./leaver.ts";
import { Lines, Turn } from "./lines.ts";
import { DRIFT, HeldLock } from "./lock.ts";
import { lockTracer } from "../observe/telemetry.ts";
import type { LockTimes } from "./options.ts";
import type { AcquirerStats } from "./stats.ts";
import type { Grant, LockStore, TakeAnswer, TakeRequest } from "./store.ts";

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
/** Milliseconds between two looks of the first in this process where nobody can be told, for want of a subscription. */
const LOOK = 100;

/** The answer of a store, and when it was asked, by `performance.now()`. */
type Answer = Extract<TakeAnswer, { readonly retryIn: number }> & { readonly since: number };

/**
 * When something was given at the earliest, by `performance.now()`: as long after the store was asked last as went by
 * on its own clock. `undefined` where that is so long ago, or its clock is so far ahead, that it has to be asked again.
 */
function grantedAt(grant: Grant, { at, since }: Answer, ttl: number): number | undefined {
  if (at === undefined) return undefined;
  const given = since + (grant.at - at) * (1 - DRIFT) - 1; // both are rounded
  const now = performance.now();
  return given <= now && now < given + ttl / 3 ? given : undefined;
}

/** A number that nobody can guess: who sees a channel, and not the keys, cannot say that a lock was given. */
function drawNumber(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!;
}

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
  readonly #counts = { acquired: 0, waited: 0, waitSeconds: 0, timedOut: 0, busy: 0, lost: 0 };
  readonly #closing = new AbortController();
  #listens = false;
  #listening: Promise<void> | undefined;
  #closed: ClosedBy | undefined;

  constructor(store: LockStore, on: EventListener | undefined) {
    this.#store = store;
    this.#on = on;
    this.#keeper = new Keeper(store, (lock, reason) => this.#lost(lock, reason));
    this.#leaver = new Leaver(store);
  }

  /** What was done so far. */
  stats(): AcquirerStats {
    return { ...this.#counts, held: this.#keeper.locks.size, waiting: this.#lines.size };
  }

  /** Aborted when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** What goes on by itself, and ends when it is closed. */
  track(work: Promise<unknown>): void {
    this.#asking.add(work);
    work.finally(() => this.#asking.delete(work)).catch(() => {});
  }

  /** Acquires what is asked for; `undefined` when it is not free in time. */
  async acquire(request: LockRequest): Promise<HeldLock | undefined> {
    this.#assertOpen();
    const trace = lockTracer();
    const asking = trace ? trace("acquire", () => this.#acquire(request)) : this.#acquire(request);
    this.#asking.add(asking);
    try {
      return await asking;
    } finally {
      this.#asking.delete(asking);
    }
  }

  async #acquire(request: LockRequest): Promise<HeldLock | undefined> {
    const { key, ttl, permits, wait, signal, durability } = request;
    signal?.throwIfAborted();
    if (durability) this.#store.assertReplicates?.();
    const owner = `${this.#instance}|${drawNumber()}|${ttl}`;
    const began = performance.now();
    // Who is not heard of cannot be told: until then nobody stands in line.
    const ask: TakeRequest = { key, owner, ttl, permits, wait: this.#listens ? wait : 0 };
    const turn = new Turn(key, owner);
    if (wait > 0) this.#lines.expect(turn);
    try {
      const answer = await this.#store.take(ask, signal);
      if ("token" in answer) return await this.#hold(request, owner, answer.token, began, began);
      if (wait === 0) {
        this.#counts.busy++;
        return undefined;
      }
      return await this.#wait(request, turn, { ...ask, wait }, began, { ...answer, since: began });
    } catch (error) {
      // What was sent may have been done all the same.
      this.#leave(ask);
      throw error;
    } finally {
      this.#lines.forget(turn);
    }
  }

  /** Gives up what is held, and ends the wait of those in line. */
  async close(by: ClosedBy): Promise<void> {
    this.#closed ??= by;
    this.#closing.abort();
    this.#lines.wakeAll();
    await Promise.all([...this.#keeper.locks].map((lock) => lock.release()));
    // What is on its way may be given all the same, and is given up before the store ends.
    await Promise.allSettled(this.#asking);
    await this.#leaver.close();
    await this.#store[Symbol.asyncDispose](by);
  }

  async #wait(
    request: LockRequest,
    turn: Turn,
    ask: TakeRequest,
    began: number,
    answer: Answer,
  ): Promise<HeldLock | undefined> {
    const { owner, ttl } = ask;
    const end = began + ask.wait;
    const joined = performance.now();
    this.#counts.waited++;
    this.#lines.join(turn);
    try {
      // Until it can be told, the first in line has to look.
      if (!this.#listens) this.#listening ??= this.#listen();
      for (;;) {
        const look = answer.retryIn + SLACK;
        this.#lines.look(turn, this.#listens ? Math.max(SLACK, look) : LOOK);
        await turn.wait(Math.max(0, end - performance.now()), request.signal);
        this.#assertOpen();
        const given = turn.grant && grantedAt(turn.grant, answer, ttl);
        if (given !== undefined) {
          this.#told(request.name, began, true);
          return await this.#hold(request, owner, turn.grant!.token, given, began);
        }
        turn.grant = undefined;
        if (performance.now() >= end) break;
        const since = performance.now();
        // Who cannot be told stands in no line: what he is given there would be nobody's.
        const asked = this.#listens ? ask : { ...ask, wait: 0 };
        const next: TakeAnswer = await this.#store.take(asked, request.signal).catch((error) => {
          if (request.signal?.aborted || !(error instanceof UnavailableError) || error.reason === "closed") throw error;
          return { retryIn: AGAIN };
        });
        if ("token" in next) {
          this.#told(request.name, began, true);
          return await this.#hold(request, owner, next.token, since, began);
        }
        answer = { ...next, since };
      }
      this.#counts.timedOut++;
      this.#leave(ask);
      this.#told(request.name, began, false);
      return undefined;
    } finally {
      this.#counts.waitSeconds += (performance.now() - joined) / 1000;
      this.#lines.leave(turn, this.#listens ? Math.max(ttl, answer.retryIn) + SLACK : SLACK);
    }
  }

  /** Lets those who wait stand in line once they can be told. */
  #listen(): Promise<void> {
    const listener = {
      granted: (owner: string, grant?: Grant) => this.#lines.wake(owner, grant),
      again: () => this.#lines.wakeAll(),
    };
    const listening = this.#store.listen(this.#instance, listener).then(() => {
      this.#listens = true;
      this.#lines.wakeAll();
    }).catch(() => {}).finally(() => this.#listening = undefined); // who waits next tries again
    this.track(listening);
    return listening;
  }

  async #hold(
    { key, name, permits, ttl, durability, signal }: LockRequest,
    owner: string,
    token: number,
    since: number,
    began: number,
  ): Promise<HeldLock> {
    const release = async (lock: HeldLock) => {
      const kept = this.#keeper.drop(lock);
      const had = await this.#leaver.leave({ key, owner, permits }, ttl);
      return kept && had;
    };
    const lock = new HeldLock({ key, name, owner, permits, ttl, token, since, release });
    if (this.#closed) lock.release();
    this.#assertOpen();
    this.#keeper.add(lock);
    if (durability) {
      lock.replicated = await this.#store.replicate?.({ key, owner, ttl }, durability) ?? false;
      if (!lock.replicated && this.#store.replicate) {
        this.#on?.({ type: "replicas.missed", operation: "acquire lock", replicas: durability.replicas });
      }
      this.#assertOpen();
      if (signal?.aborted) this.#keeper.drop(lock); // whoever catches it gives it up
      signal?.throwIfAborted();
    }
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
