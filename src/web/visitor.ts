import { AsyncLocalStorage } from "node:async_hooks";
import { endLeak } from "../util/leaked_context.ts";
import { connectionOf } from "./connection.ts";
import { isFromElsewhere, isFromNowhere } from "./current_load.ts";

/**
 * What an answer depends on of who asks: `asked` = it was looked whether there is a session, `known` = there was one,
 * or that could not be found out, `cookie` = a cookie is set.
 */
export type VisitorTrait = "asked" | "known" | "cookie";

/** What of a visitor was looked at while a request was answered. */
export class Visitor {
  readonly #outer: readonly Visitor[];
  readonly #traits: Set<VisitorTrait>;
  #isOver = false;

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
    if (this.#isOver || this.#traits.has(trait)) return;
    this.#traits.add(trait);
    for (const visitor of this.#outer) visitor.note(trait);
  }

  /** The answer is there as a whole: what is looked at from now on is no part of it. */
  end(): void {
    this.#isOver = true;
  }

  /** Whether it was looked at. */
  has(trait: VisitorTrait): boolean {
    return this.#traits.has(trait);
  }

  /** Whether this is one of those, or within one. */
  isWithin(visitors: readonly Visitor[]): boolean {
    return visitors.includes(this) || this.#outer.some((outer) => outer.isWithin(visitors));
  }

  /** The requests that are answered here, and around. */
  requests(): Request[] {
    return [...this.request ? [this.request] : [], ...this.#outer.flatMap((outer) => outer.requests())];
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
 * By who is known of a request: those within whom it is answered. What calls back in a context of its own, such as a
 * pool of connections or a queue, says nothing of them.
 */
const within = new WeakMap<Visitor, Visitor[]>();
/** By who is known of a request: the loads that are for its visitor, too. */
const loads = new WeakMap<Visitor, Visitor[]>();
/** Those of loads whose handler has not answered while somebody waits for it. */
const awaited = new WeakSet<Visitor>();

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
  if (other || (outer && request !== outer.request && isFromNowhere(request, connection))) endLeak(current);
  const whose = { request, connection: connectionOf(request, connection) ?? outer?.connection };
  const visitor = new Visitor(whose, [...new Set(around)], other);
  addTo(within, request, visitor);
  return current.run(visitor, () => run(visitor));
}

/** Whether a request is none of the visitor's within whose request it seems to be. */
function isOfAnother(outer: Visitor, request: Request, connection: unknown): boolean {
  return outer.connection !== undefined && request !== outer.request &&
    isFromElsewhere(request, connection, outer.connection);
}

/** Whose a load of a response for all is. */
export interface LoadWatched {
  /** The request of the load. */
  readonly asked: Request;
  /** That of who asked for it, unless what he was given says itself that it is for all. */
  readonly asker: Request | undefined;
  /** What is known of the connection of who asked for it. */
  readonly connection: unknown;
  /** Whether he waits for it, and so does nothing else. */
  readonly isAwaited: boolean;
}

/**
 * Has the handler answer for a load of a response for all, which has no visitor but its own, and watches whether it
 * looks for one, also while the body is read.
 *
 * @param load Whose it is.
 * @param run The handler.
 */
export async function watchLoad<T>(
  { asked, asker, connection, isAwaited }: LoadWatched,
  run: (visitor: Visitor) => Promise<T>,
): Promise<T> {
  const visitor = new Visitor({ connection });
  const around = asker ? [asker, ...current.getStore()?.requests() ?? []] : [];
  addTo(within, asked, visitor);
  for (const request of new Set(around)) addTo(loads, request, visitor);
  if (isAwaited) awaited.add(visitor);
  try {
    return await current.run(visitor, () => run(visitor));
  } finally {
    awaited.delete(visitor);
  }
}

/** The visitor within whom this is called. */
export function currentVisitor(): Visitor | undefined {
  return current.getStore();
}

/** Notes what of its visitor was looked at for a request: now, and by who began to look at it then. */
export function noteVisitor(request: Request, trait: VisitorTrait): void {
  const here = current.getStore();
  here?.note(trait);
  const visitor = knownAs(request);
  visitor.note(trait);
  const [around = [], made = []] = [within.get(visitor), loads.get(visitor)];
  const lost = !here?.isWithin(around) && !here?.isWithin(made);
  if (lost) { for (const one of around) one.note(trait); }
  // Who only asks, as a log does behind the cache, need not be within the load.
  for (const one of made) if (awaited.has(one) || (lost && trait !== "asked")) one.note(trait);
}

/** What is noted of a request, wherever that is. */
function knownAs(request: Request): Visitor {
  let visitor = ofRequest.get(request);
  if (!visitor) ofRequest.set(request, visitor = new Visitor({ request }));
  return visitor;
}

function addTo(map: WeakMap<Visitor, Visitor[]>, request: Request, visitor: Visitor): void {
  const known = knownAs(request);
  const before = map.get(known);
  if (before) before.push(visitor);
  else map.set(known, [visitor]);
}

/** Says that a request is of the same visitor as another. */
export function shareVisitor(request: Request, other: Request): void {
  ofRequest.set(request, knownAs(other));
}
