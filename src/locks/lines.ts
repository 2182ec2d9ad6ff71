import type { Grant } from "./store.ts";

/** Somebody who waits for a lock. */
export class Turn {
  readonly key: string;
  readonly owner: string;
  /** What it was told that it was given. */
  grant: Grant | undefined;
  #wake: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #woken = false;

  constructor(key: string, owner: string) {
    this.key = key;
    this.owner = owner;
  }

  /** Waits until it is woken, or so many milliseconds. */
  async wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const wake = () => this.wake();
    signal?.addEventListener("abort", wake, { once: true });
    const timer = setTimeout(wake, milliseconds);
    try {
      if (!this.#woken) await new Promise<void>((resolve) => this.#wake = resolve);
    } finally {
      clearTimeout(timer);
      this.disarm();
      signal?.removeEventListener("abort", wake);
      this.#woken = false;
      this.#wake = undefined;
    }
    signal?.throwIfAborted();
  }

  /** Wakes it. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Wakes it after so many milliseconds, should nobody do so before. */
  arm(milliseconds: number): void {
    this.disarm();
    this.#timer = setTimeout(() => this.wake(), milliseconds);
  }

  /** Leaves it asleep. */
  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Those who wait in this process, by what they wait for. The store wakes who is given something; for the case that a
 * holder died, which nobody tells, the first of each line looks when its time is over.
 */
export class Lines {
  readonly #lines = new Map<string, Turn[]>();
  readonly #turns = new Map<string, Turn>();

  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** From now on it is told what it is given, which may come before the answer that it stands in line. */
  expect(turn: Turn): void {
    this.#turns.set(turn.owner, turn);
  }

  /** It is told nothing any more. */
  forget(turn: Turn): void {
    this.#turns.delete(turn.owner);
  }

  /** Joins a line. */
  join(turn: Turn): void {
    this.#size++;
    const line = this.#lines.get(turn.key);
    if (line) line.push(turn);
    else this.#lines.set(turn.key, [turn]);
  }

  /** Leaves it; the next one looks for a holder that died, after so many milliseconds. */
  leave(turn: Turn, milliseconds: number): void {
    turn.disarm();
    this.#size--;
    const line = this.#lines.get(turn.key)!;
    const at = line.indexOf(turn);
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(turn.key);
    else if (at === 0) line[0]!.arm(milliseconds);
  }

  /** The first of its line looks after so many milliseconds. */
  look(turn: Turn, milliseconds: number): void {
    if (this.#lines.get(turn.key)?.[0] === turn) turn.arm(milliseconds);
  }

  /** Wakes an owner, who was given something. Returns whether there is such an owner. */
  wake(owner: string, grant: Grant | undefined): boolean {
    const turn = this.#turns.get(owner);
    if (!turn) return false;
    turn.grant = grant;
    turn.wake();
    return true;
  }

  /** Wakes all. */
  wakeAll(): void {
    for (const turn of this.#turns.values()) turn.wake();
  }
}
