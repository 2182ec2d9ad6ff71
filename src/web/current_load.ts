import { AsyncLocalStorage } from "node:async_hooks";
import { endLeak } from "../util/leaked_context.ts";
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
/** The requests that loads have answered, as far as they are known. */
const ofLoads = new WeakSet<Request>();

/**
 * The load around this call, if there is one. What has a connection of its own is within none: a runtime may hand a
 * context on to the requests of others ({@linkcode endLeak}).
 *
 * @param request The request that is answered.
 * @param connection What is known of its connection.
 */
export function currentLoad(request?: Request, connection?: unknown): CurrentLoad | undefined {
  if (request) connectionOf(request, connection); // for who is given the request alone later
  const load = current.getStore();
  if (!load) return undefined;
  if (!load.isOver() && !(request && isFromElsewhere(request, connection, load.connection))) return load;
  endLeak(current);
  return undefined;
}

/** Says that a request is that of a load. */
export function markOfLoad(request: Request): void {
  ofLoads.add(request);
}

/** Whether a request came over another connection than that of the call around it. */
export function isFromElsewhere(request: Request, connection: unknown, around: unknown): boolean {
  const own = connectionOf(request, connection);
  return own !== around && !ofLoads.has(request) && remoteAddress(request, own) !== undefined;
}

/** Runs a load of a URL. */
export function runLoad<T>(url: string, load: Omit<CurrentLoad, "urls">, run: () => T): T {
  return current.run({ ...load, urls: new Set([...currentLoad()?.urls ?? [], url]) }, run);
}
