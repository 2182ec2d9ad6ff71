import type { CacheOptions } from "../cache/options.ts";
import type { Duration } from "../util/duration.ts";
import type { EventListener } from "../observe/events.ts";
import type { ImageOptions } from "../images/options.ts";
import type { PubSubOptions } from "../pubsub/options.ts";
import type { StreamsOptions } from "../streams/options.ts";
import type { RateLimitOptions } from "../rate_limit/options.ts";
import type { RedisClient } from "../redis/client.ts";
import type { SessionsOptions } from "../sessions/options.ts";
import type { SessionData } from "../sessions/session.ts";

/** How to check the server's certificate, and what to show to it. */
export interface TlsOptions {
  /**
   * Certificates of authorities to trust beside those of the system, as PEM texts.
   *
   * @default {[]}
   */
  caCerts?: string[] | undefined;
  /** The certificate to show to a server that wants one, and those behind it, as one PEM text. With `key`. */
  cert?: string | undefined;
  /** The private key of `cert`, as a PEM text. */
  key?: string | undefined;
}

/**
 * Options of `connect()`. What is not given comes from the environment, then from the default.
 *
 * `url`, `client`, `REDIS_URL` or `REDIS_HOST` name the Redis server, in this order; without any of them everything
 * lives in this process.
 *
 * @typeParam Limits The names of the rate limits that are defined, which are found by themselves.
 * @typeParam Data The fields of the data of sessions, which are found by their schema.
 *
 * @example Say where and for how long
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:", namespace: "shop", cache: { ttl: "5m" } });
 * await redis.cache.set("answer", 42);
 * assert.equal(await redis.cache.get("answer"), 42);
 * ```
 */
export interface ConnectOptions<Limits extends string = string, Data extends object = SessionData> {
  /**
   * The server: `redis://user:password@host:port/db`, `rediss://…` for TLS, or `"memory:"` for the embedded store. User
   * name and password are percent-encoded, and all but the host may be left out.
   *
   * @default {REDIS_URL, or REDIS_HOST and REDIS_PORT, or "memory:" with a warning}
   */
  url?: string | undefined;
  /**
   * Another server for the cache alone, in the same form, so that it may evict what the first must keep. Without a
   * login of its own it gets that of the first. What other options say about TLS holds for it too; its database is in
   * its URL.
   *
   * @default {REDIS_CACHE_URL, or the same server}
   */
  cacheUrl?: string | undefined;
  /**
   * A client that is connected already, as made by `fromDbRedis()` and its like, instead of `url`. It is not closed.
   */
  client?: RedisClient | undefined;
  /**
   * The ACL user. It wins over one in the URL.
   *
   * @default {REDIS_USERNAME}
   */
  username?: string | undefined;
  /**
   * The password. It wins over one in the URL; an empty string is none.
   *
   * @default {REDIS_PASSWORD}
   */
  password?: string | undefined;
  /**
   * A file with the password, instead of `password`. One newline at its end is left out. Needs `--allow-read` for it.
   *
   * @default {REDIS_PASSWORD_FILE}
   */
  passwordFile?: string | undefined;
  /**
   * The number of the database. It wins over one in the URL.
   *
   * @default {REDIS_DB, or 0}
   */
  db?: number | undefined;
  /**
   * Whether to use TLS, or how. A `rediss://` URL says yes by itself.
   *
   * @default {REDIS_TLS, or false}
   */
  tls?: boolean | TlsOptions | undefined;
  /**
   * The first part of all Redis keys, and the name of the connections in `CLIENT LIST`: 1 to 64 letters, digits, `.`,
   * `_` or `-`.
   *
   * @default {REDIS_NAMESPACE, or "larder"}
   */
  namespace?: string | undefined;
  /**
   * Over how many hash slots of a Redis Cluster the keys are spread, 1 to 1024. All processes must agree on it.
   *
   * @default {1}
   */
  buckets?: number | undefined;
  /**
   * How long a command may take: seconds, or a string such as `"500ms"`, up to one hour.
   *
   * @default {"500ms"}
   */
  commandTimeout?: Duration | undefined;
  /**
   * How long connecting and logging in may take, up to one hour; then the next attempt follows. A `client` has a
   * setting of its own.
   *
   * @default {"2s"}
   */
  connectTimeout?: Duration | undefined;
  /**
   * How often an idle connection is asked whether it is still there, up to one hour. A `client` has a setting of its
   * own.
   *
   * @default {"30s", and "1s" for the server of a cache with copies in this process}
   */
  heartbeat?: Duration | undefined;
  /**
   * From when on an answer of Redis is told as slow, by the event `redis.slow`, up to one hour.
   *
   * @default {"100ms"}
   */
  slowerThan?: Duration | undefined;
  /**
   * Defaults of the cache. `REDIS_TTL` stands in for `ttl`, in seconds or as a string such as `15m`, and `REDIS_CACHE`
   * (`on` or `off`) for `enabled`.
   */
  cache?: CacheOptions | undefined;
  /** How sessions work. */
  sessions?: SessionsOptions<Data> | undefined;
  /** Where images are, and how metadata of them are kept. */
  images?: ImageOptions | undefined;
  /** Named rate limits, and how they work. */
  rateLimit?: RateLimitOptions<Limits> | undefined;
  /** How channels work: how long messages may be, and how many wait. */
  pubsub?: PubSubOptions | undefined;
  /** How streams work: how long messages may be. */
  streams?: StreamsOptions | undefined;
  /**
   * Told everything that happens; see `logEvents()`.
   *
   * @default {one line on the console when a server cannot be reached, is lost, is back, or refuses what is needed, and
   * when a loader's value cannot be kept}
   */
  on?: EventListener | undefined;
}
