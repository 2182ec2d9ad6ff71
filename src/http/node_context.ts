import type { ConnectionInfo } from "../rate_limit/address.ts";
import { type CurrentLoad, markOfLoad } from "../web/current_load.ts";
import { fromNodeRequest, type NodeRequestLike } from "../web/node_request.ts";
import { shareVisitor, type Visitor } from "../web/visitor.ts";

/** What a load takes of an app. */
export interface NodeTaken {
  /** The cache. */
  readonly by: object;
  /** The request of the visitor who waits for the load. */
  readonly visitor: object | undefined;
  /** The load. */
  readonly load: CurrentLoad | undefined;
  /** What of a visitor is looked at for it. */
  readonly watched: Visitor | undefined;
  /** Whether the app has come as far: what is in front was done for the visitor. */
  reached?: boolean;
  /** What is behind. */
  response?: Promise<Response>;
  /** Called when it has. */
  come?: () => void;
}

/** A request of `node:http`, as Larder knows it. */
export interface Known {
  readonly request: Request;
  readonly info: ConnectionInfo;
}

const known = new WeakMap<object, Known & { readonly head: string }>();

/**
 * The request of Larder for one of `node:http`: the same each time, so that what is noted of its visitor is found,
 * unless what is in front has changed its method, target or headers since.
 */
export function knownOf(incoming: NodeRequestLike): Known {
  const { method, url, originalUrl = url, headers } = incoming;
  const head = JSON.stringify([method, originalUrl, headers]);
  const before = known.get(incoming);
  if (before?.head === head) return before;
  const { request, info } = fromNodeRequest(incoming);
  // Of one connection, whatever its request is called by now.
  const found = { request, info: before?.info ?? info, head };
  const taken = taking.get(incoming);
  if (taken) markOfLoad(request, taken.load);
  if (before) shareVisitor(found.request, before.request);
  known.set(incoming, found);
  return found;
}

/** By request of a load: what is taken of it. */
export const taking: WeakMap<object, NodeTaken> = new WeakMap();

/** Headers that were set in front of the handler, and are for one caller. */
export function withoutFront(response: Response, front: Headers): Response {
  const headers = new Headers([...response.headers].filter(([name, value]) => front.get(name) !== value));
  const { status, body } = response;
  return new Response(body, { status, headers });
}

/** Whose sessions, and that of a request: a `RequestSession`, of whatever data. */
export interface Placed {
  readonly sessions: object;
  readonly session: unknown;
}

/** By request of `node:http`. */
export const placed: WeakMap<object, Placed> = new WeakMap();
