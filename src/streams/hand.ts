import { Acks } from "./acks.ts";
import { MessageLostError } from "./errors.ts";
import type { EventListener } from "../observe/events.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { errorText, type StreamMessage } from "./item.ts";
import type { Consuming } from "./options.ts";
import type { StreamCounts } from "./stats.ts";
import { type StreamStore, SUSPECT, type TakenEntry } from "./store.ts";
import { type HeldPlace, Lines, type Work } from "./work.ts";

/** What is needed for messages in hand. */
export interface HandParts extends Pick<Consuming, "maxAttempts" | "delayOf"> {
  readonly store: StreamStore;
  readonly stream: string;
  readonly group: string;
  readonly owner: string;
  readonly maxDead: number;
  readonly counts: StreamCounts;
  readonly on: EventListener | undefined;
  /** Told that one was handled. */
  readonly handled: () => void;
  /** Told that something can begin, or was done with. */
  readonly changed: () => void;
  /** Waits before something is tried again that has failed; tells whether it is. */
  readonly again: (error: unknown, attempt: number) => Promise<boolean>;
}

const RETRY = optionNames<{ delay?: Duration }>({ delay: true });
const DAY = 86_400_000;
type Outcome = "acked" | "retried" | "dead" | "lost";

/** The messages that a consumer has in hand, from when they are fetched until they are done with. */
export class Hand {
  readonly #parts: HandParts;
  readonly #lines = new Lines();
  readonly #begun = new Set<Work>();
  readonly #works = new Set<Work>();
  readonly #acks = new Map<HeldPlace, Acks>();
  #over = false;

  constructor(parts: HandParts) {
    this.#parts = parts;
  }

  /** How many are being handled. */
  get begun(): number {
    return this.#begun.size;
  }

  /** How many can begin. */
  get ready(): number {
    return this.#lines.ready;
  }

  /** Whether one is in hand that was taken over and may be what kills consumers. */
  get suspect(): boolean {
    for (const { place, entry: { attempt } } of this.#works) if (!place.own && attempt >= SUSPECT) return true;
    return false;
  }

  /** How many there are. */
  get size(): number {
    return this.#works.size;
  }

  /** Some were fetched. */
  add(place: HeldPlace, entries: readonly TakenEntry[]): void {
    for (const entry of entries) {
      const work: Work = {
        ...{ place, entry, attempt: entry.attempt, touched: false, uncounted: false },
        ...{ error: undefined, timer: undefined, controller: new AbortController() },
      };
      place.works.add(work);
      this.#works.add(work);
      this.#lines.add(work);
    }
    this.#parts.counts.pending += entries.length;
  }

  /** The first that can begin. */
  shift(): Work | undefined {
    return this.#lines.shift();
  }

  /** It can begin again. */
  again(work: Work): void {
    if (this.#works.has(work)) this.#lines.again(work);
  }

  /** Begins with one; gives what there is to be done with it. */
  begin(work: Work): StreamMessage {
    this.#begun.add(work);
    work.touched = true;
    const { entry: { id, key }, attempt } = work;
    let outcome: Promise<Outcome> | undefined;
    const first = async (wanted: Outcome, step: () => Promise<Outcome>) => {
      if (outcome) return await outcome.then((was) => was === wanted, () => false);
      outcome = step();
      return await outcome === wanted;
    };
    return {
      ...{ id, key, attempt, signal: work.controller.signal },
      ack: () => first("acked", () => this.#ack(work)),
      retry: async (error, options = {}) => {
        assertOptions(options, RETRY, "retry a message");
        const { delay } = options;
        const given = delay === undefined ? undefined : toMilliseconds(delay, "delay", { max: DAY });
        return await first("retried", () => this.#retry(work, error, given));
      },
      deadLetter: (error) => first("dead", () => this.#bury(work, error)),
    };
  }

  /** All of a place is another's; tells how many were in hand. */
  lose(place: HeldPlace): number {
    const works = [...place.works];
    for (const work of works) this.drop(work);
    return works.length;
  }

  /** One is another's, or somebody else is done with it. */
  drop(work: Work): void {
    const { stream, counts } = this.#parts;
    this.#remove(work);
    work.controller.abort(new MessageLostError(stream, work.entry.id));
    counts.lost++;
  }

  /** Resolves when nothing is on its way to the store. */
  async idle(): Promise<void> {
    this.#over = true;
    await Promise.all([...this.#acks.values()].map((acks) => acks.idle()));
  }

  /** Drops all; gives what was never begun, by place. */
  end(reason: Error): Map<HeldPlace, TakenEntry[]> {
    const untouched = new Map<HeldPlace, TakenEntry[]>();
    for (const work of [...this.#works]) {
      if (!work.touched) untouched.set(work.place, [...untouched.get(work.place) ?? [], work.entry]);
      const begun = this.#begun.has(work);
      this.#remove(work);
      if (begun) work.controller.abort(reason);
    }
    this.#lines.clear();
    return untouched;
  }

  async #ack(work: Work): Promise<Outcome> {
    const { store, stream, group, owner, counts, again, handled } = this.#parts;
    const { place, entry: { id, key } } = work;
    this.#leave(work);
    handled();
    let acks = this.#acks.get(place);
    const at = { stream, group, place: place.name, owner };
    if (!acks) this.#acks.set(place, acks = new Acks(store, at, again));
    const done = await acks.add({ id, key });
    if (done) counts.handled++;
    this.#remove(work);
    return done ? "acked" : "lost";
  }

  async #retry(work: Work, error: unknown, given: number | undefined): Promise<Outcome> {
    const { maxAttempts, delayOf, counts, on, stream, group } = this.#parts;
    if (!this.#works.has(work)) return "lost";
    if (work.attempt >= maxAttempts) return await this.#bury(work, error);
    const delay = given ?? this.#delay(delayOf, work.attempt, error);
    work.error = error;
    counts.retried++;
    on?.({ type: "stream.retry", stream, group, id: work.entry.id, attempt: work.attempt, delay, error });
    this.#later(work, delay);
    return "retried";
  }

  /** How long to wait; where the function of the app fails, a second. */
  #delay(delayOf: Consuming["delayOf"], attempt: number, error: unknown): number {
    try {
      return delayOf(attempt, error);
    } catch (error) {
      this.#parts.on?.({ type: "warning", message: `retryDelay() of a stream failed: ${errorText(error)}` });
      return 1000;
    }
  }

  async #bury(work: Work, error: unknown): Promise<Outcome> {
    const { store, stream, group, owner, maxDead, counts, on, again } = this.#parts;
    const { place, entry: { id, key, payload }, attempt } = work;
    this.#leave(work);
    const text = errorText(error);
    const dead = { id, key, payload, attempts: attempt, error: text, most: maxDead };
    for (let failures = 0;; failures++) {
      try {
        const done = await store.bury({ stream, group, place: place.name, owner }, dead);
        this.#remove(work);
        if (!done && failures === 0) return "lost";
        counts.dead++;
        on?.({ type: "stream.dead", stream, group, id, attempts: attempt, error: error ?? text });
        return "dead";
      } catch (failure) {
        if (await again(failure, failures)) continue;
        if (this.#over) throw failure;
        work.error = error;
        // It cannot be kept there, as where the key is of somebody else: it is not let go.
        on?.({ type: "stream.error", stream, group, error: failure });
        if (this.#works.has(work)) this.#later(work, this.#delay(this.#parts.delayOf, attempt, error));
        throw failure;
      }
    }
  }

  #later(work: Work, delay: number): void {
    work.timer = setTimeout(() => {
      work.attempt++;
      work.uncounted = true;
      this.again(work);
      this.#parts.changed();
    }, delay);
    this.#leave(work);
  }

  /** It is not being handled any more. */
  #leave(work: Work): void {
    this.#begun.delete(work);
    this.#parts.changed();
  }

  #remove(work: Work): void {
    clearTimeout(work.timer);
    this.#begun.delete(work);
    work.place.works.delete(work);
    this.#lines.remove(work);
    if (this.#works.delete(work)) this.#parts.counts.pending--;
    this.#parts.changed();
  }
}
