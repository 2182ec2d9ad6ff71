import { decoder } from "../utf8.ts";

/** What is kept of a response. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** When it was made, in milliseconds since 1970. */
  readonly storedAt: number;
  /** Seconds that it is fresh. */
  readonly ttl: number;
  readonly body: Uint8Array;
}

/** Headers that belong to one connection (RFC 9110, section 7.6.1), to the moment, or to whoever asked. */
const NOT_KEPT = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
  ...["age", "cache-status", "x-cache", "content-length", "set-cookie"],
  ...["ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"],
  ...["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
]);

const encoder = new TextEncoder();

/** The headers of a response that may be given to others. */
export function keptHeaders(headers: Headers): [string, string][] {
  const named = (headers.get("connection") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return [...headers].filter(([name]) => !NOT_KEPT.has(name) && !named.includes(name));
}

/** Puts a response into bytes: the length of its head, the head as JSON, the body. */
export function encodeResponse({ body, ...head }: StoredResponse): Uint8Array {
  const text = encoder.encode(JSON.stringify(head));
  const bytes = new Uint8Array(4 + text.length + body.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, 4);
  bytes.set(body, 4 + text.length);
  return bytes;
}

/**
 * Reads what {@linkcode encodeResponse} wrote.
 *
 * @throws {Error} If it is something else.
 */
export function decodeResponse(bytes: Uint8Array): StoredResponse {
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  return { ...JSON.parse(decoder.decode(bytes.subarray(4, end))), body: bytes.subarray(end) };
}
