import { delay } from "./abort.ts";
import { MemoryStore } from "./cache/memory_store.ts";
import { RedisStore } from "./cache/redis_store.ts";
import { type Config, type ConnectOptions, resolveConfig } from "./config.ts";
import { type Duration, toMilliseconds } from "./duration.ts";
import { type ClosedBy, UnavailableError } from "./errors.ts";
import { type EventListener, safeListener } from "./events.ts";
import { type CheckedServer, checkHealth, type Health } from "./health.ts";
import { ImageCache } from "./images/image_cache.ts";
import { DbRedisClient } from "./redis/adapters/db_redis.ts";
import { RedisMeter, type RedisMetrics } from "./metrics.ts";
import { assertOptions, optionNames } from "./option_names.ts";
import { openRateLimiter } from "./rate_limit/open.ts";
import type { PresetName } from "./rate_limit/presets.ts";
import type { RateLimiter } from "./rate_limit/rate_limiter.ts";
import { Batch } from "./redis/batch.ts";
import { type RawCommands, rawCommands } from "./redis/raw_commands.ts";
import type { RedisServerConfig } from "./server_config.ts";
import { openSessions } from "./sessions/open.ts";
import type { SessionData } from "./sessions/session.ts";
import type { Sessions } from "./sessions/sessions.ts";
import { findTelemetry } from "./telemetry.ts";

/** What a service says of the types of its data, once, in `connect<…>()`. */
export interface LarderTypes {
  /** The fields of the data of sessions. */
  session?: object;
  /** The names of rate limits that are defined later. Those in the options are found by themselves. */
  limit?: string;
}

/** The names of rate limits that are defined later. */
export type LimitNamesOf<Types extends LarderTypes> = Types extends { limit: infer Names extends string } ? Names
  : never;

/** The fields of the data of sessions. */
export type SessionDataOf<Types extends LarderTypes> = Types extends { session: infer Data extends object } ? Data
  : SessionData;

/**
 * Types of the data in which those of sessions are what their schema says.
 *
 * @typeParam Types The types as they were stated.
 * @typeParam Data The fields of the data of sessions.
 */
export type TypesWith<Types extends LarderTypes, Data extends object> = [Data, SessionDataOf<Types>] extends
  [SessionDataOf<Types>, Data] ? Types : { session: Data };

/**
 * All services over one Redis, or over the embedded store. Made by {@linkcode connect}; dispose of it when done.
 *
 * @typeParam Types The types of the data.
 * @typeParam Limits The names of rate limits beside those that are always there.
 */
export interface Larder<Types extends LarderTypes = LarderTypes, Limits extends string = LimitNamesOf<Types>>
  extends AsyncDisposable {
  /** The cache, and metadata of images where the options say where those are. */
  readonly cache: ImageCache;
  /** Sessions. */
  readonly sessions: Sessions<SessionDataOf<Types>>;
  /** Rate limits. */
  readonly rateLimit: RateLimiter<PresetName | Limits>;
  /** Raw commands on the connection of Larder. Without a Redis they reject. */
  readonly client: RawCommands;
  /** Where data live: `redis`, or `memory` for the embedded store. */
  readonly store: "redis" | "memory";
  /**
   * Waits until Redis answers.
   *
   * @param options How long at most (default: for ever), a signal.
   * @throws {UnavailableError} If it does not answer in time.
   */
  ready(options?: { timeout?: Duration; signal?: AbortSignal }): Promise<void>;
  /**
   * Asks how things stand: the servers, memory, the services. Never rejects because Redis is away; that is `degraded`.
   *
   * @param options A signal.
   * @returns The report: plain data, without secrets.
   */
  health(options?: { signal?: AbortSignal }): Promise<Health>;
  /** What was measured on the way to each server since the start; none with the embedded store. */
  metrics(): RedisMetrics[];
  /** Closes what `connect()` opened, and only that. The same as disposing of it. */
  close(): Promise<void>;
}

/**
 * Connects to Redis, or opens the embedded store when nothing names one.
 *
 * A Redis that is down is no reason to fail: the services degrade as documented, and reconnect for ever.
 *
 * What `sessions.schema` and `rateLimit.presets` say is known to the types. Who states the types instead states all of them, as in
 * `connect<{ session: { theme?: string }; limit: "UPLOAD" }>()`.
 *
 * @typeParam Types The types of the data, where the options do not say them.
 * @typeParam Limits The names of the rate limits in the options, which are found by themselves.
 * @typeParam Data The fields of the data of sessions, which are found by their schema.
 * @param options Where and how; what is not given comes from the environment.
 * @returns All services.
 * @throws {ConfigError} If an option or a variable cannot be used, or the server refuses the credentials.
 *
 * @example The embedded store
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * await redis.cache.set("greeting", "hello", { ttl: "1m" });
 * assert.equal(await redis.cache.get("greeting"), "hello");
 * ```
 *
 * @example Redis
 * ```ts ignore
 * import { connect } from "@larder/larder";
 *
 * await using redis = await connect({ url: "redis://app:secret@redis:6379/0", namespace: "shop" });
 * await redis.ready({ timeout: "5s" });
 * ```
 */
export async function connect<
  Types extends LarderTypes = LarderTypes,
  Limits extends string = LimitNamesOf<Types>,
  Data extends object = SessionDataOf<Types>,
>(
  options: ConnectOptions<Limits, Data> = {},
): Promise<Larder<TypesWith<Types, Data>, Limits>> {
  const config = resolveConfig(options as unknown as ConnectOptions);
  const on = safeListener(config.on);
  const { server } = config;
  if (server.kind === "memory" && server.implicit) warn(on);
  const main = server.kind === "memory" ? undefined : await open(server, config, on);
  let cacheBatch = main;
  try {
    if (config.cacheServer) cacheBatch = await open(config.cacheServer, config, on);
  } catch (error) {
    await main?.close();
    throw error;
  }
  const store = cacheBatch
    ? new RedisStore(cacheBatch, { namespace: config.namespace, buckets: config.buckets, on })
    : new MemoryStore(config.cache.memory);
  const sessions = openSessions<SessionDataOf<TypesWith<Types, Data>>>(main, config, on);
  const rateLimit = openRateLimiter<Limits>(main, config, on);
  const cache = new ImageCache(store, config.cache, config.images, on);
  return new Services<TypesWith<Types, Data>, Limits>({ cache, sessions, rateLimit }, main, cacheBatch);
}

const READY = optionNames<{ timeout?: Duration; signal?: AbortSignal }>({ timeout: true, signal: true });
const HEALTH = optionNames<{ signal?: AbortSignal }>({ signal: true });

class Services<Types extends LarderTypes, Limits extends string> implements Larder<Types, Limits> {
  readonly cache: ImageCache;
  readonly sessions: Sessions<SessionDataOf<Types>>;
  readonly rateLimit: RateLimiter<PresetName | Limits>;
  readonly client: RawCommands;
  readonly store: "redis" | "memory";
  readonly #servers: readonly CheckedServer[];
  #closed = false;

  constructor(
    { cache, sessions, rateLimit }: Pick<Larder<Types, Limits>, "cache" | "sessions" | "rateLimit">,
    main: Batch | undefined,
    cacheBatch: Batch | undefined,
  ) {
    this.cache = cache;
    this.sessions = sessions;
    this.rateLimit = rateLimit;
    this.#servers = serversOf(main, cacheBatch);
    this.store = main ? "redis" : "memory";
    this.client = main ? rawCommands(main) : {
      sendCommand: (name) =>
        Promise.reject(new TypeError(`Cannot send command "${name}": wanted a Redis, got the embedded store`)),
    };
  }

  async ready(options: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<void> {
    assertOptions(options, READY, "wait for Redis");
    const { timeout, signal } = options;
    const milliseconds = timeout === undefined ? 0 : toMilliseconds(timeout, "timeout");
    const late = new AbortController();
    let cause: unknown;
    const giveUp = () => late.abort(new UnavailableError("wait for Redis", "timeout", { cause }));
    const timer = milliseconds > 0 ? setTimeout(giveUp, milliseconds) : undefined;
    try {
      const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
      await Promise.all(this.#servers.map(({ batch }) => answers(batch, either, (error) => cause = error)));
    } finally {
      clearTimeout(timer);
    }
  }

  async health(options: { signal?: AbortSignal } = {}): Promise<Health> {
    assertOptions(options, HEALTH, "tell the health");
    const report = await checkHealth(
      this.#servers,
      { cache: this.cache.stats(), sessions: this.sessions.stats(), rateLimit: this.rateLimit.stats() },
      this.#closed,
      options.signal,
    );
    const [main] = this.#servers;
    const { timeout } = this.rateLimit;
    if (!main || timeout === undefined) return report;
    return { ...report, deadlines: { commands: main.batch.commandTimeout, limits: Math.round(timeout * 1000) } };
  }

  metrics(): RedisMetrics[] {
    return this.#servers.flatMap(({ role, batch }) => batch.meter?.snapshot(role) ?? []);
  }

  close(): Promise<void> {
    return this.#close("close()");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close("await using");
  }

  async #close(by: ClosedBy): Promise<void> {
    this.#closed = true;
    // Limits fail what waits before the connection is closed.
    for (const { batch } of this.#servers) batch.diagnosis.closedBy ??= by;
    await this.cache[Symbol.asyncDispose](by);
    await this.sessions[Symbol.asyncDispose](by);
    await this.rateLimit[Symbol.asyncDispose](by);
    await Promise.all(this.#servers.map(({ batch }) => batch.close(by)));
  }
}

/** What each server is used for. */
function serversOf(main: Batch | undefined, cache: Batch | undefined): CheckedServer[] {
  if (main === cache) return main ? [{ role: "all", batch: main }] : [];
  const servers: CheckedServer[] = [];
  if (main) servers.push({ role: "state", batch: main });
  if (cache) servers.push({ role: "cache", batch: cache });
  return servers;
}

async function open(
  server: RedisServerConfig | Extract<Config["server"], { kind: "client" }>,
  config: Config,
  on: EventListener | undefined,
): Promise<Batch> {
  const telemetry = findTelemetry();
  const traced = telemetry?.server(server.kind === "client" ? undefined : server);
  const options = { commandTimeout: config.commandTimeoutMs, on, meter: new RedisMeter(), ...traced };
  if (server.kind === "client") return new Batch(server.client, options);
  const { hostname, port, username, password, db, tls } = server;
  const client = new DbRedisClient({
    hostname,
    port,
    username,
    password: password?.reveal(),
    db,
    tls: tls && { caCerts: [...tls.caCerts] },
  });
  const batch = new Batch(client, options);
  try {
    await client.start();
  } catch (error) {
    await batch.close();
    throw error;
  }
  return batch;
}

async function answers(batch: Batch, signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
  while (true) {
    signal.throwIfAborted();
    try {
      await batch.send("PING", [], { operation: "wait for Redis", signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UnavailableError) || error.reason === "closed") throw error;
      failed(error.cause ?? error);
      await delay(50, signal);
    }
  }
}

let warned = false;

function warn(on: EventListener | undefined): void {
  if (warned) return;
  warned = true;
  const message = "Nothing names a Redis (url, client, or REDIS_URL or REDIS_HOST, which need --allow-env): " +
    "the cache lives in this process only";
  on?.({ type: "warning", message });
  // deno-lint-ignore no-console -- said once, and only to those who did not choose it
  if (!on) console.warn(`Larder: ${message}. Say url: "memory:" to choose that.`);
}
