import { type ClosedBy, UnavailableError } from "../errors.ts";
import { compareIds, isWithin } from "./ids.ts";
import { MemoryGroup } from "./memory_group.ts";
import { MemoryLog } from "./memory_log.ts";
import type {
  AddRequest,
  BeatAnswer,
  BeatRequest,
  DeadEntry,
  DeadRequest,
  PendingEntry,
  Place,
  ReadRequest,
  Settled,
  StreamEntry,
  StreamInfo,
  StreamListener,
  StreamStore,
  TakeAnswer,
  TakenEntry,
  TakeRequest,
} from "./store.ts";

/** Options of a {@linkcode MemoryStreamStore}. */
export interface MemoryStreamStoreOptions {
  /** The time in milliseconds. @default {Date.now} */
  now?: (() => number) | undefined;
}

/** So many names under which a message was added once are not looked through. */
const FEW = 1000;

interface MemoryStream {
  readonly log: MemoryLog;
  readonly groups: Map<string, MemoryGroup>;
  readonly once: Map<string, { readonly id: string; readonly until: number }>;
  /** How many of them there may be before those that have ended are looked for. */
  mostOnce: number;
  readonly dead: (DeadEntry & { readonly only: string })[];
}

/** Streams in this process: what those in Redis do, for one process. */
export class MemoryStreamStore implements StreamStore {
  /** It is one in memory. */
  readonly kind = "memory" as const;
  /** It is never older than what was answered. */
  readonly generation: number = 0;
  readonly #now: () => number;
  readonly #streams = new Map<string, MemoryStream>();
  #deaths = 0;
  #closed: ClosedBy | undefined;

  /**
   * Creates a store.
   *
   * @param options Its clock.
   */
  constructor({ now = Date.now }: MemoryStreamStoreOptions = {}) {
    this.#now = now;
  }

  /** Adds a message. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async add(request: AddRequest, signal?: AbortSignal): Promise<{ id: string; added: boolean }> {
    const { payload, key, maxLength, once } = request;
    const stream = this.#stream(request.stream, "add to a stream", signal);
    const { log, once: before } = stream;
    const now = this.#now();
    if (before.size >= stream.mostOnce) {
      for (const [id, { until }] of before) if (until <= now) before.delete(id);
      stream.mostOnce = Math.max(FEW, 2 * before.size);
    }
    for (const [id, { until }] of before) { // those that end first are often the first
      if (until > now) break;
      before.delete(id);
    }
    const known = once && before.get(once.id);
    if (known && known.until > now) return { id: known.id, added: false };
    const id = log.add({ payload: payload.slice(), key, only: undefined }, maxLength, now);
    if (once) before.set(once.id, { id, until: now + once.for });
    return { id, added: true };
  }

  /** Takes messages. */
  // deno-lint-ignore require-await -- see add()
  async take(request: TakeRequest): Promise<TakeAnswer> {
    const { log, groups } = this.#stream(request.stream, "read from a stream");
    const { group: name, from = "0", after } = request;
    let group = groups.get(name);
    const made = !group && request.from !== undefined;
    if (made) groups.set(name, group = new MemoryGroup(log, name, from));
    if (group) return group.take(request, this.#now(), made);
    return { held: false, entries: [], after, made, dropped: 0, missed: 0, empty: true, full: false };
  }

  /** Is done with messages. */
  // deno-lint-ignore require-await -- see add()
  async ack(place: Place, settled: readonly Settled[]): Promise<readonly boolean[] | undefined> {
    const group = this.#group(place, "acknowledge a message");
    return group ? group.ack(place.place, place.owner, settled) : settled.map(() => false);
  }

  /** Counts an attempt. */
  // deno-lint-ignore require-await -- see add()
  async retry(place: Place, id: string, attempt: number): Promise<boolean | undefined> {
    const group = this.#group(place, "retry a message");
    return group?.retry(place.place, place.owner, id, attempt, this.#now());
  }

  /** Gives a message up. */
  // deno-lint-ignore require-await -- see add()
  async bury(place: Place, { id, key, payload, attempts, error, most }: DeadRequest): Promise<boolean> {
    const { dead } = this.#stream(place.stream, "give a message up");
    const done = this.#group(place, "give a message up")?.ack(place.place, place.owner, [{ id, key }]);
    if (!done?.[0]) return false;
    const at = this.#now();
    const names = { original: id, group: place.group, only: place.group, number: undefined };
    dead.push({ ...names, id: `${Math.floor(at)}-${this.#deaths++}`, key, payload, attempts, error, at });
    if (dead.length > most) dead.splice(0, dead.length - most);
    return true;
  }

  /** Keeps places alive. */
  // deno-lint-ignore require-await -- see add()
  async beat(request: BeatRequest): Promise<BeatAnswer> {
    const group = this.#group(request, "keep messages");
    return group?.beat(request, this.#now()) ?? { held: request.places.map(() => false), adopted: undefined };
  }

  /** Gives a place back. */
  // deno-lint-ignore require-await -- see add()
  async leave(place: Place, untouched: readonly TakenEntry[], drained: boolean): Promise<boolean> {
    const group = this.#group(place, "give messages back");
    return group?.leave(place.place, place.owner, untouched, drained) ?? true;
  }

  /** Reads messages. */
  // deno-lint-ignore require-await -- see add()
  async read({ stream, from, to, limit }: ReadRequest, signal?: AbortSignal): Promise<readonly StreamEntry[]> {
    return this.#stream(stream, "read a stream", signal).log.range(from, to, limit);
  }

  /** What is pending. */
  // deno-lint-ignore require-await -- see add()
  async pending(stream: string, group: string, limit: number, signal?: AbortSignal): Promise<readonly PendingEntry[]> {
    const { groups } = this.#stream(stream, "read what is pending", signal);
    return groups.get(group)?.pending(limit, this.#now()) ?? [];
  }

  /** What is known of a stream. */
  // deno-lint-ignore require-await -- see add()
  async info(stream: string, signal?: AbortSignal): Promise<StreamInfo> {
    const { log, dead, groups } = this.#stream(stream, "tell of a stream", signal);
    return {
      length: log.length,
      dead: dead.length,
      firstId: log.at(log.first)?.id,
      lastId: log.at(log.last)?.id,
      groups: [...groups.values()].map(({ info }) => info),
    };
  }

  /** Removes messages. */
  // deno-lint-ignore require-await -- see add()
  async trim(
    stream: string,
    to: { readonly length: number } | { readonly before: string } | "handled",
    signal?: AbortSignal,
  ): Promise<number> {
    const { log, groups } = this.#stream(stream, "trim a stream", signal);
    if (to === "handled") {
      if (groups.size === 0) return 0;
      return log.trim(Math.min(...[...groups.values()].map(({ firstOpen }) => firstOpen)) - log.first);
    }
    if ("length" in to) return log.trim(log.length - to.length);
    const last = log.numberUpTo(to.before);
    const itself = log.at(last) !== undefined && compareIds(log.at(last)!.id, to.before) === 0;
    return log.trim(last - log.first + (itself ? 0 : 1));
  }

  /** Reads what was given up. */
  // deno-lint-ignore require-await -- see add()
  async dead(
    { stream, from, to, limit }: Omit<ReadRequest, "watch">,
    signal?: AbortSignal,
  ): Promise<readonly DeadEntry[]> {
    const { dead } = this.#stream(stream, "read dead letters", signal);
    return dead.filter(({ id }) => isWithin(id, from, to)).slice(0, limit);
  }

  /** Adds again what was given up. */
  // deno-lint-ignore require-await -- see add()
  async revive(stream: string, id: string, signal?: AbortSignal): Promise<string | undefined> {
    const { dead, log } = this.#stream(stream, "put a dead letter back", signal);
    const at = dead.findIndex((one) => one.id === id);
    if (at === -1) return undefined;
    const [{ payload, key, only } = {}] = dead.splice(at, 1) as Partial<(typeof dead)[number]>[];
    return log.add({ payload, key, only }, undefined, this.#now());
  }

  /** Removes what was given up. */
  // deno-lint-ignore require-await -- see add()
  async discard(stream: string, ids: readonly string[], signal?: AbortSignal): Promise<number> {
    const { dead } = this.#stream(stream, "remove dead letters", signal);
    const left = dead.filter(({ id }) => !ids.includes(id));
    const gone = dead.length - left.length;
    dead.splice(0, dead.length, ...left);
    return gone;
  }

  /** Listens for words. */
  // deno-lint-ignore require-await -- see add()
  async listen(stream: string, listener: StreamListener): Promise<AsyncDisposable> {
    const { log: { listeners } } = this.#stream(stream, "listen to a stream");
    listeners.add(listener);
    queueMicrotask(() => listener.ready());
    return { [Symbol.asyncDispose]: () => Promise.resolve(void listeners.delete(listener)) };
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#streams.clear();
    return Promise.resolve();
  }

  #stream(name: string, operation: string, signal?: AbortSignal): MemoryStream {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
    let stream = this.#streams.get(name);
    if (!stream) {
      stream = { log: new MemoryLog(), groups: new Map(), once: new Map(), mostOnce: FEW, dead: [] };
      this.#streams.set(name, stream);
    }
    return stream;
  }

  #group({ stream, group }: Pick<Place, "stream" | "group">, operation: string): MemoryGroup | undefined {
    return this.#stream(stream, operation).groups.get(group);
  }
}
