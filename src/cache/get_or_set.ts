import { abortable, delay } from "../abort.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import type { EventListener } from "../events.ts";
import type { Flight, Loading, LoadRequest } from "./loading.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore, Read } from "./store.ts";
import type { Found, Values } from "./values.ts";

/** First wait for somebody else's loader, in milliseconds. */
const POLL_FIRST = 10;
/** Longest wait between two looks, in milliseconds. */
const POLL_LONGEST = 200;
/** Rounds after which a caller loads for itself: whatever keeps it waiting, it gets an answer. */
const ROUNDS = 1000;

/** What `getOrSet` works on. */
export interface GetOrSetHost {
  readonly store: CacheStore;
  readonly values: Values;
  readonly loading: Loading;
  readonly stats: StatsCounter;
  readonly on: EventListener | undefined;
}

/**
 * Reads a value, or has it loaded by exactly one caller.
 *
 * Every caller reads for itself first, and joins a loader that is running only when that read says that it still holds its
 * lease: a loader that began before an acknowledged invalidation never answers whoever came after it.
 */
export async function getOrSet<T>(
  host: GetOrSetHost,
  key: string,
  request: LoadRequest<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const { store, values, loading, stats, on } = host;
  let unusable = 0;
  let missed = false;
  for (let round = 0; round < ROUNDS; round++) {
    signal?.throwIfAborted();
    let read: Read;
    try {
      read = await abortable(store.read(key, { lease: request.lease, unusable }), signal);
    } catch (error) {
      if (signal?.aborted || !isStoreFailure(error)) throw error;
      stats.errors++;
      on?.({ type: "cache.error", operation: "read", key, error });
      break;
    }
    let found: Found<T>;
    if (read.entry) {
      const value = values.read(key, read.entry, request.schema);
      found = value instanceof Promise ? await value : value;
    }
    if (found && read.state === "fresh") {
      stats.hits++;
      on?.({ type: "cache.hit", key, stale: false });
      return found.value;
    }
    // Who reads the same key in the same tick shares the read, and with it the lease: the first of them loads.
    const flight = loading.get(key);
    const granted = read.lease !== 0 && flight?.lease !== read.lease;
    if (found && read.state === "stale") {
      if (granted) {
        loading.start(key, request, { fence: read, previous: found, background: true, fallback: true });
      }
      stats.stale++;
      on?.({ type: "cache.hit", key, stale: true });
      return found.value;
    }
    if (!found && read.entry && read.lease === 0 && unusable !== read.entry.asOf) {
      // It is there, but not for this caller: have it replaced.
      unusable = read.entry.asOf;
      continue;
    }
    miss();
    if (granted) {
      const how = { fence: read, previous: found, background: false, fallback: found !== undefined };
      return await landed(loading.start(key, request, how), found, false) as T;
    }
    if (flight && flight.lease !== 0 && (flight.lease === read.held || flight.lease === read.lease)) {
      const joined = await landed(flight, found, true);
      if (joined !== flight) return joined as T;
    } else if (read.held !== 0) {
      // Somebody else loads, or just failed to.
      if (found && read.held < 0) return served(found);
      const wait = Math.min(POLL_LONGEST, POLL_FIRST * 1.5 ** round, Math.max(1, read.heldFor));
      await delay(wait * (0.75 + Math.random() / 2), signal);
    } else {
      // A store that is full grants no lease.
      break;
    }
  }
  return await alone();

  /** Loads without the store: shared in this process, kept nowhere. */
  async function alone(): Promise<T> {
    miss();
    const running = loading.get(key);
    const join = running !== undefined && !running.detached;
    const how = { fence: undefined, previous: undefined, background: false, fallback: false };
    const flight = join ? running : loading.start(key, request, how);
    const { value, encoded } = await abortable(flight.promise, signal);
    if (!join) return value as T;
    stats.coalesced++;
    return encoded ? (await values.read(key, encoded, request.schema))?.value as T : value as T;
  }

  /** Waits for a flight. Resolves to the flight itself when what it gave is older than this caller's read. */
  async function landed(flight: Flight, fallback: Found<T>, joined: boolean): Promise<T | Flight> {
    let outcome;
    try {
      outcome = await abortable(flight.promise, signal);
    } catch (error) {
      if (fallback && !signal?.aborted) return served(fallback);
      throw error;
    }
    if (!joined) return outcome.value as T;
    if (!store.isCurrent(flight)) return flight;
    stats.coalesced++;
    if (!outcome.encoded) return outcome.value as T;
    // Each caller gets a value of its own, as from a hit.
    const found = await values.read(key, outcome.encoded, request.schema);
    return found ? found.value : flight;
  }

  function served(found: { readonly value: T }): T {
    stats.stale++;
    on?.({ type: "cache.hit", key, stale: true });
    return found.value;
  }

  function miss(): void {
    if (missed) return;
    missed = true;
    stats.misses++;
    on?.({ type: "cache.miss", key });
  }
}

/** Whether the store failed, as opposed to its caller. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof RedisError || (error instanceof UnavailableError && error.reason !== "closed");
}
