import type { CacheOptions } from "../cache/options.ts";
import type { ConnectOptions } from "./options.ts";
import { checkOptions, COMMAND_TIMEOUT } from "./schema.ts";
import { describeSetting } from "../util/describe.ts";
import { describeDuration, toMilliseconds } from "../util/duration.ts";
import { type Environment, readBoolean, readEnvironment, readSetting } from "./environment.ts";
import { ConfigError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import type { ImageOptions } from "../images/options.ts";
import { isNamespace, NAMESPACE_WANTED } from "../util/keys.ts";
import type { PubSubOptions } from "../pubsub/options.ts";
import type { StreamsOptions } from "../streams/options.ts";
import type { RateLimitOptions } from "../rate_limit/options.ts";
import { type RedisServerConfig, resolveServers, type ServerConfig } from "./servers.ts";
import type { SessionsOptions } from "../sessions/options.ts";

export type { ConnectOptions, TlsOptions } from "./options.ts";

/** Everything that `connect()` needs to know, checked and complete. */
export interface Config {
  /** Where the data live. */
  readonly server: ServerConfig;
  /** Where the cache lives, when that is elsewhere. */
  readonly cacheServer?: RedisServerConfig;
  /** The first part of all keys. */
  readonly namespace: string;
  /** The number of hash slots used. */
  readonly buckets: number;
  /** The deadline of a command in milliseconds. */
  readonly commandTimeoutMs: number;
  /** The longest that connecting may take, in milliseconds, if that was said. */
  readonly connectTimeoutMs?: number;
  /** How often an idle connection is asked, in milliseconds, if that was said. */
  readonly heartbeatMs?: number;
  /** From when on an answer is slow, in milliseconds, if that was said. */
  readonly slowerThanMs?: number;
  /** The options of the cache, with `ttl` and `enabled` from the environment if need be. */
  readonly cache: CacheOptions;
  /** The options of sessions. */
  readonly sessions: SessionsOptions;
  /** The options of images, if there are any. */
  readonly images?: ImageOptions;
  /** The options of rate limits. */
  readonly rateLimit: RateLimitOptions;
  /** The options of channels. */
  readonly pubsub: PubSubOptions;
  readonly streams: StreamsOptions;
  /** The listener for events. */
  readonly on: EventListener | undefined;
}

/**
 * Puts options, environment and defaults together. Nothing but the environment and a password file is looked at.
 *
 * @param options The options.
 * @param env The environment; by default the process's, as far as it may be read without asking.
 * @throws {ConfigError} If an option or a variable that is needed has a value that cannot be used.
 */
export function resolveConfig(options: ConnectOptions = {}, env: Environment = readEnvironment): Config {
  const given = checkOptions(options);
  return {
    ...resolveServers(given, env),
    namespace: given.namespace ?? namespaceFrom(env) ?? "larder",
    buckets: given.buckets ?? 1,
    commandTimeoutMs: toMilliseconds(given.commandTimeout ?? "500ms", "commandTimeout", COMMAND_TIMEOUT),
    ...timings(given),
    cache: withSwitch(withTtl(given.cache ?? {}, env), env),
    sessions: given.sessions ?? {},
    ...(given.images && { images: given.images }),
    rateLimit: given.rateLimit ?? {},
    pubsub: given.pubsub ?? {},
    streams: given.streams ?? {},
    on: given.on,
  };
}

/** What was said about the connection, in milliseconds. */
function timings(given: ConnectOptions): Pick<Config, "connectTimeoutMs" | "heartbeatMs" | "slowerThanMs"> {
  const names = ["connectTimeout", "heartbeat", "slowerThan"] as const;
  return Object.fromEntries(
    names.filter((name) => given[name] !== undefined)
      .map((name) => [`${name}Ms`, toMilliseconds(given[name], name, COMMAND_TIMEOUT)]),
  );
}

function namespaceFrom(env: Environment): string | undefined {
  const namespace = readSetting(env, "REDIS_NAMESPACE");
  if (namespace === undefined || isNamespace(namespace)) return namespace;
  throw new ConfigError("REDIS_NAMESPACE", NAMESPACE_WANTED, describeSetting(namespace));
}

function withSwitch(cache: CacheOptions, env: Environment): CacheOptions {
  const enabled = cache.enabled ?? readBoolean(env, "REDIS_CACHE", "on or off");
  return enabled === undefined ? cache : { ...cache, enabled };
}

function withTtl(cache: CacheOptions, env: Environment): CacheOptions {
  const text = cache.ttl === undefined ? readSetting(env, "REDIS_TTL") : undefined;
  if (text === undefined) return cache;
  const ttl = /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  try {
    toMilliseconds(ttl, "REDIS_TTL");
  } catch {
    throw new ConfigError("REDIS_TTL", describeDuration(), describeSetting(text));
  }
  return { ...cache, ttl };
}
