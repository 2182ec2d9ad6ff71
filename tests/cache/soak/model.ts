/** For how many seconds nobody tries again after a loader failed; the systems under test are told the same. */
export const RETRY_AFTER = 120;

/** How long a value is kept, in seconds; a `ttl` of 0 = for ever. */
export interface Life {
  readonly ttl: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
}

/** A call of `getOrSet` and what its loader will do, should it run. */
export interface Load {
  /** Number of the call, which tells its values and errors from all others. */
  readonly call: number;
  readonly life: Life;
  readonly tags: readonly string[];
  /** How the loader ends; `unstored` = with a value that the store does not take. */
  readonly ends: "value" | "throw" | "skip" | "notModified" | "absent" | "unstored";
  readonly value: unknown;
  /** Given to `setTtl()` and `setTags()` by the loader. */
  readonly setTtl?: number | undefined;
  readonly setTags?: readonly string[] | undefined;
  /** Seconds before the end of its freshness at which a value is refreshed. */
  readonly refreshAhead: number;
  readonly lock: boolean;
  /** Whether the caller takes an older value rather than wait, `timeout: 0`. */
  readonly impatient: boolean;
  /** Whether the loader goes on until it is told to end. */
  readonly blocked: boolean;
}

/** How a call ends. */
export type Outcome = { readonly value: unknown } | { readonly error: string };

/** What is seen of a key from outside. Times in seconds. */
export interface Seen {
  readonly status: "hit" | "stale" | "miss";
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly ttl: number;
  readonly age: number;
}

interface Entry {
  readonly value: unknown;
  readonly tags: readonly string[];
  /** When the value was read from where it really lives. */
  readonly asOf: number;
  freshUntil: number;
  staleUntil: number;
  errorUntil: number;
  /** Whether one of its tags was invalidated as stale. */
  stale: boolean;
  pausedUntil: number;
}

interface Flight {
  readonly key: string;
  readonly by: number;
  readonly load: Load;
  readonly began: number;
  readonly previous: Entry | undefined;
  readonly background: boolean;
  /** Whether nobody wrote, removed or took over the key since. */
  holds: boolean;
  /** Whether it is the newest of its process for the key. */
  newest: boolean;
  /** Tags that were invalidated since it began. */
  readonly hard: Set<string>;
  readonly stale: Set<string>;
  readonly joined: { readonly by: number; readonly load: Load; readonly fallback: Entry | undefined }[];
}

/**
 * What a cache has to do, said in the plainest way: an invalidation walks over all entries and takes them away, or
 * marks them, there and then; a loader that runs notes what happens to its key meanwhile. No places in an order, no
 * records, no barriers, no scripts.
 */
export class Model {
  /** The time in seconds. */
  now = 0;
  /** Loaders that were run since this was last emptied, with the previous value that each was shown. */
  readonly ran: Map<string, unknown> = new Map();
  readonly #entries = new Map<string, Entry>();
  #flights: Flight[] = [];

  look(key: string): Seen {
    const entry = this.#live(key);
    if (!entry) return { status: "miss", value: undefined, tags: [], ttl: 0, age: 0 };
    const { value, tags, asOf, freshUntil } = entry;
    const fresh = this.#isFresh(entry);
    return {
      status: fresh ? "hit" : "stale",
      value,
      tags,
      ttl: fresh ? freshUntil - this.now : 0,
      age: this.now - asOf,
    };
  }

  /** The keys under which there is something to serve. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#live(key)).sort();
  }

  set(key: string, value: unknown, life: Life, tags: readonly string[]): void {
    this.#takeLease(key);
    this.#put(key, value, life, tags, this.now, false);
  }

  touch(key: string, ttl: number): boolean {
    const entry = this.#live(key);
    if (!entry || entry.stale) return false; // a tag keeps it stale, whatever its times
    const fresh = ttl === 0 ? Infinity : this.now + ttl;
    const beyond = (time: number) => entry.freshUntil === Infinity ? 0 : time - entry.freshUntil;
    [entry.staleUntil, entry.errorUntil] = [fresh + beyond(entry.staleUntil), fresh + beyond(entry.errorUntil)];
    entry.freshUntil = fresh;
    return true;
  }

  /** Removes what fits, and tells how many could have been served. */
  remove(fits: (key: string) => boolean): number {
    const keys = [...this.#entries.keys()].filter(fits);
    const removed = keys.filter((key) => this.#live(key)).length;
    for (const key of keys) this.#entries.delete(key);
    for (const { key } of this.#flights.filter(({ key }) => fits(key))) this.#takeLease(key);
    return removed;
  }

  invalidateTags(tags: readonly string[], mode: "hard" | "stale"): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.tags.some((tag) => tags.includes(tag))) continue;
      if (mode === "hard") this.#entries.delete(key);
      else entry.stale = true;
    }
    for (const flight of this.#flights) for (const tag of tags) flight[mode].add(tag);
  }

  /**
   * A call of `getOrSet`: how it ends; `"later"` when that depends on a loader that has to be ended first; `undefined`
   * when what comes of it would depend on who is faster, so that it cannot be judged.
   */
  getOrSet(by: number, key: string, load: Load): Outcome | "later" | undefined {
    const entry = this.#live(key);
    const state = entry ? this.#stateOf(entry) : "none";
    const holder = this.#flights.find((flight) => flight.key === key && flight.holds);
    const free = !holder && (!entry || entry.pausedUntil <= this.now);
    if (entry && state === "fresh") {
      const { refreshAhead, life: { ttl } } = load;
      const ahead = ttl === 0 || refreshAhead < ttl ? refreshAhead : ttl / 2;
      const early = ahead > 0 && entry.freshUntil - this.now <= ahead;
      const busy = this.#flights.some((flight) => flight.key === key && flight.by === by && flight.newest);
      if (early && free && !busy) this.#start(by, key, load, entry, true);
      return { value: entry.value };
    }
    if (entry && state === "stale") {
      if (free) this.#start(by, key, load, entry, true);
      return { value: entry.value };
    }
    if (free) {
      const flight = this.#start(by, key, load, entry, false);
      if (!load.blocked) return flight.ended!;
      return entry && load.impatient ? { value: entry.value } : "later";
    }
    if (!holder) return { value: entry!.value }; // a loader has just failed
    if (holder.by !== by && !load.lock) {
      if (holder.joined.length > 0) return undefined;
      this.#takeLease(key);
      return this.getOrSet(by, key, load);
    }
    if (entry && load.impatient) return { value: entry.value };
    const touched = holder.hard.size + holder.stale.size > 0;
    if (touched && (holder.load.ends !== "value" || holder.joined.length > 0)) return undefined;
    if (load.blocked || holder.joined.some((join) => join.by === by)) return undefined;
    holder.joined.push({ by, load: { ...load, refreshAhead: 0 }, fallback: entry });
    return "later";
  }

  /**
   * A call of `getOrSetMany` by which all keys are loaded that are in `given`, or all fail. Keys for which it would
   * have to wait are not to be among them; see {@linkcode Model.waits}.
   */
  getOrSetMany(by: number, keys: readonly string[], load: Load, given: ReadonlyMap<string, unknown>): Outcome {
    const values = new Map<string, unknown>();
    let failed = false;
    for (const key of keys) {
      const entry = this.#live(key);
      const state = entry ? this.#stateOf(entry) : "none";
      const held = this.#flights.some((flight) => flight.key === key && flight.holds);
      if (entry && state !== "expired") values.set(key, entry.value);
      if (state === "fresh" || held) continue;
      if (entry && entry.pausedUntil > this.now) {
        values.set(key, entry.value);
        continue;
      }
      this.ran.set(`${load.call} ${key}`, undefined);
      for (const other of this.#flights) if (other.key === key && other.by === by) other.newest = false;
      if (load.ends === "throw") {
        if (entry) {
          entry.pausedUntil = this.now + RETRY_AFTER;
          values.set(key, entry.value);
        } else {
          failed = true;
        }
      } else if (given.get(key) === undefined) {
        this.#entries.delete(key);
      } else {
        this.#put(key, given.get(key), load.life, load.tags, this.now, false);
        if (state !== "stale") values.set(key, given.get(key));
      }
    }
    return failed ? { error: `load ${load.call}` } : { value: values };
  }

  /** Whether a read of this key would wait for a loader. */
  waits(key: string): boolean {
    const entry = this.#live(key);
    const served = entry !== undefined && this.#stateOf(entry) !== "expired";
    return !served && this.#flights.some((flight) => flight.key === key && flight.holds);
  }

  /** Loaders that run, by the number of their call, oldest first. */
  running(by?: number): number[] {
    return this.#flights.filter((flight) => by === undefined || flight.by === by).map(({ load }) => load.call);
  }

  /** Loaders that run and that the process counts: the newest for each key. */
  counted(by: number): number {
    return this.#flights.filter((flight) => flight.by === by && flight.newest).length;
  }

  /** Loaders for which somebody waits who did not start them. */
  awaited(): number[] {
    return this.#flights.filter(({ joined }) => joined.length > 0).map(({ load }) => load.call);
  }

  /**
   * A process dies, and the leases of its loaders run out. Gives their keys, and the calls that nobody hears of again.
   */
  kill(by: number): { keys: string[]; calls: number[] } {
    const dead = this.#flights.filter((flight) => flight.by === by);
    this.#flights = this.#flights.filter((flight) => flight.by !== by);
    return {
      keys: dead.filter(({ holds }) => holds).map(({ key }) => key),
      calls: dead.flatMap(({ load, joined }) => [load.call, ...joined.map(({ load }) => load.call)]),
    };
  }

  /** Ends a loader. Gives how each call ends that waited for it, by number. */
  land(call: number): Map<number, Outcome> {
    const flight = this.#flights.find(({ load }) => load.call === call)!;
    this.#flights = this.#flights.filter((other) => other !== flight);
    const { own, shared } = this.#end(flight);
    const outcomes = new Map<number, Outcome>();
    if (!flight.background && !(flight.previous && flight.load.impatient)) outcomes.set(call, own);
    for (const { by, load, fallback } of flight.joined) {
      let outcome = by === flight.by ? shared : undefined;
      if (outcome && "error" in outcome && fallback) outcome = { value: fallback.value };
      outcomes.set(load.call, outcome ?? this.getOrSet(by, flight.key, load) as Outcome);
    }
    return outcomes;
  }

  #start(by: number, key: string, load: Load, previous: Entry | undefined, background: boolean): { ended?: Outcome } {
    this.ran.set(`${load.call}`, previous?.value);
    for (const other of this.#flights) if (other.key === key && other.by === by) other.newest = false;
    const flight: Flight = {
      ...{ key, by, load, background, began: this.now, previous: previous && { ...previous } },
      ...{ holds: true, newest: true, hard: new Set(), stale: new Set(), joined: [] },
    };
    if (!load.blocked) return { ended: this.#end(flight).own };
    this.#flights.push(flight);
    return {};
  }

  /**
   * What a loader's end means for its caller, and for those in its process who joined; `undefined` = they have to look
   * again.
   */
  #end(flight: Flight): { own: Outcome; shared: Outcome | undefined } {
    const { key, load, previous, holds } = flight;
    const nothingToKeep = load.ends === "notModified" && !previous;
    if (load.ends === "throw" || nothingToKeep) {
      const error = { error: nothingToKeep ? "TypeError" : `load ${load.call}` };
      const entry = this.#live(key);
      if (holds && entry) entry.pausedUntil = previous ? this.now + RETRY_AFTER : 0;
      return { own: previous ? { value: previous.value } : error, shared: error };
    }
    const value = load.ends === "notModified" ? previous!.value : load.value;
    if (load.ends === "skip") return { own: { value }, shared: { value } };
    if (load.ends === "absent") {
      if (holds) this.#entries.delete(key);
      return { own: { value: undefined }, shared: { value: undefined } };
    }
    const tags = load.setTags ?? (load.ends === "notModified" ? previous!.tags : load.tags);
    if (!holds || tags.some((tag) => flight.hard.has(tag))) return { own: { value }, shared: undefined };
    if (load.ends === "unstored") {
      const entry = this.#live(key);
      if (entry) entry.pausedUntil = previous ? this.now + RETRY_AFTER : 0;
      return { own: { value }, shared: { value } };
    }
    const life = { ...load.life, ttl: load.setTtl ?? load.life.ttl };
    this.#put(key, value, life, tags, flight.began, tags.some((tag) => flight.stale.has(tag)));
    return { own: { value }, shared: { value } };
  }

  #put(key: string, value: unknown, life: Life, tags: readonly string[], asOf: number, stale: boolean): void {
    const freshUntil = life.ttl === 0 ? Infinity : this.now + life.ttl;
    const staleUntil = freshUntil + life.staleWhileRevalidate;
    const errorUntil = Math.max(staleUntil, freshUntil + life.staleIfError);
    this.#entries.set(key, {
      ...{ value, tags: [...new Set(tags)], asOf, freshUntil, staleUntil, errorUntil, stale, pausedUntil: 0 },
    });
  }

  #takeLease(key: string): void {
    for (const flight of this.#flights) if (flight.key === key) flight.holds = false;
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry && this.now < entry.errorUntil ? entry : undefined;
  }

  #isFresh(entry: Entry): boolean {
    return this.#stateOf(entry) === "fresh";
  }

  #stateOf(entry: Entry): "fresh" | "stale" | "expired" {
    if (this.now >= entry.staleUntil) return "expired";
    return this.now >= entry.freshUntil || entry.stale ? "stale" : "fresh";
  }
}
