import { abortable } from "../util/abort.ts";
import type { Flight, Outcome } from "./flight.ts";
import { AbsentError, type LoadRequest } from "./load_request.ts";
import type { MissHost } from "./miss_host.ts";
import type { Read } from "./store.ts";
import type { Found } from "./values.ts";

/** What one caller is given: a value of its own, counted as what it was. */
export class Answers<T> {
  readonly #host: MissHost;
  readonly #key: string;
  readonly #request: LoadRequest<T>;
  readonly #signal: AbortSignal | undefined;
  /** Whether a miss was counted. */
  missed = false;
  /** How the entry that was read last is encoded. */
  flags = 0;

  constructor(host: MissHost, key: string, request: LoadRequest<T>, signal: AbortSignal | undefined) {
    this.#host = host;
    this.#key = key;
    this.#request = request;
    this.#signal = signal;
  }

  /**
   * What a flight gave, for a caller who joined it: a value of its own, as from a hit. `undefined` if it is of no use
   * to it.
   */
  async valueOf(flight: Flight, outcome: Outcome): Promise<Found<T>> {
    const { schema, version, absent } = this.#request;
    if (flight.version !== version) return undefined;
    if (outcome.absent && absent) throw new AbsentError();
    if (!outcome.encoded) return { value: outcome.value as T };
    this.flags = outcome.encoded.flags;
    return await abortable(
      Promise.resolve(this.#host.values.read(this.#key, outcome.encoded, schema, version)),
      this.#signal,
    );
  }

  /** What this caller's own loader gave: where there are copies, as those who find one get it. */
  async own(outcome: Outcome): Promise<T> {
    const { schema, version } = this.#request;
    if (!this.#host.local || schema || !outcome.encoded) return outcome.value as T;
    this.flags = outcome.encoded.flags;
    const found = await this.#host.values.read<T>(this.#key, outcome.encoded, undefined, version);
    return found ? this.#guarded(found.value) : outcome.value as T;
  }

  /** As those who find a copy get it. */
  #guarded(value: T): T {
    const { local } = this.#host;
    return local && !this.#request.schema ? local.guarded(value, this.flags) : value;
  }

  /** The value of an entry, if it is of use to this caller. */
  decoded(read: Read): Found<T> | Promise<Found<T>> {
    const { schema, version } = this.#request;
    const found = this.#host.values.read(this.#key, read.entry!, schema, version);
    if (!(found instanceof Promise) || !this.#signal) return found;
    return abortable(found, this.#signal).catch((error) => {
      this.#host.loading.abandon(this.#key, Promise.resolve(read)); // nobody is going to load
      throw error;
    });
  }

  /** The value of a read once more: what a loader was given, it may keep and change. */
  copy(read: Read): Found<T> | Promise<Found<T>> {
    const { schema, version } = this.#request;
    const found = this.#host.values.read(this.#key, read.entry!, schema, version);
    return found instanceof Promise ? abortable(found, this.#signal) : found;
  }

  /** A value that somebody else has loaded. */
  shared(value: T): T {
    this.miss();
    this.#host.stats.coalesced++;
    return this.#guarded(value);
  }

  /** A value that was there. */
  hit(found: { readonly value: T }, stale: boolean): T {
    const { stats, on } = this.#host;
    if (stale) stats.stale++;
    else stats.hits++;
    on?.({ type: "cache.hit", key: this.#key, stale });
    return this.#guarded(found.value);
  }

  /** Counts a miss, once. */
  miss(): void {
    if (this.missed) return;
    this.missed = true;
    this.#host.stats.misses++;
    this.#host.on?.({ type: "cache.miss", key: this.#key });
  }
}
