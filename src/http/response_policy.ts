import { unawaited } from "../callbacks.ts";
import type { GetOrSetOptions } from "../cache/options.ts";
import { describe } from "../describe.ts";
import { type Duration, TIME_TO_LIVE, toMilliseconds } from "../duration.ts";
import { assertTags, MAX_KEY_BYTES } from "../keys.ts";
import { assertOptions, optionNames } from "../option_names.ts";
import { parseCacheControl, secondsOf } from "./cache_control.ts";
import type { CacheResponseOptions } from "./cache_response.ts";
import type { Visitor } from "./visitor.ts";
import { keptHeaders, type StoredResponse } from "./stored_response.ts";
import { targetOf } from "./target.ts";

/** Which responses are kept, and how long. */
export interface ResponsePolicy {
  /** Seconds for a response that does not say; `Infinity` = for ever. */
  readonly ttl: number;
  readonly lifetime: GetOrSetOptions<Uint8Array>;
  readonly tags: NonNullable<CacheResponseOptions["tags"]>;
  readonly vary: readonly string[];
  readonly key: CacheResponseOptions["key"];
  readonly deaf: boolean;
  readonly maxBytes: number;
}

const OPTIONS = optionNames<CacheResponseOptions>({
  ttl: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  tags: true,
  vary: true,
  key: true,
  ignoreRequestCacheControl: true,
  maxBytes: true,
});

/** Responses that are good for others: those of RFC 9110, section 15.1, without errors. */
const KEPT = new Set([200, 203, 204, 300, 301, 308]);
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const MAX_BYTES = 2 ** 20;
/** Longest that a response may say it is fresh, in seconds: a year (RFC 9111, section 1.2.2, leaves it open). */
const YEAR = 31_536_000;

/**
 * Checks the options.
 *
 * @throws {TypeError | RangeError} If one is not as it should be.
 */
export function responsePolicyOf(options: CacheResponseOptions): ResponsePolicy {
  assertOptions(options, OPTIONS, "cache responses");
  const { ttl = "1m", staleWhileRevalidate, staleIfError, tags = [], vary = [], key, maxBytes = MAX_BYTES } = options;
  const what = "Cannot cache responses: wanted";
  if (!Array.isArray(vary) || vary.some((name) => typeof name !== "string" || !NAME.test(name) || name === "*")) {
    throw new TypeError(`${what} names of headers as "vary", got ${describe(vary)}`);
  }
  if (key !== undefined && typeof key !== "function") {
    throw new TypeError(`${what} a function as "key", got ${describe(key)}`);
  }
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw new RangeError(`${what} a number of bytes >= 1 as "maxBytes", got ${describe(maxBytes)}`);
  }
  if (typeof tags !== "function") assertTags(tags, "cache responses");
  const window = (duration: Duration | undefined, name: string) => {
    if (duration !== undefined) toMilliseconds(duration, name);
    return duration;
  };
  return {
    ttl: toMilliseconds(ttl, "ttl", TIME_TO_LIVE) / 1000 || Infinity,
    lifetime: {
      staleWhileRevalidate: window(staleWhileRevalidate, "staleWhileRevalidate"),
      staleIfError: window(staleIfError, "staleIfError"),
    },
    tags,
    vary: vary.map((name) => name.toLowerCase()).sort(),
    key,
    deaf: options.ignoreRequestCacheControl === true,
    maxBytes,
  };
}

/** Why a request is not looked up at all. */
export function refusalOf(request: Request): "method" | "bypass" | undefined {
  if (request.method !== "GET") return "method";
  return request.headers.has("range") || request.headers.has("upgrade") ? "bypass" : undefined;
}

/** What a request wants of caches (RFC 9111, section 5.2.1, and 5.4 for what came before). */
export function wishOf({ headers }: Request): "no-store" | "no-cache" | undefined {
  const directives = parseCacheControl(headers.get("cache-control"));
  if (directives.has("no-store")) return "no-store";
  const old = !headers.has("cache-control") && /\bno-cache\b/i.test(headers.get("pragma") ?? "");
  return directives.has("no-cache") || secondsOf(directives, "max-age") === 0 || old ? "no-cache" : undefined;
}

/** The key of a request, readable where it is short enough; `undefined` where it is not to be cached. */
export async function keyOf(request: Request, { key, vary }: ResponsePolicy): Promise<string | undefined> {
  const { host, path, query } = targetOf(request)!;
  const name = key ? unawaited(key(request)) : `${host}${path}${query}`;
  if (name === undefined) return undefined;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot cache responses: wanted text or undefined from "key", got ${describe(name)}`);
  }
  const varied = vary.map((header) => ` ${header}=${encodeURIComponent(request.headers.get(header) ?? "")}`).join("");
  const readable = `http:${name}${varied}`;
  if (/^[\x20-\x7e]+$/.test(readable) && readable.length <= MAX_KEY_BYTES) return readable;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(readable));
  return `http:sha256:${[...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The tags of a response. */
export function tagsOf(request: Request, response: Response, { tags }: ResponsePolicy): readonly string[] {
  return typeof tags === "function" ? unawaited(tags(request, response)) : tags;
}

/** What is kept of a response, or a response to be given to its own caller alone. */
export async function keep(
  request: Request,
  response: Response,
  policy: ResponsePolicy,
  visitor: Visitor,
): Promise<StoredResponse | Response> {
  const ttl = isFor(visitor, policy) ? freshFor(request, response, policy) : 0;
  if (ttl <= 0) return response;
  const body = await readBody(response, policy.maxBytes);
  if (body instanceof Response) return body;
  return { status: response.status, headers: keptHeaders(response.headers), storedAt: Date.now(), ttl, body };
}

/** Whether a response may be for others, whatever it says: what was looked at of the visitor is said only by what is around this. */
function isFor(visitor: Visitor, { vary }: ResponsePolicy): boolean {
  return !visitor.isPersonal && (!visitor.has("asked") || vary.includes("cookie"));
}

/** Seconds for which a response may be given to others; 0 = not at all. */
function freshFor(request: Request, { status, headers }: Response, policy: ResponsePolicy): number {
  if (!KEPT.has(status) || headers.has("set-cookie")) return 0;
  if (/^\s*text\/event-stream/i.test(headers.get("content-type") ?? "")) return 0;
  const varies = (headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
  if (varies.some((name) => !policy.vary.includes(name))) return 0;
  const directives = parseCacheControl(headers.get("cache-control"));
  if (["no-store", "no-cache", "private"].some((name) => directives.has(name))) return 0;
  const shared = secondsOf(directives, "s-maxage");
  // A session or a login is behind such a request: only who says so shares its response (RFC 9111, section 3.5).
  const personal = request.headers.has("authorization") || request.headers.has("cookie");
  if (personal && !policy.key && shared === undefined && !directives.has("public")) return 0;
  const said = shared ?? secondsOf(directives, "max-age") ?? expiry(headers);
  if (said === undefined) return policy.ttl;
  return Math.min(said, YEAR) - (Number(headers.get("age")) || 0);
}

function expiry(headers: Headers): number | undefined {
  const expires = headers.get("expires");
  if (expires === null) return undefined;
  const seconds = (Date.parse(expires) - (Date.parse(headers.get("date") ?? "") || Date.now())) / 1000;
  return Number.isNaN(seconds) ? 0 : Math.floor(seconds); // "0" and its like stand for the past
}

/** The body, or the response with all of it where it is too long. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array | Response> {
  if (Number(response.headers.get("content-length")) > maxBytes) return response;
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const { value, done } = await reader.read();
    if (done) return concatenate(chunks, length);
    chunks.push(value);
    length += value.length;
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = chunks.shift();
      if (chunk) return controller.enqueue(chunk);
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, response);
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
