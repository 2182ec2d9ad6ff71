import { withHeaders } from "./own_response.ts";
import type { StoredResponse } from "./stored_response.ts";

/** What a cache did with a request, for `Cache-Status` (RFC 9211). */
export type CacheOutcome =
  /** Answered from the cache. */
  | { readonly hit: true }
  /** Answered by the handler: nothing was there, the request wanted that, or it is none that can be cached. */
  | { readonly fwd: "uri-miss" | "request" | "bypass" | "method"; readonly stored?: boolean };

/** What of the headers of a 304 is sent again (RFC 9110, section 15.4.5). */
const IN_304 = ["cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"];

/** Answers from what is kept: with the body, or with 304 where the caller has it. */
export function answerFrom(request: Request, stored: StoredResponse, outcome: CacheOutcome): Response {
  const headers = new Headers(stored.headers.map(([name, value]) => [name, value]));
  const age = Math.max(0, Math.floor((Date.now() - stored.storedAt) / 1000));
  const ttl = Math.ceil(stored.ttl - (Date.now() - stored.storedAt) / 1000);
  headers.set("age", String(age));
  describeOutcome(headers, outcome, ttl);
  if (isNotModified(request, headers)) {
    for (const name of [...headers.keys()]) {
      if (!IN_304.includes(name) && !["age", "cache-status", "x-cache"].includes(name)) headers.delete(name);
    }
    return new Response(null, { status: 304, headers });
  }
  const { status, body } = stored;
  const bare = request.method === "HEAD" || status === 204;
  if (request.method === "HEAD") headers.set("content-length", String(body.length));
  return new Response(bare ? null : new Uint8Array(body), { status, headers });
}

/** A response of the handler, with what the cache did with it. */
export function mark(response: Response, outcome: CacheOutcome): Response {
  return withHeaders(response, (headers) => describeOutcome(headers, outcome));
}

function describeOutcome(headers: Headers, outcome: CacheOutcome, ttl?: number): void {
  if ("hit" in outcome) {
    headers.set("x-cache", ttl !== undefined && ttl <= 0 ? "STALE" : "HIT");
    headers.append("cache-status", Number.isFinite(ttl) ? `Larder; hit; ttl=${ttl}` : "Larder; hit");
  } else {
    headers.set("x-cache", outcome.fwd === "uri-miss" ? "MISS" : "BYPASS");
    headers.append("cache-status", `Larder; fwd=${outcome.fwd}${outcome.stored ? "; stored" : ""}`);
  }
}

/** RFC 9110, section 13.2.2, steps 3 and 4. */
function isNotModified(request: Request, headers: Headers): boolean {
  const tags = request.headers.get("if-none-match");
  const etag = headers.get("etag");
  if (tags !== null) {
    const opaque = (tag: string) => tag.trim().replace(/^W\//, "");
    return etag !== null && (tags.trim() === "*" || tags.split(",").some((tag) => opaque(tag) === opaque(etag)));
  }
  const since = Date.parse(request.headers.get("if-modified-since") ?? "");
  const modified = Date.parse(headers.get("last-modified") ?? "");
  return modified <= since; // false where one of them is no date
}
