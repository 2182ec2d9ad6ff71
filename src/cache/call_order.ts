/** What a call touches. */
export interface Claim {
  /** Keys that it reads or changes. */
  readonly keys?: ReadonlySet<string>;
  /** Tags that it invalidates, or that what it sets has. */
  readonly tags?: ReadonlySet<string>;
  /** Whether it sets values. */
  readonly sets?: boolean;
  /** Whether it comes behind all that was set before, whatever that is. */
  readonly behindSets?: boolean;
}

/** A call that is not on its way yet, or not all of it. */
interface Underway {
  readonly claim: Claim;
  readonly done: Promise<void>;
}

/**
 * Calls in the order in which they were made, of which some take several turns of the event loop until all of them is
 * on its way.
 */
export class CallOrder {
  readonly #underway = new Set<Underway>();

  /** Whether nothing is underway. */
  get idle(): boolean {
    return this.#underway.size === 0;
  }

  /** Whether something underway is about a key. */
  concerns(key: string): boolean {
    for (const { claim } of this.#underway) if (claim.keys?.has(key)) return true;
    return false;
  }

  /** Whether a call has to wait for something underway. */
  isBehind(claim: Claim): boolean {
    for (const { claim: earlier } of this.#underway) if (isBehind(claim, earlier)) return true;
    return false;
  }

  /** Notes a call. `before` resolves when all that it comes behind is on its way; `leave` says that it is itself. */
  enter(claim: Claim): { before: Promise<void>; leave: () => void } {
    const earlier = [...this.#underway].filter((one) => isBehind(claim, one.claim)).map(({ done }) => done);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const own = { claim, done };
    this.#underway.add(own);
    const leave = () => {
      this.#underway.delete(own);
      resolve();
    };
    return { before: Promise.all(earlier).then(() => {}), leave };
  }
}

/** Whether the order of two calls makes a difference. */
function isBehind(claim: Claim, earlier: Claim): boolean {
  if (claim.behindSets && earlier.sets) return true;
  // A set behind an invalidation of its tags is not hidden by that; two invalidations may come in any order.
  if (claim.sets && !earlier.sets && meet(claim.tags, earlier.tags)) return true;
  return meet(claim.keys, earlier.keys);
}

function meet(one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean {
  if (!one || !other) return false;
  const [few, many] = one.size < other.size ? [one, other] : [other, one];
  for (const name of few) if (many.has(name)) return true;
  return false;
}
