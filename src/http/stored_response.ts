import { describe } from "../util/describe.ts";
import { decoder } from "../util/utf8.ts";
import { isHeaderName } from "../web/header_name.ts";

/** What is kept of a response. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** When it came, in milliseconds since 1970. */
  readonly storedAt: number;
  /** Seconds that it was old then. */
  readonly age: number;
  /** Seconds that it is fresh from then on; `null` = for ever. */
  readonly ttl: number | null;
  /** Seconds for which it may be served after that, whether while it is made anew or when it cannot be. */
  readonly stale: number;
  /** Whether it is for whoever asks, with whatever cookie. */
  readonly open: boolean;
  /** Whether it forbids to be served stale. */
  readonly strict: boolean;
  /** The headers of the request on which it depends, as they were; `null` where there was none. */
  readonly vary: readonly (readonly [string, string | null])[];
  readonly body: Uint8Array;
}

/** Headers that belong to one connection (RFC 9110, section 7.6.1), to one caller, or to the moment. */
const NOT_KEPT = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
  ...["proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "authentication-info"],
  ...["age", "cache-status", "x-cache", "content-length", "set-cookie", "retry-after"],
  ...["x-request-id", "x-correlation-id", "request-id", "traceparent", "tracestate", "server-timing"],
]);
const LIMITS = /^(?:x-)?ratelimit(?:-|$)/;

/** The format of what is stored. */
const VERSION = 2;
const encoder = new TextEncoder();

/** The headers of a response that may be given to others. */
export function keptHeaders(headers: Headers): [string, string][] {
  const named = (headers.get("connection") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return [...headers].filter(([name]) => isKept(name) && !named.includes(name));
}

function isKept(name: string): boolean {
  return !NOT_KEPT.has(name) && !LIMITS.test(name);
}

/** Puts a response into bytes: the version, the length of its head, the head as JSON, the body. */
export function encodeResponse({ body, ...head }: StoredResponse): Uint8Array {
  const text = encoder.encode(JSON.stringify(head));
  const bytes = new Uint8Array(5 + text.length + body.length);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setUint32(1, text.length);
  bytes.set(text, 5);
  bytes.set(body, 5 + text.length);
  return bytes;
}

/**
 * Reads what {@linkcode encodeResponse} wrote. Whoever may write keys of the cache may have put something else there.
 *
 * @throws {TypeError} If it is something else.
 */
export function decodeResponse(bytes: unknown): StoredResponse {
  if (!(bytes instanceof Uint8Array) || bytes.length < 5 || bytes[0] !== VERSION) throw damaged("its version", bytes);
  const end = 5 + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  if (end > bytes.length) throw damaged("its length", end);
  let head: Partial<Record<keyof StoredResponse, unknown>>;
  try {
    head = JSON.parse(decoder.decode(bytes.subarray(5, end)));
  } catch {
    throw damaged("its head", "no JSON");
  }
  if (typeof head !== "object" || head === null) throw damaged("its head", head);
  const { status, headers, storedAt, age, ttl, stale, open, strict, vary } = head;
  if (!isInteger(status, 200, 599) || [205, 206, 304].includes(status)) throw damaged("its status", status);
  if (!isPairs(headers) || !areHeaders(headers)) throw damaged("its headers", headers);
  for (const [name, number] of Object.entries({ storedAt, age, stale, ttl: ttl ?? 0 })) {
    if (typeof number !== "number" || !Number.isFinite(number) || number < 0) throw damaged(`its ${name}`, number);
  }
  if (typeof open !== "boolean" || typeof strict !== "boolean") throw damaged("its audience", open);
  if (!isPairs(vary, true) || !vary.every(([name]) => isHeaderName(name))) throw damaged("what it depends on", vary);
  return { ...head, body: bytes.subarray(end) } as StoredResponse;
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isPairs(value: unknown, nullable = false): value is [string, string][] {
  return Array.isArray(value) &&
    value.every((pair) =>
      Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" &&
      (typeof pair[1] === "string" || (nullable && pair[1] === null))
    );
}

function areHeaders(pairs: [string, string][]): boolean {
  try {
    new Headers(pairs);
    return pairs.every(([name]) => isKept(name.toLowerCase()));
  } catch {
    return false;
  }
}

function damaged(what: string, got: unknown): TypeError {
  return new TypeError(`Cannot read a stored response: wanted ${what} as it was written, got ${describe(got)}`);
}
