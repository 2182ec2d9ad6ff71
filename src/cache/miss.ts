import { abortable, delay } from "../util/abort.ts";
import { disposing } from "../util/disposing.ts";
import { PROOF } from "./heartbeat.ts";
import { AbsentError, type LoadRequest } from "./load_request.ts";
import { Answers } from "./answers.ts";
import type { Flight, Outcome } from "./flight.ts";
import type { MissHost } from "./miss_host.ts";
import { isStoreFailure } from "./store_failure.ts";
import type { Read, ReadOptions, Watch } from "./store.ts";
import type { Found } from "./values.ts";
import { currentRun, waitFor } from "./waits.ts";

/** First wait for somebody else's loader where changes are not told, in milliseconds; it grows. */
const POLL_FIRST = 10;
/** Longest such wait. */
const POLL_LONGEST = 200;
/** Longest wait where changes are told: a message of the change channel may have been missed. */
const POLL_LIVE = 1000;
/** How long a loader waits for another process, which may be waiting for it, in milliseconds. */
const WAIT_WITHIN_LOADER = 10_000;
/** Rounds after which a caller loads for itself: whatever keeps it waiting, it gets an answer. */
const ROUNDS = 1000;

/** A flight took longer than its caller waits for others. */
const TOO_LATE = Symbol("too late");

/** How an entry is read by who does not want what is there. */
export const ANEW: ReadOptions = { steal: true, refresh: Infinity };

/**
 * Gets a value to a caller for whom there was no fresh one: loads it, joins who loads it, waits for another process to
 * load it, or falls back on what is there.
 *
 * Every caller reads for itself first, and joins a loader that is running only when that read says that it still holds
 * its lease: a loader that began before an acknowledged invalidation never answers whoever came after it.
 */
export class MissResolver<T> {
  readonly #host: MissHost;
  readonly #key: string;
  readonly #request: LoadRequest<T>;
  readonly #signal: AbortSignal | undefined;
  #watch: Watch | undefined;
  readonly #answers: Answers<T>;
  readonly #since = performance.now();
  readonly #began: number;
  /** How long it waits for another process, in milliseconds. */
  readonly #patience: number;

  /** `began` is how many loaders had been started when the caller came. */
  constructor(host: MissHost, key: string, request: LoadRequest<T>, signal: AbortSignal | undefined, began: number) {
    this.#began = began;
    this.#host = host;
    this.#key = key;
    this.#request = request;
    this.#signal = signal;
    this.#answers = new Answers(host, key, request, signal);
    this.#patience = (request.waitTimeout ?? (currentRun() ? WAIT_WITHIN_LOADER : 0)) || Infinity;
  }

  /**
   * Settles the miss.
   *
   * @param read What the caller's read found; `undefined` when the store did not answer.
   * @param found Its value, if that is of use to this caller.
   */
  async settle(read: Read | undefined, found: Found<T>): Promise<T> {
    this.#answers.flags = read?.entry?.flags ?? 0;
    try {
      for (let round = 0; read && round < ROUNDS; round++) {
        const result = await this.#step(read, found, round);
        if ("value" in result) return result.value;
        if (!result.again) break;
        this.#signal?.throwIfAborted();
        read = await this.#read(result.again);
        found = read?.entry && await this.#answers.decoded(read);
        this.#answers.flags = read?.entry?.flags ?? 0;
        if (found && read!.state === "fresh") {
          return this.#answers.missed ? this.#answers.shared(found.value) : this.#answers.hit(found, false);
        }
      }
      return await this.#alone();
    } finally {
      this.#watch?.[Symbol.dispose]();
    }
  }

  /** One look at how things stand: a value, or how to read again, or neither when the store cannot help. */
  async #step(
    read: Read,
    found: Found<T>,
    round: number,
  ): Promise<{ value: T } | { again?: { unusable?: number; steal?: boolean } }> {
    const { loading } = this.#host;
    const key = this.#key;
    const flight = loading.get(key);
    if (flight && this.#request.fresh) this.#assertNoCircle(flight, read);
    // Who reads the same key in the same tick shares the read, and with it the lease: the first of them loads.
    const granted = loading.claim(read);
    if (this.#request.fresh) return await this.#anew(read, found, granted, flight);
    if (found && read.state === "stale") {
      if (!granted) return { value: this.#answers.hit(found, true) };
      loading.start(key, this.#request, { fence: read, previous: found, background: true, fallback: true });
      return { value: this.#answers.hit(await this.#answers.copy(read) ?? found, true) };
    }
    if (!found && read.entry && read.lease === 0 && read.held === 0 && round < 3) {
      return { again: { unusable: read.entry.asOf } }; // it is there, but not for this caller: have it replaced
    }
    if (!found) this.#answers.miss();
    if (granted) {
      const how = { fence: read, previous: found, background: false, fallback: found !== undefined };
      const started = loading.start(key, this.#request, how);
      return { value: await this.#landed(started, found && await this.#answers.copy(read), false) as T };
    }
    if (flight) {
      // Whoever holds the lease by now: the loader that this process has for the key may be waiting for this very call.
      try {
        this.#waitFor(flight)?.[Symbol.dispose]();
      } catch (error) {
        if (found) return { value: this.#answers.hit(found, true) };
        throw error;
      }
    }
    if (flight && flight.lease !== 0 && (flight.lease === read.held || flight.lease === read.lease)) {
      const landed = await this.#landed(flight, found, true);
      if (landed === flight) return { again: {} };
      return landed === TOO_LATE ? { again: { steal: true } } : { value: landed as T };
    }
    // A loader of this process that is over, though the store could not be told.
    if (loading.isOver(read.held)) return { again: { steal: true } };
    if (read.lease !== 0) return { again: {} }; // who else shared the read has used its lease up
    if (read.held === 0) return {}; // a store that is full grants no lease
    if (found && read.held < 0) return { value: this.#answers.hit(found, true) }; // a loader has just failed
    if (!this.#request.lock) return { again: { steal: true } };
    return await this.#waited(read, found, round);
  }

  /** Has it loaded anew, or takes what a loader gives that began after this caller came. */
  async #anew(
    read: Read,
    found: Found<T>,
    granted: boolean,
    flight: Flight | undefined,
  ): Promise<{ value: T } | { again?: { steal?: boolean } }> {
    const { loading } = this.#host;
    this.#answers.miss();
    if (granted) {
      const how = { fence: read, previous: found, background: false, fallback: false };
      return { value: await this.#landed(loading.start(this.#key, this.#request, how), undefined, false) as T };
    }
    if (!flight || flight.number <= this.#began) return read.lease !== 0 ? { again: {} } : {};
    const landed = await this.#landed(flight, undefined, true);
    return landed === flight || landed === TOO_LATE ? { again: {} } : { value: landed as T };
  }

  /** Waits until who holds the lease is done, or its lease ends. */
  async #waited(read: Read, found: Found<T>, round: number): Promise<{ value: T } | { again: { steal?: boolean } }> {
    // The watch begins before the next look, so that nothing falls between the two.
    if (!this.#watch) {
      this.#watch = this.#host.store.watch(this.#key);
      return { again: {} };
    }
    const { timeout } = this.#request;
    const soft = found && timeout !== undefined ? timeout - (performance.now() - this.#since) : Infinity;
    if (found && soft <= 0) return { value: this.#answers.hit(found, true) };
    const patience = this.#patience - (performance.now() - this.#since);
    if (patience <= 0) return { again: { steal: true } };
    const poll = this.#watch.live ? POLL_LIVE : Math.min(POLL_LONGEST, POLL_FIRST * 1.5 ** round);
    await this.#watch.next(Math.min(poll, Math.max(1, read.heldFor + 1), soft, patience), this.#signal);
    return { again: {} };
  }

  async #read(how: ReadOptions): Promise<Read | undefined> {
    const { loading, store, stats, on } = this.#host;
    const { lease, fresh } = this.#request;
    const reading = store.read(this.#key, { lease, proof: PROOF, signal: this.#signal, ...(fresh && ANEW), ...how });
    try {
      return await abortable(reading, this.#signal);
    } catch (error) {
      loading.abandon(this.#key, reading);
      if (this.#signal?.aborted || !isStoreFailure(error)) throw error;
      stats.errors++;
      if (this.#request.failures) this.#request.failures.add("read", this.#key, error);
      else on?.({ type: "cache.error", operation: "read", key: this.#key, error });
    }
  }

  /** Loads without the store: shared in this process, kept nowhere. */
  async #alone(): Promise<T> {
    this.#answers.miss();
    const { loading } = this.#host;
    let running = loading.get(this.#key);
    // Without the store nobody knows what other processes have invalidated: what was loaded before this caller came may
    // be too old for it. The next load is shared by all who came meanwhile.
    while (running && running.lease === 0 && !running.detached && running.number <= this.#began) {
      const before = running;
      await disposing(this.#waitFor(before), () => abortable(before.promise.catch(() => {}), this.#signal));
      running = loading.get(this.#key);
    }
    const how = { fence: undefined, previous: undefined, background: false, fallback: false };
    if (running && !running.detached && running.number > this.#began) {
      try {
        const outcome = await this.#outcome(running);
        const found = outcome === TOO_LATE ? undefined : await this.#answers.valueOf(running, outcome);
        if (found) return this.#answers.shared(found.value);
      } catch (error) {
        if (!(error instanceof AbsentError) || this.#request.absent) throw error;
      }
    }
    const own = loading.start(this.#key, this.#request, how);
    const outcome = await disposing(this.#waitFor(own), () => abortable(own.promise, this.#signal));
    if (outcome.absent && this.#request.absent) throw new AbsentError();
    return await this.#answers.own(outcome);
  }

  /**
   * Waits for a flight. Resolves to the flight itself when what it gave is not for this caller, to {@linkcode TOO_LATE}
   * when that takes longer than the caller waits for others.
   */
  async #landed(flight: Flight, fallback: Found<T>, joined: boolean): Promise<T | Flight | typeof TOO_LATE> {
    const { timeout } = this.#request;
    let outcome;
    try {
      const soft = fallback && timeout !== undefined ? timeout : undefined;
      outcome = await this.#outcome(flight, soft, joined);
      if (outcome === TOO_LATE) return outcome;
      if (!outcome) return this.#answers.hit(fallback!, true); // the loader goes on for those who come later
    } catch (error) {
      if (joined && error instanceof AbsentError && !this.#request.absent) return flight;
      // That there is no value any more is an answer, not a failure.
      if (fallback && !(error instanceof AbsentError) && !this.#signal?.aborted) {
        return this.#answers.hit(fallback, true);
      }
      throw error;
    }
    if (!joined) {
      this.#answers.miss();
      if (outcome.absent && this.#request.absent) throw new AbsentError();
      return await this.#answers.own(outcome);
    }
    // What began after this caller came is new enough for it, whatever was invalidated since.
    if (flight.number <= this.#began && !this.#host.store.isCurrent(flight)) return flight;
    const found = await this.#answers.valueOf(flight, outcome);
    return found ? this.#answers.shared(found.value) : flight;
  }

  /** What a flight gives; `undefined` if that takes longer than `soft`. */
  async #outcome(flight: Flight, soft: number, joined: boolean): Promise<Outcome | typeof TOO_LATE | undefined>;
  async #outcome(flight: Flight): Promise<Outcome | typeof TOO_LATE>;
  async #outcome(
    flight: Flight,
    soft?: number,
    joined?: boolean,
  ): Promise<Outcome | typeof TOO_LATE | undefined>;
  async #outcome(
    flight: Flight,
    soft: number = Infinity,
    joined = true,
  ): Promise<Outcome | typeof TOO_LATE | undefined> {
    return await disposing(this.#waitFor(flight), () => this.#landing(flight, soft, joined));
  }

  async #landing(flight: Flight, soft: number, joined: boolean): Promise<Outcome | typeof TOO_LATE | undefined> {
    const { waitTimeout } = this.#request;
    const landing = abortable(flight.promise, this.#signal);
    const patience = joined && waitTimeout ? waitTimeout - (performance.now() - this.#since) : Infinity;
    const most = Math.min(soft, patience);
    if (most === Infinity) return await landing;
    return await orLater(landing, Math.max(0, most)) ?? (patience < soft ? TOO_LATE : undefined);
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

  /** Who wants a value anew does not wait for the loader that runs, but one within another would never end. */
  #assertNoCircle(flight: Flight, read: Read): void {
    try {
      waitFor(flight.run)?.[Symbol.dispose]();
    } catch (error) {
      this.#host.loading.abandon(this.#key, Promise.resolve(read));
      throw error;
    }
  }
}

/** What the promise resolves to, or `undefined` if that takes longer. */
async function orLater<R>(promise: Promise<R>, milliseconds: number): Promise<R | undefined> {
  const late = new AbortController();
  promise.catch(() => {}); // may fail after nobody waits
  try {
    return await Promise.race([promise, delay(milliseconds, late.signal).then(() => undefined)]);
  } finally {
    late.abort();
  }
}
