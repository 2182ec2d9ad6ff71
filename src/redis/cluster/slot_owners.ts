import { SLOTS } from "./slot_map.ts";

/** How long others may still name the owner before, who has pointed elsewhere meanwhile, in milliseconds. */
const HEARD_WITHIN = 2000;

/** Who owns which slots, by the names of the nodes. */
export class SlotOwners {
  readonly #changed: () => void;
  /** Who was last seen to own a slot that is used. */
  readonly #used = new Map<number, string>();
  /** Where nodes pointed to a moment ago, and when. */
  readonly #pointed = new Map<
    number,
    { readonly from: string | undefined; readonly to: string; readonly at: number }
  >();
  #owners: (string | undefined)[] = new Array(SLOTS);

  /**
   * @param changed Told when a slot that is used has another owner, which may have lost what the one before knew: who
   * keeps state about it looks again.
   */
  constructor(changed: () => void) {
    this.#changed = changed;
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
    if (from !== owner) this.#pointed.set(slot, { from, to: owner, at: performance.now() });
    this.#owners[slot] = owner;
    this.use(slot, owner);
  }

  /** Takes what the cluster says in place of all that was known. */
  replace(ranges: readonly { readonly first: number; readonly last: number; readonly owner: string }[]): void {
    const owners: (string | undefined)[] = new Array(SLOTS);
    for (const { first, last, owner } of ranges) owners.fill(owner, first, Math.min(last, SLOTS - 1) + 1);
    const now = performance.now();
    for (const [slot, { from, to, at }] of this.#pointed) {
      if (now - at > HEARD_WITHIN) this.#pointed.delete(slot);
      else if (owners[slot] === from) owners[slot] = to;
    }
    this.#owners = owners;
    for (const slot of this.#used.keys()) if (owners[slot] !== undefined) this.use(slot, owners[slot]);
  }
}
