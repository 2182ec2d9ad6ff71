import type { EventListener } from "../observe/events.ts";
import type { Appetite } from "./appetite.ts";
import type { Hand } from "./hand.ts";
import type { Places } from "./places.ts";
import type { StreamCounts } from "./stats.ts";
import type { StreamStore, TakeAnswer } from "./store.ts";
import type { HeldPlace } from "./work.ts";

/** How many messages of a group are pending at most: beyond, nothing more is read. */
const MOST_PENDING = 10_000;
/** How soon a group is looked at again of which too many are pending, in milliseconds. */
const FULL_AGAIN = 100;

/** What fetching needs. */
export interface FetcherParts {
  readonly store: StreamStore;
  readonly stream: string;
  readonly group: string;
  readonly lease: number;
  readonly from: string;
  readonly concurrency: number;
  readonly counts: StreamCounts;
  readonly on: EventListener | undefined;
  readonly places: Places;
  readonly hand: Hand;
  readonly appetite: Appetite;
  /** Told that messages are missing. */
  readonly gap: (reason: "trimmed" | "lost", missing: number | undefined) => void;
  /** Told that there may be something to take. */
  readonly hunger: () => void;
}

/** Fetches the messages of a consumer. */
export class Fetcher {
  readonly #parts: FetcherParts;
  /** Whether the group was there, as far as this consumer knows. */
  #known = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
  }

  /** Does what is next, if there is anything; tells whether there was. */
  async step(): Promise<boolean> {
    const drained = this.#drained();
    if (drained) {
      await this.#leave(drained);
      return true;
    }
    const [place, wanted] = this.#pick();
    if (!place) return false;
    await this.#fetch(place, wanted);
    return true;
  }

  /** Ends it. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** From where to fetch, and how many. What was taken over comes first, and only what can begin. */
  #pick(): [HeldPlace | undefined, number] {
    const { concurrency, places, hand: { begun, ready, size }, appetite } = this.#parts;
    // What was fetched ahead must not keep what was taken over waiting for ever.
    let taken = 0;
    for (const place of places.all.values()) if (!place.own) taken += place.works.size;
    const free = Math.max(concurrency - begun - ready, taken === 0 ? 1 : 0);
    if (free > 0 && places.all.size > 1 && !this.#parts.hand.suspect) {
      for (const place of places.all.values()) if (!place.own && place.hungry) return [place, free];
    }
    const { own } = places;
    const wanted = own.hungry ? appetite.wanted(begun + ready, ready, size) : 0;
    return wanted > 0 ? [own, wanted] : [undefined, 0];
  }

  #drained(): HeldPlace | undefined {
    for (const place of this.#parts.places.all.values()) {
      if (!place.own && !place.hungry && place.works.size === 0) return place;
    }
    return undefined;
  }

  /** Gives back what was taken over and is done with. */
  async #leave(place: HeldPlace): Promise<void> {
    const { store, stream, group, places } = this.#parts;
    const at = { stream, group, place: place.name, owner: places.owner };
    if (await store.leave(at, [], true)) places.all.delete(place.name);
    else place.hungry = true;
  }

  async #fetch(place: HeldPlace, wanted: number): Promise<void> {
    const { store, stream, group, lease, places, hand, appetite, gap, hunger } = this.#parts;
    const { generation } = store;
    if (generation !== place.generation && place.until > 0) {
      // After a restart something may be pending again.
      place.again = true;
      place.after = "0-0";
    }
    place.generation = generation;
    place.hungry = false;
    const sent = performance.now();
    const inHand = place.again ? [...place.works].map(({ entry }) => entry.id) : [];
    let answer: TakeAnswer;
    try {
      answer = await store.take({
        ...{ stream, group, place: place.name, owner: places.owner, lease, wanted, inHand },
        ...{ after: place.after, from: place.own ? this.#begin : undefined, most: MOST_PENDING },
        counted: place.own && !place.again || place.unsure,
        holds: place.until > 0 && place.works.size > 0,
      });
    } catch (error) {
      place.hungry = place.unsure = true;
      throw error;
    }
    if (!answer.held) return places.lose(place);
    place.until = places.heldFrom(sent);
    place.after = answer.after;
    if (answer.empty) place.again = place.unsure = false;
    else if (!answer.full) place.hungry = true;
    if (answer.full) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(hunger, FULL_AGAIN);
    }
    if (answer.made && this.#known) gap("lost", undefined);
    this.#known = true;
    if (answer.dropped + answer.missed > 0) gap("trimmed", answer.dropped + answer.missed);
    appetite.fetched(answer.entries.map(({ payload }) => payload?.length ?? 0));
    if (!place.own) this.#claimed(answer.entries.length);
    hand.add(place, answer.entries);
  }

  /** Where the group begins. One that was lost begins with the first message: what came since is not to be missed. */
  get #begin(): string {
    const { from } = this.#parts;
    return this.#known && from === "$" ? "0" : from;
  }

  #claimed(count: number): void {
    const { counts, on, stream, group } = this.#parts;
    if (count === 0) return;
    counts.claimed += count;
    on?.({ type: "stream.claimed", stream, group, count });
  }
}
