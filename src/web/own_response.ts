import { describe } from "../util/describe.ts";

/**
 * What a handler gave, if it is a response: who forgets a `return` gives `undefined`.
 *
 * @param response What it gave.
 * @throws {TypeError} If it is none.
 */
export function assertResponse(response: Response): Response {
  if (typeof response?.status === "number" && typeof response.headers?.get === "function") return response;
  throw new TypeError(`Cannot answer the request: wanted a Response from the handler, got ${describe(response)}`);
}

/**
 * A response of one's own with headers added. The one that came is left as it is: a handler may keep it, and give it to
 * the next who asks, who is somebody else. A connection that is upgraded has left HTTP behind, and what stands for a
 * failure of the network is no answer: both are handed on as they are.
 */
export function withHeaders(response: Response, change: (headers: Headers) => void): Response {
  assertResponse(response);
  if (response.status === 101 || response.type === "error") return response;
  const own = new Response(response.body, response);
  change(own.headers);
  return own;
}
