import { abortable, delay } from "../abort.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import type { EventListener } from "../events.ts";
import { AbsentError, type Flight, type Loading, type LoadRequest } from "./loading.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore, Read, Watch } from "./store.ts";
import type { Found, Values } from "./values.ts";

/** First wait for somebody else's loader where changes are not told, in milliseconds; it grows. */
const POLL_FIRST = 10;
/** Longest such wait. */
const POLL_LONGEST = 200;
/** Longest wait where changes are told: the bell may have been missed. */
const POLL_LIVE = 1000;
/** Rounds after which a caller loads for itself: whatever keeps it waiting, it gets an answer. */
const ROUNDS = 1000;

/** What a miss works on. */
export interface MissHost {
  readonly store: CacheStore;
  readonly values: Values;
  readonly loading: Loading;
  readonly stats: StatsCounter;
  readonly on: EventListener | undefined;
}

/**
 * Gets a value to a caller for whom there was no fresh one: loads it, joins who loads it, waits for another process to load
 * it, or falls back on what is there.
 *
 * Every caller reads for itself first, and joins a loader that is running only when that read says that it still holds its
 * lease: a loader that began before an acknowledged invalidation never answers whoever came after it.
 */
export class Miss<T> {
  readonly #host: MissHost;
  readonly #key: string;
  readonly #request: LoadRequest<T>;
  readonly #signal: AbortSignal | undefined;
  #watch: Watch | undefined;
  #missed = false;
  readonly #since = performance.now();
  readonly #began: number;

  /** `began` is how many loaders had been started when the caller came. */
  constructor(host: MissHost, key: string, request: LoadRequest<T>, signal: AbortSignal | undefined, began: number) {
    this.#began = began;
    this.#host = host;
    this.#key = key;
    this.#request = request;
    this.#signal = signal;
  }

  /**
   * Settles the miss.
   *
   * @param read What the caller's read found; `undefined` when the store did not answer.
   * @param found Its value, if that is of use to this caller.
   */
  async settle(read: Read | undefined, found: Found<T>): Promise<T> {
    try {
      for (let round = 0; read && round < ROUNDS; round++) {
        const result = await this.#step(read, found, round);
        if ("value" in result) return result.value;
        if (!result.again) break;
        this.#signal?.throwIfAborted();
        read = await this.#read(result.again);
        found = read?.entry && await this.#host.values.read(this.#key, read.entry, this.#request.schema);
        if (found && read!.state === "fresh") return this.#missed ? this.#shared(found.value) : this.#hit(found, false);
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
    // Who reads the same key in the same tick shares the read, and with it the lease: the first of them loads.
    const granted = loading.claim(read);
    if (found && read.state === "stale") {
      if (!granted) return { value: this.#hit(found, true) };
      loading.start(key, this.#request, { fence: read, previous: found, background: true, fallback: true });
      return { value: this.#hit(await this.#copy(read) ?? found, true) };
    }
    if (!found && read.entry && read.lease === 0 && read.held === 0 && round < 3) {
      return { again: { unusable: read.entry.asOf } }; // it is there, but not for this caller: have it replaced
    }
    if (!found) this.#miss();
    if (granted) {
      const how = { fence: read, previous: found, background: false, fallback: found !== undefined };
      const started = loading.start(key, this.#request, how);
      return { value: await this.#landed(started, found && await this.#copy(read), false) as T };
    }
    if (flight && flight.lease !== 0 && (flight.lease === read.held || flight.lease === read.lease)) {
      const landed = await this.#landed(flight, found, true);
      return landed === flight ? { again: {} } : { value: landed as T };
    }
    if (read.lease !== 0) return { again: {} }; // who else shared the read has used its lease up
    if (read.held === 0) return {}; // a store that is full grants no lease
    if (found && read.held < 0) return { value: this.#hit(found, true) }; // a loader has just failed
    if (!this.#request.lock) return { again: { steal: true } };
    return await this.#waited(read, found, round);
  }

  /** Waits until who holds the lease is done, or its lease ends. */
  async #waited(read: Read, found: Found<T>, round: number): Promise<{ value: T } | { again: Record<never, never> }> {
    // The watch begins before the next look, so that nothing falls between the two.
    if (!this.#watch) {
      this.#watch = this.#host.store.watch(this.#key);
      return { again: {} };
    }
    const { timeout } = this.#request;
    const soft = found && timeout !== undefined ? timeout - (performance.now() - this.#since) : Infinity;
    if (found && soft <= 0) return { value: this.#hit(found, true) };
    const poll = this.#watch.live ? POLL_LIVE : Math.min(POLL_LONGEST, POLL_FIRST * 1.5 ** round);
    await this.#watch.next(Math.min(poll, Math.max(1, read.heldFor + 1), soft), this.#signal);
    return { again: {} };
  }

  async #read(how: { unusable?: number; steal?: boolean }): Promise<Read | undefined> {
    const { loading, store, stats, on } = this.#host;
    const reading = store.read(this.#key, { lease: this.#request.lease, ...how });
    try {
      return await abortable(reading, this.#signal);
    } catch (error) {
      loading.abandon(this.#key, reading);
      if (this.#signal?.aborted || !isStoreFailure(error)) throw error;
      stats.errors++;
      on?.({ type: "cache.error", operation: "read", key: this.#key, error });
    }
  }

  /** Loads without the store: shared in this process, kept nowhere. */
  async #alone(): Promise<T> {
    this.#miss();
    const { loading, values } = this.#host;
    let running = loading.get(this.#key);
    // Without the store nobody knows what other processes have invalidated: what was loaded before this caller came may be too
    // old for it. The next load is shared by all who came meanwhile.
    while (running && running.lease === 0 && !running.detached && running.number <= this.#began) {
      await abortable(running.promise.catch(() => {}), this.#signal);
      running = loading.get(this.#key);
    }
    const how = { fence: undefined, previous: undefined, background: false, fallback: false };
    if (running && !running.detached && running.number > this.#began) {
      try {
        const outcome = await abortable(running.promise, this.#signal);
        if (!outcome.encoded) return this.#shared(outcome.value as T);
        const found = await values.read(this.#key, outcome.encoded, this.#request.schema);
        if (found) return this.#shared(found.value);
      } catch (error) {
        if (!(error instanceof AbsentError) || this.#request.absent) throw error;
      }
    }
    const own = loading.start(this.#key, this.#request, how);
    return (await abortable(own.promise, this.#signal)).value as T;
  }

  /** Waits for a flight. Resolves to the flight itself when what it gave is not for this caller. */
  async #landed(flight: Flight, fallback: Found<T>, joined: boolean): Promise<T | Flight> {
    const { store, values } = this.#host;
    const { timeout } = this.#request;
    let outcome;
    try {
      const landing = abortable(flight.promise, this.#signal);
      outcome = fallback && timeout !== undefined ? await orLater(landing, timeout) : await landing;
      if (!outcome) return this.#hit(fallback!, true); // the loader goes on for those who come later
    } catch (error) {
      if (joined && error instanceof AbsentError && !this.#request.absent) return flight;
      // That there is no value any more is an answer, not a failure.
      if (fallback && !(error instanceof AbsentError) && !this.#signal?.aborted) return this.#hit(fallback, true);
      throw error;
    }
    if (!joined) {
      this.#miss();
      return outcome.value as T;
    }
    if (!store.isCurrent(flight)) return flight;
    if (!outcome.encoded) return this.#shared(outcome.value as T);
    // Each caller gets a value of its own, as from a hit.
    const found = await values.read(this.#key, outcome.encoded, this.#request.schema);
    return found ? this.#shared(found.value) : flight;
  }

  /** The value of a read once more: what a loader was given, it may keep and change. */
  #copy(read: Read): Found<T> | Promise<Found<T>> {
    return this.#host.values.read(this.#key, read.entry!, this.#request.schema);
  }

  /** A value that somebody else has loaded. */
  #shared(value: T): T {
    this.#miss();
    this.#host.stats.coalesced++;
    return value;
  }

  #hit(found: { readonly value: T }, stale: boolean): T {
    const { stats, on } = this.#host;
    if (stale) stats.stale++;
    else stats.hits++;
    on?.({ type: "cache.hit", key: this.#key, stale });
    return found.value;
  }

  #miss(): void {
    if (this.#missed) return;
    this.#missed = true;
    this.#host.stats.misses++;
    this.#host.on?.({ type: "cache.miss", key: this.#key });
  }
}

/** Whether the store failed, as opposed to its caller. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof RedisError || (error instanceof UnavailableError && error.reason !== "closed");
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
