import type { ConnectOptions } from "./options.ts";
import { describeSetting } from "../util/describe.ts";
import { type Environment, readBoolean, readSetting } from "./environment.ts";
import { ConfigError } from "../errors.ts";
import { readPasswordFile } from "./password_file.ts";
import type { RedisClient } from "../redis/client.ts";
import { MAX_DB, parseHostname, parseRedisUrl, parseWhole, type RedisUrl } from "./redis_url.ts";
import { Secret } from "./secret.ts";

/** A Redis server and how to log in. */
export interface RedisServerConfig {
  /** Tells the kinds of servers apart. */
  readonly kind: "redis";
  /** The host name or the IP address, without brackets. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** The socket of a server on the same machine, instead of host and port. */
  readonly path?: string;
  /** The ACL user; never without a password. */
  readonly username?: string;
  /** The password. */
  readonly password?: Secret;
  /** The database. */
  readonly db: number;
  /** Whether to use TLS, the authorities to trust beside those of the system, and the certificate to show. */
  readonly tls: false | { readonly caCerts: readonly string[]; readonly cert?: string; readonly key?: string };
}

/** Where data live. */
export type ServerConfig =
  /** In this process; `implicit` when nobody said so. */
  | { readonly kind: "memory"; readonly implicit: boolean }
  /** Behind a client that the user made. */
  | { readonly kind: "client"; readonly client: RedisClient }
  | RedisServerConfig;

/** Who logs in; a user never without a password. */
interface Login {
  readonly username?: string;
  readonly password?: Secret;
}

/** A value and the option or variable that it comes from. */
interface Setting {
  readonly name: string;
  readonly value: string;
}

const DEFAULT_PORT = 6379;

/**
 * Finds out which servers are meant. A variable that makes no difference is not looked at, so it cannot be wrong.
 *
 * @param given The options, checked.
 * @param env The environment.
 * @throws {ConfigError} If an option or a variable has a value that cannot be used, or two options contradict each
 * other.
 */
export function resolveServers(
  given: ConnectOptions,
  env: Environment,
): { server: ServerConfig; cacheServer?: RedisServerConfig } {
  // An option that says "in this process" is meant for all: no variable may send the cache elsewhere.
  const embedded = given.url !== undefined && isMemory(given.url);
  const cacheUrl = settingOf("cacheUrl", given.cacheUrl, "REDIS_CACHE_URL", embedded ? () => undefined : env);
  refuseContradictions(given, cacheUrl !== undefined);

  const main = given.client === undefined ? mainUrl(given, env) : undefined;
  const url = main === undefined || main === "memory" ? undefined : main;
  let server: ServerConfig;
  if (given.client !== undefined) {
    server = { kind: "client", client: given.client };
  } else if (url === undefined) {
    server = { kind: "memory", implicit: main === undefined };
  } else {
    const db = given.db ?? url.db ?? numberFrom(env, "REDIS_DB", 0, MAX_DB, "a database number such as 0") ?? 0;
    server = toServer(url, mainLogin(given, url, env), db, given, env);
  }
  if (cacheUrl === undefined) return { server };

  const cache = parseRedisUrl(cacheUrl.value, cacheUrl.name);
  const login = cacheLogin(cache, () => mainLogin(given, url, env));
  return { server, cacheServer: toServer(cache, login, cache.db ?? 0, given, env) };
}

function refuseContradictions(given: ConnectOptions, separateCache: boolean): void {
  if (given.password && given.passwordFile !== undefined) {
    throw new ConfigError("passwordFile", 'either "password" or "passwordFile"', "both");
  }
  if (given.client === undefined) return;
  if (given.url !== undefined) throw new ConfigError("client", 'either "client" or "url"', "both");
  // A client is connected already. What says how to connect can only be about the server of the cache.
  const idle = separateCache ? ["db"] as const : ["db", "username", "password", "passwordFile", "tls"] as const;
  for (const name of idle) {
    if (given[name] !== undefined) {
      throw new ConfigError(name, 'it to be left out beside "client", which is connected already', "both");
    }
  }
}

/** The option, else the variable. */
function settingOf(option: string, given: string | undefined, name: string, env: Environment): Setting | undefined {
  if (given !== undefined) return { name: option, value: given };
  const value = readSetting(env, name);
  return value === undefined ? undefined : { name, value };
}

function isMemory(url: string): boolean {
  return /^memory:(\/\/)?$/i.test(url);
}

/** The server that is named; `undefined` when none is. */
function mainUrl(given: ConnectOptions, env: Environment): RedisUrl | "memory" | undefined {
  const url = settingOf("url", given.url, "REDIS_URL", env);
  if (url !== undefined) return isMemory(url.value) ? "memory" : parseRedisUrl(url.value, url.name);

  const host = readSetting(env, "REDIS_HOST");
  if (host === undefined) return undefined;
  const hostname = parseHostname(host);
  if (hostname === undefined) {
    throw new ConfigError("REDIS_HOST", "a host name or an IP address alone", describeSetting(host));
  }
  const port = portFrom(env);
  return { setting: "REDIS_HOST", tls: false, hostname, ...(port !== undefined && { port }) };
}

function portFrom(env: Environment): number | undefined {
  // Next to a service or container called "redis", Kubernetes and Docker set REDIS_PORT to "tcp://10.0.0.7:6379".
  const linked = /^tcp:\/\/[^/@]+:(\d+)$/.exec(env("REDIS_PORT") ?? "")?.[1];
  return numberFrom(linked === undefined ? env : () => linked, "REDIS_PORT", 1, 65_535, "a port from 1 to 65535");
}

function numberFrom(env: Environment, name: string, min: number, max: number, wanted: string): number | undefined {
  const text = readSetting(env, name);
  if (text === undefined) return undefined;
  const value = parseWhole(text, min, max);
  if (value === undefined) throw new ConfigError(name, wanted, describeSetting(text));
  return value;
}

/** The login of the first server: options, then what its URL says, then the environment, each part by itself. */
function mainLogin(given: ConnectOptions, url: RedisUrl | undefined, env: Environment): Login {
  const username = given.username
    ? { name: "username", value: given.username }
    : url?.username
    ? { name: url.setting, value: url.username }
    : settingOf("username", undefined, "REDIS_USERNAME", env);
  const password = given.password
    ? new Secret(given.password)
    : given.passwordFile !== undefined
    ? readPasswordFile(given.passwordFile, "passwordFile")
    : url?.password ?? passwordFrom(env);
  return toLogin(username, password);
}

function passwordFrom(env: Environment): Secret | undefined {
  const password = env("REDIS_PASSWORD"); // as it is: white space may belong to it
  const path = readSetting(env, "REDIS_PASSWORD_FILE");
  if (password && path !== undefined) {
    throw new ConfigError("REDIS_PASSWORD_FILE", "either REDIS_PASSWORD or REDIS_PASSWORD_FILE", "both");
  }
  if (password) return new Secret(password);
  return path === undefined ? undefined : readPasswordFile(path, "REDIS_PASSWORD_FILE");
}

/** The login of the cache's own server: what its URL says, completed by the login of the first server. */
function cacheLogin(url: RedisUrl, main: () => Login): Login {
  const own = url.username === undefined ? undefined : { name: url.setting, value: url.username };
  if (url.password !== undefined) return toLogin(own, url.password); // never one server's user with another's password
  const shared = main();
  return own === undefined ? shared : toLogin(own, shared.password);
}

function toLogin(username: Setting | undefined, password: Secret | undefined): Login {
  if (password !== undefined) return { ...(username && { username: username.value }), password };
  // The user "default" is who one is without a login.
  if (username === undefined || username.value === "default") return {};
  throw new ConfigError(username.name, "a password for the user name", "none");
}

function toServer(url: RedisUrl, login: Login, db: number, given: ConnectOptions, env: Environment): RedisServerConfig {
  return {
    kind: "redis",
    hostname: url.hostname,
    port: url.port ?? DEFAULT_PORT,
    ...(url.path !== undefined && { path: url.path }),
    ...login,
    db,
    tls: resolveTls(url, given.tls, env),
  };
}

/** TLS once asked for, by whomever, is not taken back by a setting of less weight. */
function resolveTls(url: RedisUrl, given: ConnectOptions["tls"], env: Environment): RedisServerConfig["tls"] {
  if (given === false) {
    if (!url.tls) return false;
    throw new ConfigError("tls", `true, or a redis:// URL as ${url.setting}`, "false and a rediss:// URL");
  }
  if (given === undefined && !url.tls && !readBoolean(env, "REDIS_TLS", "true or false")) return false;
  if (url.path !== undefined) {
    throw new ConfigError("tls", "it to be left out for a socket, which is on this machine", "both");
  }
  if (typeof given !== "object") return { caCerts: [] };
  const { caCerts = [], cert, key } = given;
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError("tls", 'both "cert" and "key", or neither', `"${cert === undefined ? "key" : "cert"}" alone`);
  }
  return { caCerts, ...(cert !== undefined && key !== undefined && { cert, key }) };
}
