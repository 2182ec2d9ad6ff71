import type { ConnectionInfo } from "../rate_limit/address.ts";
import { bareRequest } from "../web/node_request.ts";
import { keepTarget } from "../web/target.ts";
import type { OakContextLike } from "./oak_context.ts";

/** The request without its body, which is the handler's. */
export function requestOf(context: OakContextLike): Request {
  const { method, headers, source, originalRequest } = context.request;
  if (source instanceof Request) return source;
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
  try {
    const { originalRequest, ips = [] } = request;
    const hostname = originalRequest ? originalRequest.remoteAddr : ips.length > 0 ? undefined : request.ip;
    return hostname === undefined ? undefined : { remoteAddr: { hostname } };
  } catch {
    return undefined; // Oak itself fails where the socket of `node:http` cannot tell its address
  }
}

/** Whether a stream of events is asked for, which Oak sends on the connection of its visitor. */
export function wantsEvents({ request: { headers } }: OakContextLike): boolean {
  return /^\s*text\/event-stream\b/i.test(headers.get("accept") ?? "");
}
