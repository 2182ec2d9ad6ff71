import type { ConnectionInfo } from "./connection.ts";
import { keepTarget } from "./target.ts";

/** What `node:http` and the frameworks over it, such as Express and Fastify, give for a request. */
export interface NodeRequestLike {
  /** The method. */
  readonly method?: string | undefined;
  /** The target. */
  readonly url?: string | undefined;
  /** The target as it was before a router took a part off, as in Express and Fastify. */
  readonly originalUrl?: string | undefined;
  /** The headers. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  /** The connection. */
  readonly socket?: object | undefined;
}

/** The parts of a socket that are used. */
interface SocketLike {
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean | undefined;
}

/**
 * Makes a `Request` without a body of what `node:http`, Express or Fastify give, whose target Larder reads as it was
 * sent, and tells who is at the other end.
 *
 * @param incoming The request of the framework.
 * @returns The request, and what `Deno.serve` tells of a connection.
 *
 * @example Limits in front of Express
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromNodeRequest } from "@larder/larder/http";
 * import express from "express";
 *
 * const redis = await connect();
 * const gate = redis.rateLimit.gate({ "POST /login": "AUTH", "*": "DEFAULT" });
 * const app = express();
 * app.use(async (req, res, next) => {
 *   const { request, info } = fromNodeRequest(req);
 *   const { response, apply } = await gate.decide(request, info);
 *   const { status, headers } = response ?? apply(new Response(null));
 *   for (const [name, value] of headers) res.append(name, value);
 *   if (response) res.status(status).send(await response.text());
 *   else next();
 * });
 * app.get("/", (req, res) => res.send("welcome"));
 * app.listen(3000);
 * // GET / → 200
 * ```
 */
export function fromNodeRequest(incoming: NodeRequestLike): { request: Request; info: ConnectionInfo } {
  const { method = "GET", socket } = incoming;
  const { remoteAddress, encrypted } = (socket ?? {}) as SocketLike;
  const target = incoming.originalUrl ?? incoming.url ?? "/";
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of typeof value === "string" ? [value] : value) headers.append(name, one);
  }
  // HTTP/2 has no other host (RFC 9113, section 8.3.1).
  const authority = incoming.headers[":authority"];
  if (typeof authority === "string") headers.set("host", authority);
  const request = bareRequest(urlOf(encrypted ? "https" : "http", target, headers.get("host")), method, headers);
  keepTarget(request, target);
  return { request, info: { remoteAddr: { hostname: remoteAddress } } };
}

/** A request without a body, of any method. */
export function bareRequest(url: URL, method: string, headers: Headers): Request {
  if (!/^(?:CONNECT|TRACE|TRACK)$/i.test(method)) return new Request(url, { method, headers });
  // Only clients must not make these.
  return Object.defineProperty(new Request(url, { headers }), "method", { value: method });
}

/** The URL for those who look at the request; where there is none, that of nothing. */
function urlOf(scheme: string, target: string, host: string | null): URL {
  const base = URL.parse(`${scheme}://${host || "localhost"}/`) ?? new URL(`${scheme}://localhost/`);
  const url = target.startsWith("/") ? URL.parse(`${base.origin}${target}`) : URL.parse(target);
  return url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === ""
    ? url
    : new URL(base.origin);
}
