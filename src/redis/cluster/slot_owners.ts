import { SLOTS } from "./slot_map.ts";

/** How long others may still name the owner before, after a slot has moved, in milliseconds. */
const HEARD_WITHIN = 2000;

/** A slot that has moved. */
interface Move {
  readonly from: string | undefined;
  readonly to: string;
  readonly at: number;
  /** Whether the owner before pointed there itself, and not only a node that was asked. */
  readonly pointed: boolean;
}

/** Who owns which slots, by the names of the nodes. */
export class SlotOwners {
  readonly #changed: () => void;
  readonly #answers: (owner: string) => boolean;
  /** Who was last seen to own a slot that is used. */
  readonly #used = new Map<number, string>();
  /** What moved a moment ago, and when. */
  readonly #moved = new Map<number, Move>();
  #owners: (string | undefined)[] = new Array(SLOTS);

  /**
   * @param changed Told when a slot that is used has another owner, which may have lost what the one before knew: who
   * keeps state about it looks again.
   * @param answers Whether a node answers, as far as is known.
   */
  constructor(changed: () => void, answers: (owner: string) => boolean = () => true) {
    this.#changed = changed;
    this.#answers = answers;
  }

  /** The owner of a slot, if it is known. */
  of(slot: number): string | undefined {
    return this.#owners[slot];
  }

  /** A slot is used. */
  use(slot: number, owner: string): void {
    const last = this.#used.get(slot);
    if (last === owner) return;
    this.#used.set(slot, owner);
    if (last !== undefined) this.#changed();
  }

  /** A slot that is used has this owner now, as a node says that had it. */
  set(slot: number, owner: string): void {
    const from = this.#owners[slot];
    if (from !== owner) this.#moved.set(slot, { from, to: owner, at: performance.now(), pointed: true });
    this.#owners[slot] = owner;
    this.use(slot, owner);
  }

  /** Takes what the cluster says in place of all that was known, and gives the owners. */
  replace(ranges: readonly { readonly first: number; readonly last: number; readonly owner: string }[]): Set<string> {
    const owners: (string | undefined)[] = new Array(SLOTS);
    for (const { first, last, owner } of ranges) owners.fill(owner, first, Math.min(last, SLOTS - 1) + 1);
    const now = performance.now();
    for (const [slot, { at }] of this.#moved) if (now - at > HEARD_WITHIN) this.#moved.delete(slot);
    for (let slot = 0; slot < SLOTS; slot++) {
      const [from, to] = [this.#owners[slot], owners[slot]];
      if (from === to || to === undefined) continue;
      const moved = this.#moved.get(slot);
      // Whoever says that it is where it was has not heard of the move.
      if (moved?.from === to && (moved.pointed || this.#answers(moved.to))) owners[slot] = moved.to;
      else if (from !== undefined) this.#moved.set(slot, { from, to, at: now, pointed: false });
    }
    this.#owners = owners;
    for (const slot of this.#used.keys()) if (owners[slot] !== undefined) this.use(slot, owners[slot]);
    return new Set(owners.filter((owner) => owner !== undefined));
  }
}
