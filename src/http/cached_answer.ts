import { parseHttpDate } from "../web/http_date.ts";
import { withHeaders } from "../web/own_response.ts";
import type { StoredResponse } from "./stored_response.ts";

/** Why a request was handed on (RFC 9211, section 2.2). */
export type Forwarded = "uri-miss" | "vary-miss" | "stale" | "request" | "bypass" | "method";

/** What a cache did with a request, for `Cache-Status` (RFC 9211). */
export type CacheOutcome =
  /** Answered from the cache. */
  | { readonly hit: true }
  /** Answered by the handler. */
  | { readonly fwd: Forwarded; readonly status?: number | undefined; readonly stored?: boolean | undefined };

/** What of the headers of a 304 is sent again (RFC 9110, section 15.4.5). */
const IN_304 = new Set([
  ...["cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"],
  ...["age", "cache-status", "x-cache"],
]);

/** Milliseconds for which a response has been stale; negative while it is fresh. */
export function staleFor({ storedAt, ttl }: StoredResponse): number {
  return ttl === null ? -Infinity : Date.now() - storedAt - ttl * 1000;
}

/** Seconds that a response is old (RFC 9111, section 4.2.3). */
export function ageOf({ storedAt, age }: StoredResponse): number {
  return age + Math.max(0, Math.floor((Date.now() - storedAt) / 1000));
}

/** Answers from what is kept: with the body, a part of it, or with 304 where the caller has it. */
export function answerFrom(request: Request, stored: StoredResponse, outcome: CacheOutcome): Response {
  const headers = new Headers(stored.headers.map(([name, value]) => [name, value]));
  headers.set("age", String(ageOf(stored)));
  describeOutcome(headers, outcome, Math.ceil(-staleFor(stored) / 1000));
  if (isNotModified(request, headers)) return new Response(null, { status: 304, headers: headersOf304(headers) });
  const { status, body } = stored;
  const head = request.method === "HEAD";
  const part = status === 200 && !head ? partOf(request, headers, body.length) : undefined;
  if (part === "none") {
    headers.set("content-range", `bytes */${body.length}`);
    return new Response(null, { status: 416, headers });
  }
  if (part) {
    const [from, to] = part;
    headers.set("content-range", `bytes ${from}-${to}/${body.length}`);
    return new Response(body.slice(from, to + 1), { status: 206, headers });
  }
  if (head && status !== 204) headers.set("content-length", String(body.length));
  return new Response(head || status === 204 ? null : new Uint8Array(body), { status, headers });
}

/** What a handler made, for its own caller: as 304 where the caller has it. */
export function answerOf(request: Request, response: Response, outcome: CacheOutcome): Response {
  const marked = mark(response, outcome);
  if (!response.ok || !isNotModified(request, marked.headers)) return marked;
  marked.body?.cancel().catch(() => {});
  return new Response(null, { status: 304, headers: headersOf304(marked.headers) });
}

/** A response of the handler, with what the cache did with it. */
export function mark(response: Response, outcome: CacheOutcome): Response {
  return withHeaders(response, (headers) => describeOutcome(headers, outcome));
}

/** There is nothing to answer with: nothing was to be made, or it was not made in time. */
export function gatewayTimeout(detail: string, outcome: CacheOutcome): Response {
  const problem = { type: "about:blank", title: "Gateway Timeout", status: 504, detail };
  const headers = new Headers({ "content-type": "application/problem+json", "cache-control": "no-store" });
  describeOutcome(headers, outcome);
  return new Response(JSON.stringify(problem), { status: 504, headers });
}

function describeOutcome(headers: Headers, outcome: CacheOutcome, ttl?: number): void {
  if ("hit" in outcome) {
    headers.set("x-cache", ttl !== undefined && ttl <= 0 ? "STALE" : "HIT");
    headers.append("cache-status", Number.isFinite(ttl) ? `Larder; hit; ttl=${ttl}` : "Larder; hit");
    return;
  }
  const { fwd, status, stored } = outcome;
  headers.set("x-cache", ["uri-miss", "vary-miss", "stale"].includes(fwd) ? "MISS" : "BYPASS");
  const how = `${status === undefined ? "" : `; fwd-status=${status}`}${stored ? "; stored" : ""}`;
  headers.append("cache-status", `Larder; fwd=${fwd}${how}`);
}

function headersOf304(headers: Headers): Headers {
  return new Headers([...headers].filter(([name]) => IN_304.has(name)));
}

/** RFC 9110, section 13.2.2, steps 3 and 4. */
function isNotModified(request: Request, headers: Headers): boolean {
  const tags = request.headers.get("if-none-match");
  const etag = headers.get("etag");
  if (tags !== null) {
    const opaque = (tag: string) => tag.trim().replace(/^W\//, "");
    const given = tags.match(/(?:W\/)?"[^"]*"|[^,\s]+/g) ?? [];
    return etag !== null && (tags.trim() === "*" || given.some((tag) => opaque(tag) === opaque(etag)));
  }
  const since = parseHttpDate(request.headers.get("if-modified-since"));
  const modified = parseHttpDate(headers.get("last-modified") ?? headers.get("date"));
  return since !== undefined && modified !== undefined && modified <= since;
}

/**
 * The one range of bytes that is asked for; `"none"` where there is nothing in it, `undefined` where all is to be sent.
 */
function partOf(request: Request, headers: Headers, size: number): [from: number, to: number] | "none" | undefined {
  const range = /^bytes=(\d*)-(\d*)$/i.exec(request.headers.get("range")?.replace(/\s/g, "") ?? "");
  if (!range || (range[1] === "" && range[2] === "") || !isSameStill(request, headers)) return undefined;
  const [, first, last] = range as unknown as [string, string, string];
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  return from > to ? "none" : [from, to];
}

/** `If-Range` (RFC 9110, section 13.1.5): a strong validator that is the same. */
function isSameStill(request: Request, headers: Headers): boolean {
  const validator = request.headers.get("if-range");
  if (validator === null) return true;
  if (validator.startsWith('"')) return validator === headers.get("etag");
  const date = parseHttpDate(validator);
  return date !== undefined && date === parseHttpDate(headers.get("last-modified"));
}
