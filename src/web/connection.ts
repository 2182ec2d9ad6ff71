/** What Bun tells the address of a client by. */
export interface AddressTeller {
  /** The other end of a request's connection; `null` where there is none any more. */
  requestIP?(request: Request): { readonly address: string } | null;
}

/** A connection of Node. */
export interface SocketLike {
  /** The other end. */
  readonly remoteAddress?: string | undefined;
}

/**
 * What is known of a connection: that which `Deno.serve` gives fits, `node:http`'s `IncomingMessage`, the server that
 * `Bun.serve` gives, and the `env` of Hono on each of them.
 */
export interface ConnectionInfo extends AddressTeller {
  /** The other end, as Deno tells it. */
  readonly remoteAddr?: { readonly hostname?: string | undefined } | object | undefined;
  /** The connection of an `IncomingMessage`. */
  readonly socket?: SocketLike | undefined;
  /** The `IncomingMessage` in the `env` of Hono on Node. */
  readonly incoming?: { readonly socket?: SocketLike | undefined } | undefined;
  /** The server in the `env` of Hono on Bun. */
  readonly server?: AddressTeller | undefined;
}

/** What has told the address of a request, for who is given the request alone, such as a cache within a guard. */
const tellers = new WeakMap<Request, unknown>();

/**
 * What is known of a request's connection: what the server tells of it, or has told before where this tells nothing.
 *
 * @param request The request, as the server gave it.
 * @param info What the server tells of the connection.
 */
export function connectionOf(request: Request, info: unknown): unknown {
  if (remoteAddress(request, info) === undefined) return tellers.get(request) ?? info;
  tellers.set(request, info);
  return info;
}

/**
 * The address at the other end of a request's connection, as far as the runtime tells it.
 *
 * @param request The request, as the server gave it.
 * @param info What the server tells of the connection; anything else tells nothing.
 */
export function remoteAddress(request: Request, info: unknown): string | undefined {
  if ((typeof info !== "object" && typeof info !== "function") || info === null) return undefined;
  const { remoteAddr, socket, incoming, server } = info as ConnectionInfo;
  const { hostname } = (remoteAddr ?? {}) as { hostname?: unknown };
  for (const told of [hostname, socket?.remoteAddress, incoming?.socket?.remoteAddress]) {
    if (typeof told === "string" && told !== "") return told;
  }
  return toldBy(info, request) ?? toldBy(server, request);
}

function toldBy(teller: AddressTeller | undefined, request: Request): string | undefined {
  if (typeof teller?.requestIP !== "function") return undefined;
  try {
    const address: unknown = teller.requestIP(request)?.address;
    return typeof address === "string" && address !== "" ? address : undefined;
  } catch {
    return undefined; // it is not the request of this server, but one that was made of it
  }
}
