import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { ExtendRequest, KeptValue, LastRun, LockListener, LockStore, TakeAnswer, TakeRequest } from "./store.ts";

/** A place that is taken. */
interface Held {
  till: number;
  readonly token: number;
}

/** What is locked. */
interface Entry {
  readonly held: Map<string, Held>;
  /** The owners in line, the first first. */
  readonly line: Set<string>;
}

/** Options of a {@linkcode MemoryLockStore}. */
export interface MemoryLockStoreOptions {
  /** The time in milliseconds. @default {Date.now} */
  now?: (() => number) | undefined;
}

/** Locks in this process: what those in Redis do, for one process. */
export class MemoryLockStore implements LockStore {
  /** It is one in memory. */
  readonly kind = "memory" as const;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Map<string, LockListener>();
  readonly #runs = new Map<string, { readonly at: number; readonly until: number }>();
  readonly #kept = new Map<string, { readonly value: Uint8Array; readonly until: number }>();
  #last = 0;
  #closed: ClosedBy | undefined;

  /**
   * Creates a store.
   *
   * @param options Its clock.
   */
  constructor({ now = Date.now }: MemoryLockStoreOptions = {}) {
    this.#now = now;
  }

  /** How many names there is something of. */
  get size(): number {
    return this.#entries.size;
  }

  /** Listens for an instance. */
  listen(instance: string, listener: LockListener): Promise<void> {
    this.#listeners.set(instance, listener);
    return Promise.resolve();
  }

  /** Takes a place, or stands in line. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async take({ key, owner, ttl, permits, wait }: TakeRequest, signal?: AbortSignal): Promise<TakeAnswer> {
    signal?.throwIfAborted();
    this.#assertOpen();
    const now = this.#now();
    const entry = this.#entry(key, now);
    const own = entry.held.get(owner);
    if (own) {
      own.till = now + ttl;
      return { token: own.token };
    }
    this.#serve(entry, permits, now, owner);
    if (!entry.held.has(owner) && entry.held.size < permits && entry.line.size === 0) this.#give(entry, owner, now);
    const given = entry.held.get(owner);
    if (given) return { token: given.token };
    if (wait > 0) entry.line.add(owner);
    const retryIn = Math.min(...[...entry.held.values()].map(({ till }) => till)) - now;
    this.#clean(key, entry);
    return { retryIn, at: now };
  }

  /** Gives a place up, or leaves the line. */
  // deno-lint-ignore require-await -- see take()
  async leave({ key, owner, permits }: Omit<TakeRequest, "wait" | "ttl">): Promise<boolean> {
    this.#assertOpen();
    const now = this.#now();
    const entry = this.#entry(key, now);
    const had = entry.held.delete(owner);
    entry.line.delete(owner);
    this.#serve(entry, permits, now);
    this.#clean(key, entry);
    return had;
  }

  /** When a job ran last. */
  // deno-lint-ignore require-await -- see take()
  async lastRun(key: string, signal?: AbortSignal): Promise<{ at: number | undefined; now: number }> {
    signal?.throwIfAborted();
    this.#assertOpen();
    const now = this.#now();
    const run = this.#runs.get(key);
    if (!run || run.until > now) return { at: run?.at, now };
    this.#runs.delete(key);
    return { at: undefined, now };
  }

  /** Keeps when it ran. */
  // deno-lint-ignore require-await -- see take()
  async keepRun({ key, owner, at, keep }: LastRun): Promise<boolean> {
    this.#assertOpen();
    if (!this.#entries.get(key)?.held.has(owner)) return false;
    this.#runs.set(key, { at, until: this.#now() + keep });
    return true;
  }

  /** What is kept under a name. */
  // deno-lint-ignore require-await -- see take()
  async kept(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    this.#assertOpen();
    const now = this.#now();
    for (const [key, { until }] of this.#kept) { // those that end first are often the first
      if (until > now) break;
      this.#kept.delete(key);
    }
    const kept = this.#kept.get(key);
    return kept && kept.until > now ? kept.value.slice() : undefined;
  }

  /** Keeps something under a name. */
  // deno-lint-ignore require-await -- see take()
  async keep({ key, owner, value, for: milliseconds }: KeptValue): Promise<boolean> {
    this.#assertOpen();
    const held = this.#entries.get(key)?.held;
    const mayKeep = held?.has(owner) || (!held?.size && !this.#kept.has(key)); // what is done is done
    if (!mayKeep) return false;
    this.#kept.delete(key);
    this.#kept.set(key, { value: value.slice(), until: this.#now() + milliseconds });
    return true;
  }

  /** Extends what is still held. */
  // deno-lint-ignore require-await -- see take()
  async extend(requests: readonly ExtendRequest[]): Promise<boolean[]> {
    this.#assertOpen();
    const now = this.#now();
    return requests.map(({ key, owner, ttl }) => {
      const held = this.#entries.get(key)?.held.get(owner);
      if (held) held.till = now + ttl;
      return held !== undefined;
    });
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#entries.clear();
    this.#runs.clear();
    this.#kept.clear();
    this.#listeners.clear();
    return Promise.resolve();
  }

  #assertOpen(): void {
    if (this.#closed) throw new UnavailableError("use a lock", "closed", { closedBy: this.#closed });
  }

  /** What is locked under a name, without those whose time is over. */
  #entry(key: string, now: number): Entry {
    let entry = this.#entries.get(key);
    if (!entry) this.#entries.set(key, entry = { held: new Map(), line: new Set() });
    for (const [owner, { till }] of entry.held) if (till <= now) entry.held.delete(owner);
    return entry;
  }

  #give(entry: Entry, owner: string, now: number): number {
    this.#last = Math.max(now * 1000, this.#last + 1);
    const ttl = Number(owner.slice(owner.lastIndexOf("|") + 1));
    entry.held.set(owner, { till: now + ttl, token: this.#last });
    return this.#last;
  }

  /** Gives free places to those in line. */
  #serve(entry: Entry, permits: number, now: number, asking?: string): void {
    for (const owner of entry.line) {
      if (entry.held.size >= permits) return;
      entry.line.delete(owner);
      const listener = this.#listeners.get(owner.slice(0, owner.indexOf("|")));
      if (!listener) continue; // nobody waits there any more
      const token = this.#give(entry, owner, now);
      if (owner !== asking) queueMicrotask(() => listener.granted(owner, { token, at: now }));
    }
  }

  #clean(key: string, { held, line }: Entry): void {
    if (held.size === 0 && line.size === 0) this.#entries.delete(key);
  }
}
