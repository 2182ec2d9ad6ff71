import type { ForwardedScheme } from "../web/forwarded_scheme.ts";
import { type ConnectionInfo, proxyReader, type TrustProxy } from "./address.ts";

/** Tells the scheme that a client has used with the proxies that are believed; `undefined` where none says it. */
export type SchemeReader = (request: Request, info?: ConnectionInfo) => ForwardedScheme | undefined;

/** The scheme of connections to proxies, in the headers of requests. */
const readers = new WeakMap<object, SchemeReader>();

/** Remembers which proxies a limiter believes, for what else goes by them. */
export function setSchemeReader(limiter: object, trust: TrustProxy | undefined): void {
  if (trust !== undefined) readers.set(limiter, schemeReader(trust));
}

/** What tells the scheme by the proxies that a limiter believes; `undefined` where it believes none. */
export function schemeReaderOf(limiter: unknown): SchemeReader | undefined {
  return typeof limiter === "object" && limiter !== null ? readers.get(limiter) : undefined;
}

/**
 * Makes what tells the scheme of requests that came through proxies: by `X-Forwarded-Proto`, or `proto` of `Forwarded`
 * (RFC 7239, section 5.4). What somebody else writes into them is not looked at. Where both are there, they must say
 * the same: a proxy writes one of them, and passes the other on as the client made it up.
 *
 * @param trust Which proxies are believed.
 * @throws {ConfigError} If that is none of what it can be.
 */
export function schemeReader(trust: TrustProxy): SchemeReader {
  const { believes, header } = proxyReader(trust);
  return (request, info) => {
    const { headers } = request;
    const listed = header === "forwarded" ? null : headers.get("x-forwarded-proto");
    const forwarded = header === undefined || header === "forwarded" ? headers.get("forwarded") : null;
    if ((listed === null && forwarded === null) || !believes(request, info)) return undefined;
    const proto = listed === null ? undefined : schemeOf(listed.split(",")[0]!);
    const pair = forwarded === null ? undefined : protoOf(forwarded);
    if (proto !== undefined && pair !== undefined && proto !== pair) return undefined;
    if (proto !== undefined) return { scheme: proto, header: ["x-forwarded-proto", proto] };
    return pair === undefined ? undefined : { scheme: pair, header: ["forwarded", `proto=${pair}`] };
  };
}

/** What the proxy next to the client says. */
function protoOf(forwarded: string): ForwardedScheme["scheme"] | undefined {
  const first = /^(?:[^",]|"(?:[^"\\]|\\.)*")*/.exec(forwarded)![0];
  const pair = /(?:^|;)[ \t]*proto[ \t]*=[ \t]*(?:"(\w+)"|(\w+))[ \t]*(?:;|$)/i.exec(first);
  return pair ? schemeOf(pair[1] ?? pair[2]!) : undefined;
}

function schemeOf(text: string): ForwardedScheme["scheme"] | undefined {
  const name = text.trim().toLowerCase();
  return name === "http" || name === "https" ? name : undefined;
}
