import { AsyncLocalStorage } from "node:async_hooks";
import { endLeak } from "../util/leaked_context.ts";
import { connectionOf } from "./connection.ts";
import { isFromElsewhere } from "./current_load.ts";

/**
 * What an answer depends on of who asks: `asked` = it was looked whether there is a session, `known` = there was one,
 * or that could not be found out, `cookie` = a cookie is set.
 */
export type VisitorTrait = "asked" | "known" | "cookie";

/** What of a visitor was looked at while a request was answered. */
export class Visitor {
  readonly #outer: readonly Visitor[];
  readonly #traits: Set<VisitorTrait>;

  /** The request that is answered. */
  readonly request: Request | undefined;
  /** What is known of the connection. */
  readonly connection: unknown;

  /**
   * What is noted here is noted by those around it too; what they have noted already holds here.
   *
   * @param whose The request that is answered, and what is known of its connection.
   * @param outer Those around it.
   * @param other One around it by mistake, who is somebody else.
   */
  constructor(
    { request, connection }: { readonly request?: Request; readonly connection?: unknown },
    outer: readonly Visitor[] = [],
    other?: Visitor,
  ) {
    this.request = request;
    this.connection = connection;
    this.#outer = outer;
    this.#traits = new Set(outer.flatMap((visitor) => visitor === other ? [] : [...visitor.#traits]));
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

/**
 * Has a request answered, and watches what of the visitor is looked at meanwhile.
 *
 * @param request The request.
 * @param run Answers it.
 * @param connection What is known of its connection.
 */
export function watchVisitor<T>(request: Request, run: (visitor: Visitor) => T, connection?: unknown): T {
  const outer = current.getStore();
  const around = [outer, ofRequest.get(request)].filter((visitor) => visitor !== undefined);
  const other = outer && isOfAnother(outer, request, connection) ? outer : undefined;
  if (other) endLeak(current);
  const whose = { request, connection: connectionOf(request, connection) ?? outer?.connection };
  const visitor = new Visitor(whose, [...new Set(around)], other);
  return current.run(visitor, () => run(visitor));
}

/** Whether a request is none of the visitor's within whose request it seems to be. */
function isOfAnother(outer: Visitor, request: Request, connection: unknown): boolean {
  return outer.connection !== undefined && request !== outer.request &&
    isFromElsewhere(request, connection, outer.connection);
}

/**
 * Has a load of a response for all run, which has no visitor but its own, and watches whether it looks for one.
 *
 * @param connection What is known of the connection of who asked for it.
 * @param run The load.
 */
export function watchLoad<T>(connection: unknown, run: (visitor: Visitor) => T): T {
  const visitor = new Visitor({ connection });
  return current.run(visitor, () => run(visitor));
}

/** Notes what of its visitor was looked at for a request: now, and by who began to look at it then. */
export function noteVisitor(request: Request, trait: VisitorTrait): void {
  current.getStore()?.note(trait);
  let visitor = ofRequest.get(request);
  if (!visitor) ofRequest.set(request, visitor = new Visitor({ request }));
  visitor.note(trait);
}

/** Says that a request is of the same visitor as another. */
export function shareVisitor(request: Request, other: Request): void {
  let visitor = ofRequest.get(other);
  if (!visitor) ofRequest.set(other, visitor = new Visitor({ request: other }));
  ofRequest.set(request, visitor);
}
