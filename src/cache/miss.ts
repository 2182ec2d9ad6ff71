import { LoaderCycleError } from "../errors.ts";
import { abortable } from "../util/abort.ts";
import { PROOF } from "./heartbeat.ts";
import { Answers } from "./answers.ts";
import type { Flight } from "./flight.ts";
import { type Again, FlightWait, type Step } from "./flight_wait.ts";
import type { LoadRequest } from "./load_request.ts";
import type { MissHost } from "./miss_host.ts";
import { Patience } from "./patience.ts";
import { isStoreFailure } from "./store_failure.ts";
import type { Read, ReadOptions, Watch } from "./store.ts";
import type { Found } from "./values.ts";
import { wasLeaked } from "./waits.ts";

/** First wait for somebody else's loader where changes are not told, in milliseconds; it grows. */
const POLL_FIRST = 10;
/** Longest such wait. */
const POLL_LONGEST = 200;
/** Longest wait where changes are told: a message of the change channel may have been missed. */
const POLL_LIVE = 1000;
/** Rounds after which a caller loads for itself: whatever keeps it waiting, it gets an answer. */
const ROUNDS = 1000;

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
  readonly #flights: FlightWait<T>;
  readonly #patience: Patience;
  /** Who held the lease when the wait for another process began. */
  #holder = 0;

  /** `began` is how many loaders had been started when the caller came. */
  constructor(host: MissHost, key: string, request: LoadRequest<T>, signal: AbortSignal | undefined, began: number) {
    this.#host = host;
    this.#key = key;
    this.#request = request;
    this.#signal = signal;
    this.#answers = new Answers(host, key, request, signal);
    this.#patience = new Patience(request.waitTimeout);
    this.#flights = new FlightWait(host, request, signal, this.#answers, this.#patience, began);
  }

  /**
   * Settles the miss.
   *
   * @param read What the caller's read found; `undefined` when the store did not answer.
   * @param found Its value, if that is of use to this caller.
   */
  async settle(read: Read | undefined, found: Found<T>): Promise<T> {
    try {
      return await this.#settle(read, found);
    } catch (error) {
      if (!(error instanceof LoaderCycleError) || !await wasLeaked()) throw error;
      const look = await this.#look({});
      return "value" in look ? look.value : await this.#settle(look.read, look.found);
    }
  }

  async #settle(read: Read | undefined, found: Found<T>): Promise<T> {
    this.#answers.flags = read?.entry?.flags ?? 0;
    try {
      for (let round = 0; read && round < ROUNDS; round++) {
        const result = await this.#step(read, found, round);
        if ("value" in result) return result.value;
        if (!result.again) break;
        this.#signal?.throwIfAborted();
        const look = await this.#look(result.again);
        if ("value" in look) return look.value;
        ({ read, found } = look);
      }
      return await this.#alone();
    } finally {
      this.#watch?.[Symbol.dispose]();
    }
  }

  /** Reads again: a value that is fresh by now, or what there is. */
  async #look(again: Again): Promise<{ value: T } | { read: Read | undefined; found: Found<T> }> {
    const read = await this.#read(again);
    const found = read?.entry && await this.#answers.decoded(read);
    this.#answers.flags = read?.entry?.flags ?? 0;
    if (!found || read!.state !== "fresh") return { read, found };
    return { value: this.#answers.missed ? this.#answers.shared(found.value) : this.#answers.hit(found, false) };
  }

  /** One look at how things stand: a value, or how to read again, or neither when the store cannot help. */
  async #step(read: Read, found: Found<T>, round: number): Promise<Step<T>> {
    const { loading } = this.#host;
    const key = this.#key;
    const flight = loading.get(key);
    if (flight && this.#request.fresh) this.#assertNoCycle(flight, read);
    // Who reads the same key in the same tick shares the read, and with it the lease: the first of them loads.
    const granted = loading.claim(key, read);
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
      return { value: await this.#flights.own(started, found && await this.#answers.copy(read)) };
    }
    if (flight) {
      // Whoever holds the lease by now: the loader that this process has for the key may be waiting for this very call.
      try {
        this.#flights.assertMayWait(flight);
      } catch (error) {
        if (found) return { value: this.#answers.hit(found, true) };
        throw error;
      }
    }
    if (flight && flight.lease !== 0 && (flight.lease === read.held || flight.lease === read.lease)) {
      return await this.#flights.join(flight, found);
    }
    // A loader of this process that is over, though the store could not be told.
    if (loading.isOver(read.held)) return { again: { steal: true, from: flight } };
    if (read.lease !== 0) return { again: {} }; // who else shared the read has used its lease up
    if (read.held === 0) return {}; // a store that is full grants no lease
    if (found && read.held < 0) return { value: this.#answers.hit(found, true) }; // a loader has just failed
    if (!this.#request.lock) return { again: { steal: true, from: flight } };
    return await this.#waited(read, found, round);
  }

  /** Has it loaded anew, or takes what a loader gives that began after this caller came. */
  async #anew(read: Read, found: Found<T>, granted: boolean, flight: Flight | undefined): Promise<Step<T>> {
    this.#answers.miss();
    if (granted) {
      const how = { fence: read, previous: found, background: false, fallback: false };
      return { value: await this.#flights.own(this.#host.loading.start(this.#key, this.#request, how), undefined) };
    }
    if (!flight || !this.#flights.isLater(flight)) return read.lease !== 0 ? { again: {} } : {};
    return await this.#flights.join(flight, undefined);
  }

  /** Waits until who holds the lease is done, or its lease ends. */
  async #waited(read: Read, found: Found<T>, round: number): Promise<Step<T>> {
    // The watch begins before the next look, so that nothing falls between the two.
    if (!this.#watch) {
      this.#watch = this.#host.store.watch(this.#key);
      this.#holder = read.held;
      return { again: {} };
    }
    const { timeout } = this.#request;
    const soft = found && timeout !== undefined ? timeout - this.#patience.waited : Infinity;
    if (found && soft <= 0) return { value: this.#answers.hit(found, true) };
    const flight = this.#host.loading.get(this.#key);
    const later = read.held !== this.#holder || (flight !== undefined && this.#flights.isLater(flight));
    const patience = this.#patience.elsewhere(later);
    if (patience <= 0) return { again: { steal: true, from: flight } };
    const poll = this.#watch.live ? POLL_LIVE : Math.min(POLL_LONGEST, POLL_FIRST * 1.5 ** round);
    await this.#watch.next(Math.min(poll, Math.max(1, read.heldFor + 1), soft, patience), this.#signal);
    return { again: {} };
  }

  async #read({ unusable, steal, from }: Again): Promise<Read | undefined> {
    const { loading, store, steals, stats, on } = this.#host;
    const { lease, fresh } = this.#request;
    const options: ReadOptions = { lease, proof: PROOF, ...(fresh && ANEW) };
    if (unusable !== undefined) options.unusable = unusable;
    // Somebody else who gave up a moment ago may load by now: that one is not taken the lease from.
    if (steal && loading.get(this.#key) === from) options.steal = true;
    const reading = options.steal
      ? steals.read(this.#key, fresh, () => store.read(this.#key, options))
      : store.read(this.#key, { ...options, signal: this.#signal });
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
    while (running && running.lease === 0 && !running.detached && !this.#flights.isLater(running)) {
      const over = await this.#flights.isOver(running);
      running = loading.get(this.#key);
      if (!over) break;
    }
    if (running && !running.detached && this.#flights.isLater(running)) {
      const joined = await this.#flights.join(running, undefined);
      if ("value" in joined) return joined.value;
    }
    const how = { fence: undefined, previous: undefined, background: false, fallback: false };
    return await this.#flights.own(loading.start(this.#key, this.#request, how), undefined);
  }

  /** Who wants a value anew does not wait for the loader that runs, but one within another would never end. */
  #assertNoCycle(flight: Flight, read: Read): void {
    try {
      this.#flights.assertNoCycle(flight);
    } catch (error) {
      this.#host.loading.abandon(this.#key, Promise.resolve(read));
      throw error;
    }
  }
}
