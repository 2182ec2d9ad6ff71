import type { ConnectionInfo } from "../rate_limit/address.ts";
import { bareRequest } from "../web/node_request.ts";
import { keepTarget } from "../web/target.ts";
import type { OakContextLike } from "./oak_context.ts";

/** By request of Oak: what was made of it, so that it is the same each time. */
const made = new WeakMap<object, Request>();
const connections = new WeakMap<object, { readonly found: ConnectionInfo | undefined }>();
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

/** The request without its body, which is the handler's. */
export function requestOf(context: OakContextLike): Request {
  const { source } = context.request;
  if (source instanceof Request) return source;
  const before = made.get(context.request);
  if (before) return before;
  const request = makeRequest(context);
  made.set(context.request, request);
  return request;
}

function makeRequest(context: OakContextLike): Request {
  const { method, headers, originalRequest } = context.request;
  const request = bareRequest(urlOf(context) ?? new URL("http://localhost/"), method, headers);
  if (originalRequest?.url !== undefined) keepTarget(request, originalRequest.url);
  return request;
}

/** The URL as Oak reads it, if it can. */
export function urlOf({ request }: OakContextLike): URL | undefined {
  try {
    return request.url;
  } catch {
    return undefined;
  }
}

/** The other end of the connection. With `proxy: true`, `ip` is what anybody may write into a header. */
export function connectionOf({ request }: OakContextLike): ConnectionInfo | undefined {
  const before = connections.get(request);
  if (before) return before.found;
  const found = connectionFor(request);
  connections.set(request, { found });
  return found;
}

function connectionFor(request: OakContextLike["request"]): ConnectionInfo | undefined {
  try {
    const { originalRequest, ips = [] } = request;
    const hostname = originalRequest ? originalRequest.remoteAddr : ips.length > 0 ? undefined : request.ip;
    // Oak's server for Node.js tells its own end of the connection, which says who asks where both are this machine.
    if (originalRequest?.constructor?.name === "NodeRequest" && !LOOPBACK.test(hostname ?? "")) return undefined;
    return hostname === undefined ? undefined : { remoteAddr: { hostname } };
  } catch {
    return undefined; // Oak itself fails where the socket of `node:http` cannot tell its address
  }
}

/** Whether a stream of events is asked for, which Oak sends on the connection of its visitor. */
export function wantsEvents({ request: { headers } }: OakContextLike): boolean {
  return /^\s*text\/event-stream\b/i.test(headers.get("accept") ?? "");
}
