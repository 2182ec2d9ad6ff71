import { compareIds } from "./ids.ts";
import type { MemoryEntry, MemoryLog } from "./memory_log.ts";
import type { BeatAnswer, BeatRequest, GroupInfo, PendingEntry, Settled, TakeAnswer, TakeRequest } from "./store.ts";
import { SUSPECT, type TakenEntry } from "./store.ts";

/** Messages that are scanned in one call at most, for one whose key is free. */
const SCANNED = 1000;

interface Pending {
  attempts: number;
  since: number;
}

interface MemoryPlace {
  till: number;
  owner: string;
  /** By ids, in their order. */
  readonly pending: Map<string, Pending>;
  /** The last that was put there. */
  last: string;
}

/** A group of a stream in this process: see `redis/message_scripts.ts` for what its parts are. */
export class MemoryGroup {
  readonly #log: MemoryLog;
  readonly #name: string;
  readonly #places = new Map<string, MemoryPlace>();
  /** Where each message is pending. */
  readonly #where = new Map<string, string>();
  /** The last message of each key, and how many of it are pending. */
  readonly #keys = new Map<string, string>();
  /** The number of the last message that was read. */
  #last: number;
  #lastId: string;

  constructor(log: MemoryLog, name: string, from: string) {
    this.#log = log;
    this.#name = name;
    this.#lastId = from === "$" ? log.lastId : from;
    this.#last = log.numberUpTo(this.#lastId);
  }

  /** The first message that is not done with, by its number. */
  get firstOpen(): number {
    let first = this.#last + 1;
    for (const id of this.#where.keys()) first = Math.min(first, this.#log.find(id)?.at ?? first);
    return first;
  }

  get info(): GroupInfo {
    const waiting = this.#log.last - Math.max(this.#last, this.#log.first - 1);
    return { name: this.#name, pending: this.#where.size, waiting, lastId: this.#lastId };
  }

  take(request: TakeRequest, now: number, made: boolean): TakeAnswer {
    const { place: name, owner, lease, wanted, from, most, inHand, counted, holds } = request;
    let { after } = request;
    const nothing = { entries: [], made, dropped: 0, missed: 0, full: false };
    let place = this.#places.get(name);
    const another = place ? place.owner !== owner : from === undefined || holds;
    if (another) return { ...nothing, held: false, after, empty: true };
    if (!place) this.#places.set(name, place = { till: 0, owner, pending: new Map(), last: "0-0" });
    place.till = now + lease;
    const entries: TakenEntry[] = [];
    let [dropped, seen, cut] = [0, 0, false];
    for (const [id, pending] of compareIds(place.last, after) > 0 ? [...place.pending] : []) {
      if (compareIds(id, after) <= 0) continue;
      const alone = from === undefined && pending.attempts + 1 >= SUSPECT;
      cut = alone && entries.length > 0;
      if (seen === wanted || cut) break;
      seen++;
      after = id;
      if (inHand.includes(id)) continue;
      const entry = this.#log.find(id);
      if (entry) {
        if (!counted || pending.attempts === 0) pending.attempts++;
        pending.since = now;
        entries.push({ ...entry, attempt: pending.attempts });
        cut = alone;
        if (cut) break;
      } else {
        this.#remove({ id, key: undefined });
        dropped++;
      }
    }
    let missed = 0;
    let [empty, full] = [seen < wanted && from === undefined && !cut, false];
    if (seen < wanted && from !== undefined) {
      full = this.#where.size >= most;
      for (let scanned = 0; entries.length < wanted && this.#where.size < most && scanned < SCANNED; scanned++) {
        missed += Math.max(0, this.#log.first - this.#last - 1);
        this.#last = Math.max(this.#last, this.#log.first - 1);
        const entry = this.#log.at(this.#last + 1);
        if (!entry) {
          empty = true;
          break;
        }
        this.#last++;
        this.#lastId = entry.id;
        if (entry.only !== undefined && entry.only !== this.#name) continue;
        const at = this.#placeOf(entry, name);
        const there = this.#places.get(at)!;
        there.pending.set(entry.id, { attempts: at === name ? 1 : 0, since: now });
        there.last = entry.id;
        this.#where.set(entry.id, at);
        if (entry.key !== undefined) this.#keys.set(entry.key, entry.id);
        if (at !== name) {
          this.#log.wake(false);
          continue;
        }
        entries.push({ ...entry, attempt: 1 });
        after = entry.id;
      }
    }
    return { held: true, entries, after, made, dropped, missed, empty, full };
  }

  ack(place: string, owner: string, settled: readonly Settled[]): readonly boolean[] | undefined {
    const held = this.#places.get(place);
    if (held && held.owner !== owner) return undefined;
    return settled.map((one) => this.#remove(one));
  }

  retry(place: string, owner: string, id: string, attempt: number, now: number): boolean | undefined {
    const held = this.#places.get(place);
    if (held?.owner !== owner) return undefined;
    const pending = held.pending.get(id);
    if (!pending) return false;
    pending.attempts = attempt;
    pending.since = now;
    return true;
  }

  beat({ owner, lease, places }: BeatRequest, now: number): BeatAnswer {
    const held = places.map((name) => {
      const place = this.#places.get(name);
      if (place?.owner !== owner) return false;
      place.till = now + lease;
      return true;
    });
    for (const [name, place] of this.#places) {
      if (places.includes(name) || place.till > now) continue;
      if (place.pending.size === 0) {
        this.#places.delete(name);
        continue;
      }
      place.till = now + lease;
      place.owner = owner;
      return { held, adopted: name };
    }
    return { held, adopted: undefined };
  }

  leave(name: string, owner: string, untouched: readonly TakenEntry[], drained: boolean): boolean {
    const place = this.#places.get(name);
    if (place?.owner !== owner) return true;
    if (place.pending.size === 0) return this.#places.delete(name);
    if (drained) return false;
    for (const { id, attempt } of untouched) {
      const pending = place.pending.get(id);
      if (pending) pending.attempts = attempt - 1;
    }
    place.till = 0;
    this.#log.wake(true);
    return true;
  }

  pending(limit: number, now: number): PendingEntry[] {
    const ids = [...this.#where].sort(([a], [b]) => compareIds(a, b)).slice(0, limit);
    return ids.map(([id, consumer]) => {
      const { attempts, since } = this.#places.get(consumer)!.pending.get(id)!;
      return { id, consumer, idle: Math.max(0, now - since), attempts };
    });
  }

  /** Where a message is handled: with those of its key. */
  #placeOf({ key }: MemoryEntry, place: string): string {
    const before = key === undefined ? undefined : this.#keys.get(key);
    return (before && this.#where.get(before)) ?? place;
  }

  #remove({ id, key }: Settled): boolean {
    const place = this.#where.get(id);
    if (place === undefined) return false;
    this.#where.delete(id);
    this.#places.get(place)?.pending.delete(id);
    if (key === undefined) { for (const [key, last] of this.#keys) if (last === id) this.#keys.delete(key); }
    else if (this.#keys.get(key) === id) this.#keys.delete(key);
    return true;
  }
}
