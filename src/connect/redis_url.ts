import { ConfigError } from "../errors.ts";
import { Secret } from "./secret.ts";

/** What a URL says about a Redis server; the rest is left out. */
export interface RedisUrl {
  /** The option or variable that it comes from. */
  setting: string;
  /** Whether it is a `rediss:` URL. */
  tls: boolean;
  /** The host name or the IP address, without brackets. */
  hostname: string;
  /** The port. */
  port?: number;
  /** The socket of a server on the same machine. */
  path?: string;
  /** The ACL user. */
  username?: string;
  /** The password. */
  password?: Secret;
  /** The database. */
  db?: number;
}

/** The highest number of a database: Redis counts them in 32 bits. */
export const MAX_DB = 2_147_483_647;

/** Any part of a URL may be a piece of a password that was not encoded, so nothing of it is ever shown. */
const NOT_SHOWN = "another text (not shown, as it may hold a password)";

/**
 * The host name in lower case, or the address without brackets; `undefined` if it is neither.
 *
 * @param host A host name, an IPv4 address or an IPv6 address, in brackets or not.
 */
export function parseHostname(host: string): string | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const ipv6 = bare.includes(":");
  if (ipv6 ? !/^[0-9A-Fa-f:.]+$/.test(bare) : bare !== host || !/^[^\s/\\?#@[\]]+$/.test(bare)) return undefined;
  if (/^\d+$/.test(bare)) return undefined; // a port or a database alone; URLs would take it for an address
  try {
    const { hostname } = new URL(`http://${ipv6 ? `[${bare}]` : bare}/`);
    if (ipv6) return hostname.slice(1, -1);
    return /^[a-z0-9._-]+$/.test(hostname) ? hostname : undefined; // no list of hosts, for one
  } catch {
    return undefined;
  }
}

/**
 * A whole number in decimal digits within limits; `undefined` if it is none.
 *
 * @param text The digits.
 * @param min The least.
 * @param max The most.
 */
export function parseWhole(text: string, min: number, max: number): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** Quotes and spaces that came along, as from an `--env-file` of Docker. */
const WRAPPED = /^["'`\s]|["'`\s]$/;
const BARE = "; without quotes and spaces around it";

/** What templates look like that nobody has filled in, or with what is not set. */
const UNFILLED = /\$\{?\w|<[\w-]+>|\{\{|(^|[/:@])(undefined|null|NaN|\[object \w+\])(?=$|[/:@])/;
const FILLED = "; with its variables filled in";

/** What those probably need who gave something else; nothing of it is repeated. */
function hintFor(text: string, setting: string): string {
  if (WRAPPED.test(text)) return BARE;
  if (/^redis-cli\b|^[A-Z_]+=/.test(text)) return "; the URL alone";
  if (/^(redis|valkey)[+_-]?(sentinel|cluster)s?:/i.test(text)) {
    return "; for Sentinels or a cluster, open a client yourself, as in fromIoredis(new Cluster(nodes))";
  }
  if (UNFILLED.test(text)) return FILLED;
  if (/^:?memory:?$/i.test(text)) {
    return setting === "url" || setting === "REDIS_URL"
      ? '; "memory:" with a colon is the embedded store'
      : '; a cache with a server of its own cannot be embedded: "memory:" is for url alone, and for all services';
  }
  if (/^(redis|valkey)s?(:\/(?!\/)|\/\/|:[a-z]|:[\d.]+:)/i.test(text)) return '; with "://" behind the scheme';
  if (/^(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?(\/\d*)?$/i.test(text)) return '; put "redis://" before the host';
  if (/^(redis\+)?(unix|redis-socket)(s?):/i.test(text) || text.startsWith("/")) {
    return "; for a socket, say unix: and its path";
  }
  if (/^https?:\/\/[^/]*\.upstash\.io/i.test(text)) {
    return "; that is the address for HTTP: the console of Upstash shows one that begins with rediss://, too";
  }
  if (/^https?:\/\//i.test(text)) return "; Redis does not speak HTTP";
  return "";
}

/** Reads `unix:/path`, with the database as `?db=`. The login comes from elsewhere. */
function parseSocket(text: string, setting: string): RedisUrl | undefined {
  const [, path, number] = /^unix:(?:\/\/)?(\/[^?#\0]+)(?:\?db=(\d+))?$/i.exec(text) ?? [];
  const db = number === undefined ? undefined : parseWhole(number, 0, MAX_DB);
  if (path === undefined || (number !== undefined && db === undefined)) return undefined;
  return { setting, tls: false, hostname: "localhost", path, ...(db !== undefined && { db }) };
}

/**
 * Reads `redis://user:password@host:port/db`, `rediss://…` for TLS, and `valkey://`, `valkeys://` as the same, and
 * `unix:/path` for a socket. The user name and the password may be percent-encoded, the database may be given as `?db=`
 * too.
 *
 * @param text The URL.
 * @param setting The option or variable it comes from.
 * @throws {ConfigError} If it is no such URL. Nothing of the URL is in the error.
 */
export function parseRedisUrl(text: string, setting: string): RedisUrl {
  const refuse = (wanted: string): never => {
    throw new ConfigError(setting, wanted, NOT_SHOWN);
  };
  if (/^unix:/i.test(text)) return parseSocket(text, setting) ?? refuse("unix:/path/of/the/socket, with ?db= at most");
  const scheme = /^(redis|valkey)(s?):\/\//i.exec(text);
  if (scheme === null) {
    return refuse(`redis://[user:password@]host[:port][/db], rediss:// for TLS${hintFor(text, setting)}`);
  }

  const rest = text.slice(scheme[0].length);
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const tail = end < 0 ? "" : rest.slice(end);
  // A slash in a password would make the URL end early: better no connection than one to a wrong host.
  if (/[@#]/.test(tail)) return refuse('a URL whose user name and password have "/", "?", "#" and "@" percent-encoded');

  const at = authority.lastIndexOf("@");
  const place = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority.slice(at + 1));
  const hostname = place === null ? undefined : parseHostname(place[1]!);
  if (place === null || hostname === undefined) {
    const wanted = '"host" or "host:port" after the scheme and the login, with an IPv6 address in brackets';
    return refuse(WRAPPED.test(text) ? `${wanted}${BARE}` : UNFILLED.test(rest) ? `${wanted}${FILLED}` : wanted);
  }
  if (UNFILLED.test(hostname)) return refuse(`"host" or "host:port" after the scheme and the login${FILLED}`);

  const url: RedisUrl = { setting, tls: scheme[2] !== "", hostname };
  if (place[2]) url.port = parseWhole(place[2], 1, 65_535) ?? refuse("a port from 1 to 65535 in the URL");

  if (at >= 0) {
    const [, username, password] = /^([^:]*):?(.*)$/s.exec(authority.slice(0, at))!;
    try {
      if (username) url.username = decodeURIComponent(username);
      if (password) url.password = new Secret(decodeURIComponent(password));
    } catch {
      return refuse('a URL whose user name and password are percent-encoded, "%" as "%25"');
    }
  }

  const [, path, query] = /^(?:\/([^?]*))?(?:\?(.*))?$/s.exec(tail)!;
  for (const number of [path, query?.startsWith("db=") ? query.slice(3) : query && "?"]) {
    if (!number) continue;
    const db = parseWhole(number, 0, MAX_DB);
    if (db === undefined || (url.db !== undefined && url.db !== db)) {
      return refuse('a database number as the path of the URL or as "?db=", and nothing else after the host');
    }
    url.db = db;
  }
  return url;
}
