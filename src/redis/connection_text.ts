import { ConfigError, RedisError, UnavailableError } from "../errors.ts";

/** What to think of when a connection fails so. The first that fits holds. */
const HINTS: readonly [pattern: RegExp, hint: string][] = [
  [/refused/i, "nothing listens there"],
  [/failed to lookup|ENOTFOUND|EAI_AGAIN|getaddrinfo/i, "no such host"],
  [/UnknownIssuer|SELF_SIGNED|self-signed|UNABLE_TO_GET_ISSUER/i, "UnknownIssuer: give its authority in tls.caCerts"],
  [/not valid for name|NotValidForName|altnames/i, "its certificate is for another host name"],
  [/certificate.*expired|CERT_HAS_EXPIRED/i, "its certificate has expired"],
  [/CertificateRequired|certificate required/i, "it wants a certificate of the client"],
  [/InvalidContentType|corrupt message|wrong version number/i, "that port does not speak TLS: say redis://"],
  [
    /unknown code: |wanted one in RESP2|Unknown RESP type|Protocol error, got/i,
    "it does not speak the protocol of Redis",
  ],
  [/reset by peer|ECONNRESET|EPIPE|broken pipe|EOF|UnexpectedEof|is closed|was closed/i, "it closed the connection"],
  [/^WRONGPASS/, "has its password been changed?"],
  [/^ERR max number of clients/, "see maxclients"],
  [/^MOVED /, "that is one node of a cluster: give a client of it, as in fromIoredis(new Cluster(nodes))"],
  [
    /^ERR unknown command .EVAL/,
    "is that a Sentinel? It knows where Redis is, as in fromIoredis(new Redis({ sentinels, name }))",
  ],
];

/** What a reply says of the script in which it was said. */
const SCRIPT = /,? script: [0-9a-f]{40}, on @\w+:\d+\.?$/;

/**
 * Why a server cannot be reached, as the connection gave it, on one line and with a hint.
 *
 * @param error What the connection failed with.
 * @returns The text, without secrets.
 */
export function connectionText(error: unknown): string {
  if (error instanceof ConfigError && error.cause !== undefined) return connectionText(error.cause);
  const text = rawText(error).replace(SCRIPT, "").replace(/\s+/g, " ").trim();
  const code = error instanceof Error ? String((error as { code?: unknown }).code ?? "") : "";
  const hint = HINTS.find(([pattern]) => pattern.test(text) || (code !== "" && pattern.test(code)))?.[1];
  // The first sentence says it; replies go on with advice.
  const first = /^.{20,}?\.(?= [A-Z])/.exec(text)?.[0] ?? text;
  const short = first.length > 300 ? `${first.slice(0, 299)}…` : first;
  return hint === undefined || short.includes(hint) ? short : `${short.replace(/\.$/, "")} (${hint})`;
}

function rawText(error: unknown): string {
  if (error instanceof UnavailableError) {
    // Wrapped again and again, what counts is what the connection said.
    if (error.cause !== undefined) return rawText(error.cause);
    return error.message.replace(/^.*Redis(?: at \S+)? is unavailable: /, "");
  }
  if (error instanceof RedisError) return error.message;
  return error instanceof Error ? error.message || error.constructor.name : String(error);
}
