import { createHash } from "node:crypto";
import { unawaited } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import { MAX_KEY_BYTES } from "../util/keys.ts";
import type { ForwardedScheme } from "../web/forwarded_scheme.ts";
import type { ResponsePolicy } from "./response_policy.ts";
import type { RequestTarget } from "../web/target.ts";

/** Under which keys the responses to a request are kept. */
export interface ResponseAddress {
  /** The URL that a load asks for. */
  readonly url: string;
  /** The tags of all responses of this URL, and of those that share a key in place of theirs. */
  readonly tags: readonly string[];
  /** The scheme that a proxy says its client has used. */
  readonly forwarded: ForwardedScheme | undefined;
  /** Whether a key vouches for who asks. */
  readonly keyed: boolean;
  /** The key of the first response that is kept for the URL, and of all where none depends on headers. */
  readonly primary: string;
  /** The key of another, which depends on these headers of the request. */
  readonly variant: (names: readonly string[]) => string;
}

/** The format of what is under the keys. */
const VERSION = "v2";

/** Where the responses to a request are; `undefined` where it is not to be kept. */
export function addressOf(
  request: Request,
  target: RequestTarget,
  policy: ResponsePolicy,
  forwarded?: ForwardedScheme,
): ResponseAddress | undefined {
  const query = queryOf(target.query, policy);
  const url = `${target.scheme}://${target.host}${target.path}${query}`;
  // A path that would be another one in the request of the load is none to share.
  const parsed = URL.parse(url);
  if (parsed === null || parsed.pathname !== target.path || parsed.host !== target.host) return undefined;
  const given = policy.key && unawaited(policy.key(request));
  if (policy.key && given === undefined) return undefined;
  const { text, whole } = keyOf(given);
  const place = whole ? "http:" : placeOf(target, sorted(query));
  const keyed = text === "" ? "" : ` key=${digestOf(text)}`;
  const varied = variantOf(request, policy.vary);
  return {
    url,
    tags: whole ? [tagOf(target, policy), `key ${digestOf(text)}`] : [tagOf(target, policy)],
    forwarded,
    keyed: policy.key !== undefined,
    primary: `${place}${keyed}${varied} ${VERSION}`,
    variant: (names) => `${place}${keyed}${varied}${variantOf(request, names)} ${VERSION}`,
  };
}

/**
 * The tags of all responses of a URL, for whoever they are, and of those under the key that a request for it shares
 * with other URLs.
 *
 * @throws What the function fails with that gives the key.
 */
export function* tagsOf(request: Request, target: RequestTarget, policy: ResponsePolicy): Generator<string> {
  yield tagOf(target, policy);
  if (!policy.key) return;
  const url = URL.parse(`${target.scheme}://${target.host}${target.path}${target.query}`);
  if (url === null) return;
  // What is kept was asked for by GET.
  const given = unawaited(policy.key(new Request(url, { headers: request.headers })));
  const { text, whole } = keyOf(given);
  if (whole) yield `key ${digestOf(text)}`;
}

function tagOf(target: RequestTarget, policy: ResponsePolicy): string {
  return `url ${placeOf(target, sorted(queryOf(target.query, policy)))}`;
}

/** The value of a header of a request, in one spelling. */
export function valueOf(request: Request, name: string): string | null {
  const value = request.headers.get(name);
  return value === null ? null : value.replace(/[ \t]*,[ \t]*/g, ", ").trim();
}

function keyOf(given: unknown): { text: string; whole: boolean } {
  if (given === undefined) return { text: "", whole: false };
  const whole = typeof given === "object" && given !== null;
  const text = whole ? (given as { replace?: unknown }).replace : given;
  if (typeof text === "string" && text !== "") return { text, whole };
  throw new TypeError(
    `Cannot cache responses: wanted text, { replace: text } or undefined from "key", got ${describe(given)}`,
  );
}

/** Readable, for patterns, but for the query: that may hold secrets. */
function placeOf({ scheme, host, path }: RequestTarget, query: string): string {
  const hashed = query === "" ? "" : `?${digestOf(query)}`;
  const readable = `${scheme}:${host}${path}`;
  const fits = /^[\x21-\x7e]+$/.test(readable) && readable.length <= MAX_KEY_BYTES - 200;
  return `${fits ? readable : `${scheme}:sha256:${digestOf(readable)}`}${hashed}`;
}

/** A query without what is ignored. */
function queryOf(query: string, policy: ResponsePolicy): string {
  if (query === "" || query === "?") return "";
  const parts = query.slice(1).split("&").filter((part) => {
    // Some servers take a semicolon for a separator: what would hide behind it counts.
    if (/;|%3b/i.test(part)) return true;
    return !policy.ignoresQuery(decoded(part.split("=")[0]!));
  });
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

/**
 * A query with its parameters in the order of their names; those of one name, however it is written, stay as they are.
 */
function sorted(query: string): string {
  if (!query.includes("&")) return query;
  const parts = query.slice(1).split("&").map((part) => [decoded(part.split("=")[0]!), part] as const);
  return `?${parts.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, part]) => part).join("&")}`;
}

function variantOf(request: Request, names: readonly string[]): string {
  if (names.length === 0) return "";
  return ` vary=${digestOf(names.map((name) => `${name}:${JSON.stringify(valueOf(request, name))}`).join("\n"))}`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 27);
}
