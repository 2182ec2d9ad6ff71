import type { ForwardedScheme } from "../web/forwarded_scheme.ts";
import type { ResponsePolicy } from "./response_policy.ts";

/**
 * Headers of one hop (RFC 9110, section 7.6.1), conditions, ranges, and what a cache is asked: none is the business of
 * others.
 */
const NEVER = new Set([
  ...["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"],
  ...["proxy-authorization", "cache-control", "pragma", "content-length", "expect"],
]);
const CREDENTIALS = new Set(["cookie", "authorization"]);
const FORWARDED = /^(?:forwarded$|x-forwarded-|via$|x-real-ip$|cf-connecting-ip$|true-client-ip$)/;

/** Whether a header says something of the visitor, so that a load goes without it. */
export function isOfVisitor(name: string, policy: ResponsePolicy): boolean {
  if (NEVER.has(name)) return true;
  if (CREDENTIALS.has(name)) return true;
  if (policy.personal.includes(name)) return true;
  return FORWARDED.test(name) && !policy.vary.includes(name);
}

/** Whether a request says who the visitor is, so that what it is answered may be for nobody else. */
export function isPersonal({ headers }: Request, policy: ResponsePolicy): boolean {
  if (headers.has("authorization") || headers.has("proxy-authorization")) return true;
  if (policy.personal.some((name) => headers.has(name))) return true;
  const cookies = headers.get("cookie");
  return cookies !== null && cookies.split(";").some((pair) => {
    const name = pair.split("=")[0]!.trim();
    return pair.trim() !== "" && !policy.ignoresCookie(name);
  });
}

/** Whether a request has a body, which a load goes without: servers give none with a GET, or leave it to be read. */
export function hasBody({ body, headers }: Request): boolean {
  return body !== null || headers.has("transfer-encoding") || /[^0\s]/.test(headers.get("content-length") ?? "");
}

/**
 * Whether a request has headers taken away that say more than how it came here (RFC 9110, section 7.6.1): a load would
 * go without them, and what it makes would be given to those who send them.
 */
export function dropsHeaders({ headers }: Request): boolean {
  return hopsOf(headers).some((name) => name !== "close" && name !== "http2-settings" && !NEVER.has(name));
}

function hopsOf(headers: Headers): string[] {
  return (headers.get("connection") ?? "").toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
}

/** What a load is made of. */
export interface LoadOf {
  /** The request that is answered. */
  readonly request: Request;
  /** Where it goes. */
  readonly url: string;
  /** Whether a key vouches for who asks. */
  readonly keyed: boolean;
  /** The scheme that a proxy says its client has used, which the handler may go by. */
  readonly forwarded: ForwardedScheme | undefined;
  /** Validators of what is kept already. */
  readonly validators: Readonly<Record<string, string>>;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * The request of a load, which has no visitor: no cookie, no credential, no condition, no signal of whoever came first.
 */
export function loadRequestOf(
  { request, url, keyed, forwarded, validators, signal }: LoadOf,
  policy: ResponsePolicy,
): Request {
  const headers = new Headers();
  const hops = hopsOf(request.headers);
  for (const [name, value] of request.headers) {
    if (hops.includes(name)) continue;
    const vouched = keyed && (CREDENTIALS.has(name) || policy.personal.includes(name));
    if (vouched || !isOfVisitor(name, policy)) headers.append(name, value);
  }
  for (const [name, value] of Object.entries(validators)) headers.set(name, value);
  if (forwarded && !headers.has(forwarded.header[0])) headers.set(...forwarded.header);
  // An absolute target has its own, whatever `Host` says, and there are more spellings of one.
  if (headers.has("host")) {
    headers.set("host", url.slice(url.indexOf("://") + 3, url.indexOf("/", url.indexOf("://") + 3)));
  }
  return new Request(url, { headers, signal });
}
