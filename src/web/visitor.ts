import { AsyncLocalStorage } from "node:async_hooks";

/**
 * What an answer depends on of who asks: `asked` = it was looked whether there is a session, `known` = there was one,
 * or that could not be found out, `cookie` = a cookie is set.
 */
export type VisitorTrait = "asked" | "known" | "cookie";

/** What of a visitor was looked at while a request was answered. */
export class Visitor {
  readonly #outer: readonly Visitor[];
  readonly #traits: Set<VisitorTrait>;

  /** What is noted here is noted by those around it too; what they have noted already holds here. */
  constructor(...outer: readonly Visitor[]) {
    this.#outer = outer;
    this.#traits = new Set(outer.flatMap((visitor) => [...visitor.#traits]));
  }

  /** Notes that it was looked at. */
  note(trait: VisitorTrait): void {
    if (this.#traits.has(trait)) return;
    this.#traits.add(trait);
    for (const visitor of this.#outer) visitor.note(trait);
  }

  /** Whether it was looked at. */
  has(trait: VisitorTrait): boolean {
    return this.#traits.has(trait);
  }

  /** Whether the answer is for this visitor alone. */
  get isPersonal(): boolean {
    return this.has("known") || this.has("cookie");
  }
}

/**
 * Where a request is answered. It goes with the calls, so that copies that frameworks make of requests do not matter.
 */
const current = new AsyncLocalStorage<Visitor>();
/** For who is given a request and does not answer it within a call. */
const ofRequest = new WeakMap<Request, Visitor>();

/** Has a request answered, and watches what of the visitor is looked at meanwhile. */
export function watchVisitor<T>(request: Request, run: (visitor: Visitor) => T): T {
  const around = [current.getStore(), ofRequest.get(request)].filter((visitor) => visitor !== undefined);
  const visitor = new Visitor(...new Set(around));
  return current.run(visitor, () => run(visitor));
}

/** Has a load of a response for all run, which has no visitor but its own, and watches whether it looks for one. */
export function watchLoad<T>(run: (visitor: Visitor) => T): T {
  const visitor = new Visitor();
  return current.run(visitor, () => run(visitor));
}

/** Notes what of its visitor was looked at for a request: now, and by who began to look at it then. */
export function noteVisitor(request: Request, trait: VisitorTrait): void {
  current.getStore()?.note(trait);
  let visitor = ofRequest.get(request);
  if (!visitor) ofRequest.set(request, visitor = new Visitor());
  visitor.note(trait);
}

/** Says that a request is of the same visitor as another. */
export function shareVisitor(request: Request, other: Request): void {
  let visitor = ofRequest.get(other);
  if (!visitor) ofRequest.set(other, visitor = new Visitor());
  ofRequest.set(request, visitor);
}
