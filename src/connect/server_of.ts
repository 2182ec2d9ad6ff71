import type { ServerConfig } from "./servers.ts";

/** Where each Larder keeps what must not be lost. */
const servers = new WeakMap<object, ServerConfig>();

/** Keeps where a Larder has its state, and gives it back. */
export function rememberServer<Services extends object>(larder: Services, server: ServerConfig): Services {
  servers.set(larder, server);
  return larder;
}

/** Where a Larder has its state; nothing for what is none. */
export function serverOf(larder: unknown): ServerConfig | undefined {
  return typeof larder === "object" && larder !== null ? servers.get(larder) : undefined;
}
