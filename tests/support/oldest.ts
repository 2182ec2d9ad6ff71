import { traitsOf } from "../../tools/test_output.ts";

/**
 * Whether this is one of the oldest Denos that Larder works on: its server reads absolute targets in its own way, its
 * `URLPattern` knows letters beyond ASCII in one case only, and its `node:http` and `node:http2` lack a part.
 */
export const OLDEST: boolean = !traitsOf(Deno.version.deno).checks;

/** A `Vary` header without what the server of the oldest adds to it. */
export function withoutAdded(vary: string | undefined): string | undefined {
  return OLDEST ? vary?.replace(/^Accept-Encoding(?:, |$)/, "") || undefined : vary;
}

/** What a response of `node:http` or Express is given headers with. */
interface Outgoing {
  setHeaders?(headers: Headers): unknown;
  setHeader?(name: string, value: string | string[]): unknown;
}

/** Sets headers on a response of `node:http`; the oldest has no `setHeaders()`. */
export function setHeaders<Response extends Outgoing>(response: Response, headers: Headers): Response {
  if (response.setHeaders) response.setHeaders(headers);
  else {
    const cookies = headers.getSetCookie();
    for (const [name, value] of headers) response.setHeader?.(name, name === "set-cookie" ? cookies : value);
  }
  return response;
}
