/**
 * What a request is for, as its bytes say it. Nothing else in Larder takes a URL of a request apart: whoever reads it
 * in another way than the router behind it counts, keeps or opens something else than what is answered.
 */
export interface RequestTarget {
  /** The scheme: `http` or `https`. */
  readonly scheme: "http" | "https";
  /**
   * The host in lower case, with the port unless it is that of the scheme. An absolute target has its own, whatever
   * `Host` says.
   */
  readonly host: string;
  /** The path as it was sent, from its first slash on: not decoded, and with dot segments. */
  readonly path: string;
  /** The query with its `?`, or nothing. */
  readonly query: string;
}

/** A host and a port (RFC 9110, section 7.2), without names that only a client could resolve. */
const AUTHORITY = /^(?:[\w.~!$&'()*+,;=-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i;
/** Targets of requests whose URL does not show them. */
const sent = new WeakMap<Request, string>();
/** Authorities that are known to be right: there are few, and to parse one takes longer than all the rest. */
const hosts = new Map<string, string>();
const MOST_HOSTS = 1000;

/**
 * Reads the target of a request.
 *
 * @param request The request.
 * @param client The scheme that the client has used, where a proxy that is believed says it.
 * @returns What it is for, or `undefined` where its target or `Host` is none that routers read in one way: see
 * {@linkcode badRequest}.
 */
export function targetOf(request: Request, client?: RequestTarget["scheme"]): RequestTarget | undefined {
  // `Deno.serve` puts the URL together out of what came, so each part may be anything: the path begins at the first
  // slash.
  const url = sent.get(request) ?? request.url;
  const colon = url.indexOf("://");
  const own = schemeOf(url, colon);
  const scheme = own && (client ?? own);
  const slash = url.indexOf("/", colon + 3);
  if (scheme === undefined || slash === -1) return undefined;
  const authority = url.slice(colon + 3, slash);
  const host = hostOf(scheme, authority);
  if (host === undefined) return undefined;
  const said = request.headers.get("host");
  if (said !== null && said !== "" && said !== authority && hostOf(scheme, said) === undefined) return undefined;
  const hash = url.indexOf("#", slash);
  const end = hash === -1 ? url.length : hash;
  const mark = url.indexOf("?", slash);
  const question = mark === -1 || mark > end ? end : mark;
  return { scheme, host, path: url.slice(slash, question), query: url.slice(question, end) };
}

/**
 * Keeps a target with a request that was made of it, since `new Request()` reads what it is given in its own way.
 *
 * @param request The request, whose URL has the scheme, and a host for those who sent none.
 * @param target The target as it was sent: a path, all of a URL, or `*`.
 */
export function keepTarget(request: Request, target: string): void {
  const { protocol, host } = new URL(request.url);
  const path = target === "*" ? "/*" : target; // as Deno.serve does
  sent.set(request, path.startsWith("/") ? `${protocol}//${request.headers.get("host") || host}${path}` : path);
}

/** The answer to a request whose target cannot be read (RFC 9112, section 3.2). */
export function badRequest(): Response {
  return problem(
    400,
    "Bad Request",
    "Cannot read the target of the request: wanted a path and a Host, got something else",
  );
}

/** The answer to a request whose target is longer than what is read. */
export function targetTooLong(): Response {
  return problem(414, "URI Too Long", "Cannot read the target of the request: wanted a shorter one");
}

function problem(status: number, title: string, detail: string): Response {
  const headers = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify({ type: "about:blank", title, status, detail }), { status, headers });
}

function schemeOf(url: string, end: number): RequestTarget["scheme"] | undefined {
  const name = end > 5 ? undefined : url.slice(0, end).toLowerCase();
  return name === "http" || name === "https" ? name : undefined;
}

/** The authority as all write it; `undefined` where it is none. */
function hostOf(scheme: string, authority: string): string | undefined {
  const key = `${scheme}:${authority}`;
  const known = hosts.get(key);
  if (known !== undefined) return known;
  if (authority.length > 320 || !AUTHORITY.test(authority)) return undefined;
  const url = URL.parse(`${scheme}://${authority}/`);
  if (url === null || url.host === "") return undefined;
  if (hosts.size >= MOST_HOSTS) hosts.clear(); // made up, most of them
  hosts.set(key, url.host);
  return url.host;
}
