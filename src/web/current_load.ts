import { AsyncLocalStorage } from "node:async_hooks";
import { endLeak, mayBeLeaked } from "../util/leaked_context.ts";
import { connectionOf, remoteAddress } from "./connection.ts";
import type { ForwardedScheme } from "./forwarded_scheme.ts";

/** A load of a shared response that is under way around a call. */
export interface CurrentLoad {
  /** The URLs that are being loaded, this one and those around it. */
  readonly urls: ReadonlySet<string>;
  /** The request of who waits for it, for what counts who asks; `undefined` where nobody waits. */
  readonly asker: Request | undefined;
  /** What is known of the connection of who waits. */
  readonly connection: unknown;
  /** The scheme that a proxy says its client has used. */
  readonly forwarded: ForwardedScheme | undefined;
  /** Whether it has ended. */
  readonly isOver: () => boolean;
}

/** It goes with the calls, so that copies that frameworks make of requests do not matter. */
const current = new AsyncLocalStorage<CurrentLoad>();
/**
 * The requests that loads have answered, as far as they are known: what calls back in a context of its own, such as a
 * pool of connections, takes the load out of the calls.
 */
const ofLoads = new WeakMap<Request, CurrentLoad | undefined>();

/**
 * The load around this call, if there is one. What has a connection of its own is within none: a runtime may hand a
 * context on to the requests of others ({@linkcode endLeak}).
 *
 * @param request The request that is answered.
 * @param connection What is known of its connection.
 */
export function currentLoad(request?: Request, connection?: unknown): CurrentLoad | undefined {
  if (request) connectionOf(request, connection); // for who is given the request alone later
  const own = request && ofLoads.get(request);
  if (own && !own.isOver()) return own;
  const load = current.getStore();
  if (!load) return undefined;
  const isOthers = load.isOver() || (request !== undefined && isFromElsewhere(request, connection, load.connection));
  if (isOthers || (request && isFromNowhere(request, connection))) endLeak(current);
  return isOthers ? undefined : load;
}

/**
 * The load around this call where that is certain: for what counts who asks, so that nobody gets by because nothing is
 * known of his connection.
 *
 * @param request The request that is answered.
 * @param connection What is known of its connection.
 */
export function certainLoad(
  request: Request,
  connection: unknown,
): CurrentLoad | undefined | Promise<CurrentLoad | undefined> {
  const load = currentLoad(request, connection);
  if (!load || !isFromNowhere(request, connection)) return load;
  return mayBeLeaked(current, load).then((leaked) => leaked ? undefined : load);
}

/** Says that a request is that of a load: of the one around this call, if no other is named. */
export function markOfLoad(request: Request, load: CurrentLoad | undefined = current.getStore()): void {
  ofLoads.set(request, load);
}

/** Whether a request came over another connection than that of the call around it. */
export function isFromElsewhere(request: Request, connection: unknown, around: unknown): boolean {
  const own = connectionOf(request, connection);
  return own !== around && !ofLoads.has(request) && remoteAddress(request, own) !== undefined;
}

/** Whether nothing is known of where a request came from, neither a connection nor a load. */
export function isFromNowhere(request: Request, connection: unknown): boolean {
  return !ofLoads.has(request) && remoteAddress(request, connectionOf(request, connection)) === undefined;
}

/** Runs a load of a URL, which is to answer a request. */
export function runLoad<T>(url: string, asked: Request, load: Omit<CurrentLoad, "urls">, run: () => T): T {
  const here = { ...load, urls: new Set([...currentLoad()?.urls ?? [], url]) };
  markOfLoad(asked, here);
  return current.run(here, run);
}
