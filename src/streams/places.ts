import type { BeatAnswer, StreamStore } from "./store.ts";
import type { HeldPlace } from "./work.ts";

/** What clocks of two machines may differ in a while, as a share of it, and milliseconds that a timer may be off. */
const DRIFT = 0.01;
const ROUNDED = 2;
/** How many that were left are taken over at a time. */
const MOST_ADOPTED = 8;

/** What the places of a consumer need. */
export interface PlacesParts {
  readonly store: StreamStore;
  readonly stream: string;
  readonly group: string;
  readonly lease: number;
  /** Told that one was lost to another. */
  readonly lost: (place: HeldPlace) => void;
}

/** The places that a consumer holds: its own, and those that it has taken over. */
export class Places {
  readonly owner: string = crypto.randomUUID();
  readonly all: Map<string, HeldPlace> = new Map();
  readonly #parts: PlacesParts;
  #own: HeldPlace;
  #beating: Promise<void> | undefined;

  constructor(parts: PlacesParts) {
    this.#parts = parts;
    this.#own = this.#add(crypto.randomUUID(), true);
  }

  /** Where new messages are read. */
  get own(): HeldPlace {
    return this.#own;
  }

  /** Until when a place is held for sure that was asked for at a time. */
  heldFrom(sent: number): number {
    return sent + this.#parts.lease * (1 - DRIFT) - ROUNDED;
  }

  /** Keeps all alive, and takes over what others have left. */
  beat(): Promise<void> {
    return this.#beating ??= this.#beat().finally(() => this.#beating = undefined);
  }

  /** It is another's now. */
  lose(place: HeldPlace): void {
    if (!this.all.delete(place.name)) return;
    if (place.own) this.#own = this.#add(crypto.randomUUID(), true);
    this.#parts.lost(place);
  }

  async #beat(): Promise<void> {
    const { store, stream, group, lease } = this.#parts;
    let answer: BeatAnswer;
    do {
      const places = [...this.all.values()].filter(({ until }) => until > 0);
      const sent = performance.now();
      answer = await store.beat({ stream, group, owner: this.owner, lease, places: places.map(({ name }) => name) });
      places.forEach((place, i) => {
        if (answer.held[i]) place.until = Math.max(place.until, this.heldFrom(sent));
        else this.lose(place);
      });
      if (answer.adopted !== undefined && !this.all.has(answer.adopted)) {
        this.#add(answer.adopted, false).until = this.heldFrom(sent);
      }
    } while (answer.adopted !== undefined && this.all.size <= MOST_ADOPTED);
  }

  #add(name: string, own: boolean): HeldPlace {
    const { generation } = this.#parts.store;
    const place: HeldPlace = {
      ...{ name, own, after: "0-0", until: 0, hungry: true, again: false, unsure: false, generation },
      works: new Set(),
    };
    this.all.set(name, place);
    return place;
  }
}
