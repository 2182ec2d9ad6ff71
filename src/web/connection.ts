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
 * The address at the other end of a request's connection, as far as the runtime tells it, or has told it before.
 *
 * @param request The request, as the server gave it.
 * @param info What the server tells of the connection; anything else tells nothing.
 */
export function remoteAddress(request: Request, info: unknown): string | undefined {
  const address = addressOf(request, info);
  if (address === undefined) return addressOf(request, tellers.get(request));
  if (typeof request === "object" && request !== null) tellers.set(request, info);
  return address;
}

/** What is known of a request's connection: what is said of it, or what was said before where that tells nothing. */
export function connectionOf(request: Request, info: unknown): unknown {
  return remoteAddress(request, info) === undefined ? info : tellers.get(request);
}

function addressOf(request: Request, info: unknown): string | undefined {
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
