import { compareIds, isWithin } from "./ids.ts";
import type { StreamEntry, StreamListener } from "./store.ts";

/** A message, and the group for which it is, if it is for one. */
export interface MemoryEntry extends StreamEntry {
  readonly only: string | undefined;
}

/** As many are removed at a time where a length is kept roughly, as Redis does. */
const BLOCK = 100;

/** The messages of a stream in this process, by numbers that grow by one. */
export class MemoryLog {
  readonly listeners: Set<StreamListener> = new Set();
  #entries: MemoryEntry[] = [];
  /** The number of the first. */
  #first = 1;
  #lastMs = 0;
  #lastNumber = 0;

  /** The number of the first message. */
  get first(): number {
    return this.#first;
  }

  /** The number of the last message. */
  get last(): number {
    return this.#first + this.#entries.length - 1;
  }

  /** The id of the last message that was ever added. */
  get lastId(): string {
    return `${this.#lastMs}-${this.#lastNumber}`;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Adds a message; gives its id. */
  add(entry: Pick<MemoryEntry, "payload" | "key" | "only">, maxLength: number | undefined, now: number): string {
    const ms = Math.max(Math.floor(now), this.#lastMs);
    this.#lastNumber = ms === this.#lastMs ? this.#lastNumber + 1 : 0;
    this.#lastMs = ms;
    const id = this.lastId;
    this.#entries.push({ ...entry, id, number: BigInt(this.last + 1) });
    if (maxLength !== undefined && this.length >= maxLength + BLOCK) this.trim(this.length - maxLength);
    this.wake(false);
    return id;
  }

  /** The message of a number. */
  at(number: number): MemoryEntry | undefined {
    return this.#entries[number - this.#first];
  }

  /** The message of an id, and its number. */
  find(id: string): MemoryEntry & { readonly at: number } | undefined {
    const at = this.numberUpTo(id);
    const entry = this.at(at);
    return entry?.id === id ? { ...entry, at } : undefined;
  }

  /** The number of the last message up to an id. */
  numberUpTo(id: string): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareIds(this.#entries[middle]!.id, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.#first + low - 1;
  }

  /** A range of messages. */
  range(from: string, to: string, limit: number): MemoryEntry[] {
    const found: MemoryEntry[] = [];
    const start = from === "-" ? this.#first : Math.max(this.#first, this.numberUpTo(from.replace("(", "")));
    for (let number = start; number <= this.last && found.length < limit; number++) {
      const entry = this.at(number)!;
      if (isWithin(entry.id, from, to)) found.push(entry);
      else if (found.length > 0) break;
    }
    return found;
  }

  /** Removes so many of the oldest; gives how many there were. */
  trim(count: number): number {
    const gone = this.#entries.splice(0, Math.max(0, count)).length;
    this.#first += gone;
    return gone;
  }

  /** A word to those who wait. */
  wake(left: boolean): void {
    for (const listener of [...this.listeners]) queueMicrotask(() => listener.wake(left));
  }
}
