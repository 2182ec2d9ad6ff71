import { AsyncLocalStorage } from "node:async_hooks";
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
}

/** It goes with the calls, so that copies that frameworks make of requests do not matter. */
const current = new AsyncLocalStorage<CurrentLoad>();

/** The load around this call, if there is one. */
export function currentLoad(): CurrentLoad | undefined {
  return current.getStore();
}

/** Runs a load of a URL. */
export function runLoad<T>(url: string, load: Omit<CurrentLoad, "urls">, run: () => T): T {
  return current.run({ ...load, urls: new Set([...current.getStore()?.urls ?? [], url]) }, run);
}
