import type { Deadline } from "../../redis/deadline.ts";
import { Part } from "../parts.ts";

/** A write that waits. */
export interface Queued {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Whether it is no loader's. */
  readonly explicit: boolean;
  /** At its end it must not take effect any more. */
  readonly within: Deadline;
}

/** Writes that somebody waits for. */
interface Awaited {
  left: number;
  /** Whether what is called later must not go out together with them. */
  readonly closes: boolean;
  readonly resolve: () => void;
}

/**
 * Writes in the order of the calls: as many as go together go with the next write, the others wait until that is on its
 * way.
 */
export class WriteQueue<Write extends Queued> {
  #next: Write[] = [];
  /** What goes with the next write, or went with the one before and is not on its way yet. */
  #part = new Part();
  readonly #behind = new Set<Write>();
  /** Those behind that go first. */
  readonly #hurried = new Set<Write>();
  /** Those behind that are no loader's. */
  readonly #keys = new Map<string, Set<Write>>();
  readonly #awaited = new Map<Write, Awaited[]>();

  /** How many wait. */
  get length(): number {
    return this.#next.length + this.#behind.size + this.#hurried.size;
  }

  /** Adds one. Returns whether it goes with the next write. */
  add(write: Write): boolean {
    if (this.#behind.size + this.#hurried.size === 0 && this.#part.add(write.bytes.length)) {
      this.#next.push(write);
      return true;
    }
    this.#wait(write, this.#behind);
    return false;
  }

  /** Adds one that was sent before, ahead of the others. Returns whether it goes with the next write. */
  addAgain(write: Write): boolean {
    if (this.#behind.size + this.#hurried.size === 0) return this.add(write);
    this.#wait(write, this.#hurried);
    return false;
  }

  /** Whether a write of this key waits that is no loader's. */
  has(key: string): boolean {
    return this.#keys.has(key) || this.#next.some((write) => write.explicit && write.key === key);
  }

  /**
   * Takes what goes with the next write; call {@linkcode WriteQueue.sent} with the part when it is on its way, or never
   * will be.
   */
  take(): { writes: Write[]; part: Part } {
    const writes = this.#next;
    this.#next = [];
    return { writes, part: this.#part };
  }

  /** A part is on its way. Returns whether more is to go out. */
  sent(part: Part): boolean {
    if (part !== this.#part) return false;
    this.#part = new Part();
    for (const waiting of [this.#hurried, this.#behind]) {
      for (const write of waiting) {
        if (!this.#part.add(write.bytes.length)) return this.#next.length > 0;
        this.#next.push(write);
        this.#leave(write);
      }
    }
    return this.#next.length > 0;
  }

  /** Takes out all that are no loader's and fit, of those that do not go with the next write. */
  takeBack(fits: (write: Write) => boolean): Write[] {
    const taken = this.#explicit(fits);
    for (const write of taken) this.#leave(write);
    return taken;
  }

  /** Has a key written first, if a write of it waits behind the next one; resolves when it goes with the next. */
  hurryKey(key: string): Promise<void> | undefined {
    const writes = this.#keys.size === 0 ? undefined : this.#keys.get(key);
    return writes && this.#hurry([...writes], false);
  }

  /**
   * Has all that fit written first; resolves when the last of them goes with the next write. What comes later does not.
   */
  hurry(fits: (write: Write) => boolean): Promise<void> | undefined {
    const writes = this.#explicit(fits);
    return writes.length === 0 ? undefined : this.#hurry(writes, true);
  }

  /** Empties it. */
  clear(): Write[] {
    const all = [...this.#next, ...this.#hurried, ...this.#behind];
    this.#next = [];
    this.#part = new Part();
    for (const write of all) this.#leave(write);
    return all;
  }

  #explicit(fits: (write: Write) => boolean): Write[] {
    if (this.#keys.size === 0) return [];
    return [...this.#hurried, ...this.#behind].filter((write) => write.explicit && fits(write));
  }

  #hurry(writes: readonly Write[], closes: boolean): Promise<void> {
    return new Promise((resolve) => {
      const awaited = { left: writes.length, closes, resolve };
      for (const write of writes) {
        if (this.#behind.delete(write)) this.#hurried.add(write);
        const others = this.#awaited.get(write);
        if (others) others.push(awaited);
        else this.#awaited.set(write, [awaited]);
      }
    });
  }

  #wait(write: Write, where: Set<Write>): void {
    // What waits for its part has a deadline of its own, which counts from its write.
    write.within.extend(Infinity);
    where.add(write);
    if (!write.explicit) return;
    const same = this.#keys.get(write.key);
    if (same) same.add(write);
    else this.#keys.set(write.key, new Set([write]));
  }

  /** It does not wait behind the next write any more. */
  #leave(write: Write): void {
    if (!this.#behind.delete(write) && !this.#hurried.delete(write)) return;
    const same = this.#keys.get(write.key);
    if (same?.delete(write) && same.size === 0) this.#keys.delete(write.key);
    for (const awaited of this.#awaited.get(write) ?? []) {
      if (--awaited.left > 0) continue;
      if (awaited.closes) this.#part.close();
      awaited.resolve();
    }
    this.#awaited.delete(write);
  }
}
