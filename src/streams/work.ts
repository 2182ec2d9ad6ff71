import type { TakenEntry } from "./store.ts";

/** A place that a consumer holds. */
export interface HeldPlace {
  readonly name: string;
  /** Whether it is where this consumer reads new messages; it has taken over the others. */
  readonly own: boolean;
  /** All that is pending there up to this id is in hand. */
  after: string;
  /** Until when nobody else can hold it, by `performance.now()`; 0 before the first answer. */
  until: number;
  /** Whether there may be something to take. */
  hungry: boolean;
  /** Whether it is read from its begin again, ids that are in hand being left out. */
  again: boolean;
  /** Whether a take was not answered: it may have counted an attempt of what it handed out. */
  unsure: boolean;
  /** The generation of the store that it was read in. */
  generation: number;
  /** What is in hand of it. */
  readonly works: Set<Work>;
}

/** A message in hand. */
export interface Work {
  readonly place: HeldPlace;
  readonly entry: TakenEntry;
  attempt: number;
  /** Whether an attempt has begun. */
  touched: boolean;
  /** Whether the next attempt has to be counted first. */
  uncounted: boolean;
  /** What went wrong at the last attempt here. */
  error: unknown;
  /** Rings when it is tried again. */
  timer: ReturnType<typeof setTimeout> | undefined;
  readonly controller: AbortController;
}

/** Messages that wait to be handled: of each key only the first is ready. */
export class Lines {
  readonly #ready = new Set<Work>();
  readonly #lines = new Map<string, Set<Work>>();

  /** How many are ready. */
  get ready(): number {
    return this.#ready.size;
  }

  /** One more came. */
  add(work: Work): void {
    const { key } = work.entry;
    if (key === undefined) return void this.#ready.add(work);
    const line = this.#lines.get(key);
    if (line) return void line.add(work);
    this.#lines.set(key, new Set([work]));
    this.#ready.add(work);
  }

  /** The first that is ready. */
  shift(): Work | undefined {
    for (const work of this.#ready) {
      this.#ready.delete(work);
      return work;
    }
    return undefined;
  }

  /** It is ready again; those of its key still wait for it. */
  again(work: Work): void {
    this.#ready.add(work);
  }

  /** It is done with: the next of its key is ready. */
  remove(work: Work): void {
    this.#ready.delete(work);
    const { key } = work.entry;
    const line = key === undefined ? undefined : this.#lines.get(key);
    if (!line) return;
    const [first] = line;
    line.delete(work);
    if (line.size === 0) return void this.#lines.delete(key!);
    if (first !== work) return;
    for (const next of line) return void this.#ready.add(next);
  }

  /** Nothing waits any more. */
  clear(): void {
    this.#ready.clear();
    this.#lines.clear();
  }
}
