import { MemoryStore } from "../cache/memory_store.ts";
import { RedisStore } from "../cache/redis/store.ts";
import { type ConnectOptions, resolveConfig } from "./config.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { type CheckedServer, checkHealth, type Health } from "./health.ts";
import { ONE_BUCKET, tell, warn } from "./hints.ts";
import { ImageCache } from "../images/image_cache.ts";
import type { RedisMetrics } from "../observe/redis_meter.ts";
import type { Locks } from "../locks/locks.ts";
import { countOpen } from "./many_open.ts";
import type { LarderTypes, LimitNamesOf, SessionDataOf, TypesWith } from "./larder_types.ts";
import { openLocks } from "./open_locks.ts";
import { openPubSub } from "./open_pubsub.ts";
import { openStreams } from "./open_streams.ts";
import { openRedis } from "./open_redis.ts";
import { missingRoot } from "./images_root.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { openRateLimiter } from "./open_rate_limiter.ts";
import type { PresetName } from "../rate_limit/presets.ts";
import type { RateLimiter } from "../rate_limit/rate_limiter.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Streams } from "../streams/streams.ts";
import { limitTimeout } from "../rate_limit/settings.ts";
import { Probes } from "./probes.ts";
import { tooFar, waitUntilReady } from "./ready.ts";
import { type RawCommands, rawCommands } from "../redis/raw_commands.ts";
import { rememberServer } from "./server_of.ts";
import { openSessions } from "./open_sessions.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { unreadSettings } from "./unread_settings.ts";
import { loadUrlPattern } from "../util/url_pattern.ts";

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
  /** Locks between processes. */
  readonly locks: Locks;
  /** Channels between processes. */
  readonly pubsub: PubSub;
  /** Streams: messages that are kept until they are handled. */
  readonly streams: Streams;
  /** Raw commands on the connection of Larder. Without a Redis they reject. */
  readonly client: RawCommands;
  /** Where data live: `redis`, or `memory` for the embedded store. */
  readonly store: "redis" | "memory";
  /**
   * Waits until Redis does what the services need: until it answers, and takes reads, writes and scripts.
   *
   * @param options How long at most (default: for ever), a signal.
   * @throws {UnavailableError} If it does not in time, or refuses what only somebody can mend, such as a right that is
   * missing. Its `cause` is what the connection or the server said last.
   */
  ready(options?: { timeout?: Duration; signal?: AbortSignal }): Promise<void>;
  /**
   * Asks how things stand: the servers, memory, and whether the services can do what they have to, by doing it. Never
   * rejects because Redis is away or refuses something; that is `degraded`.
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
 * What `sessions.schema` and `rateLimit.presets` say is known to the types. Who states the types instead states all of
 * them, as in `connect<{ session: { theme?: string }; limit: "UPLOAD" }>()`.
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
  await loadUrlPattern();
  const on = safeListener(config.on);
  const { server } = config;
  if (server.kind === "memory" && server.implicit) warn(on, unreadSettings(options as unknown as ConnectOptions));
  const missing = config.images?.root === undefined ? undefined : await missingRoot(config.images.root);
  if (missing !== undefined) tell(on, missing);
  const main = server.kind === "memory"
    ? undefined
    : await openRedis(server, config.cacheServer ? "state" : "all", config, on);
  let cacheBatch = main;
  try {
    if (config.cacheServer) cacheBatch = await openRedis(config.cacheServer, "cache", config, on);
  } catch (error) {
    await main?.close();
    throw error;
  }
  const store = cacheBatch
    ? new RedisStore(cacheBatch, {
      namespace: config.namespace,
      buckets: config.buckets,
      maxBytes: config.cache.maxBytes,
      on,
    })
    : new MemoryStore(config.cache.memory);
  const sessions = openSessions<SessionDataOf<TypesWith<Types, Data>>>(main, config, on);
  const rateLimit = openRateLimiter<Limits>(main, config, on);
  const locks = openLocks(main, config, on);
  const pubsub = openPubSub(main, config, on);
  const streams = openStreams(main, config, on);
  for (const batch of new Set([main, cacheBatch])) {
    if (batch?.client.cluster && config.buckets === 1) tell(on, ONE_BUCKET);
    if (batch?.client.advice !== undefined) tell(on, batch.client.advice);
  }
  const cache = new ImageCache(store, config.cache, config.images, on);
  const servers = [...new Set([main, cacheBatch])].filter((batch) => batch !== undefined).map(
    (batch): CheckedServer => {
      const isCache = batch === cacheBatch;
      const role = isCache && batch === main ? "all" : isCache ? "cache" : "state";
      const { namespace, buckets } = config;
      const probes = new Probes(batch, {
        namespace,
        buckets,
        limitTimeout: limitTimeout(config.rateLimit),
        cached: isCache,
        cache: () => isCache && store instanceof RedisStore && isUsed(cache) ? store : undefined,
        state: batch === main,
        warn: (message) => tell(on, message),
      });
      probes.start();
      return { role, batch, probes };
    },
  );
  const services = { cache, sessions, rateLimit, locks, pubsub, streams };
  // With a client of the caller's there are no connections that would be too many.
  const own = main && server.kind === "redis" ? countOpen(main.client.address ?? "its address", on) : undefined;
  return rememberServer(new Services<TypesWith<Types, Data>, Limits>(services, servers, on, own), server);
}

const READY = optionNames<{ timeout?: Duration; signal?: AbortSignal }>({ timeout: true, signal: true });
const HEALTH = optionNames<{ signal?: AbortSignal }>({ signal: true });

class Services<Types extends LarderTypes, Limits extends string> implements Larder<Types, Limits> {
  readonly cache: ImageCache;
  readonly sessions: Sessions<SessionDataOf<Types>>;
  readonly rateLimit: RateLimiter<PresetName | Limits>;
  readonly locks: Locks;
  readonly pubsub: PubSub;
  readonly streams: Streams;
  readonly client: RawCommands;
  readonly store: "redis" | "memory";
  readonly #servers: readonly CheckedServer[];
  readonly #on: EventListener | undefined;
  readonly #ended: (() => void) | undefined;
  #closedBy: ClosedBy | undefined;

  constructor(
    services: Pick<Larder<Types, Limits>, "cache" | "sessions" | "rateLimit" | "locks" | "pubsub" | "streams">,
    servers: readonly CheckedServer[],
    on: EventListener | undefined,
    ended: (() => void) | undefined,
  ) {
    const { cache, sessions, rateLimit, locks, pubsub, streams } = services;
    [this.cache, this.sessions, this.rateLimit] = [cache, sessions, rateLimit];
    [this.locks, this.pubsub, this.streams] = [locks, pubsub, streams];
    [this.#servers, this.#on, this.#ended] = [servers, on, ended];
    const main = servers.find(({ role }) => role !== "cache")?.batch;
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
    if (this.#closedBy) throw new UnavailableError("get ready", "closed", { closedBy: this.#closedBy });
    await waitUntilReady(this.#servers, milliseconds, signal);
    for (const warning of new Set(this.#servers.flatMap((server) => tooFar(server) ?? []))) tell(this.#on, warning);
  }

  async health(options: { signal?: AbortSignal } = {}): Promise<Health> {
    assertOptions(options, HEALTH, "tell the health");
    const report = await checkHealth(
      this.#servers,
      {
        cache: this.cache.stats(),
        sessions: this.sessions.stats(),
        rateLimit: this.rateLimit.stats(),
        locks: this.locks.stats(),
        pubsub: this.pubsub.stats(),
        streams: this.streams.stats(),
      },
      this.#closedBy !== undefined,
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
    if (this.#closedBy === undefined) this.#ended?.();
    this.#closedBy ??= by;
    // What is held is given up while that can still be said.
    await this.locks[Symbol.asyncDispose](by);
    await this.pubsub[Symbol.asyncDispose](by);
    await this.streams[Symbol.asyncDispose](by);
    // Limits fail what waits before the connection is closed.
    for (const { batch } of this.#servers) batch.diagnosis.closedBy ??= by;
    await this.cache[Symbol.asyncDispose](by);
    await this.sessions[Symbol.asyncDispose](by);
    await this.rateLimit[Symbol.asyncDispose](by);
    await Promise.all(this.#servers.map(async ({ batch, probes }) => {
      await probes.stop();
      await batch.close(by);
    }));
  }
}

function isUsed(cache: ImageCache): boolean {
  const { hits, stale, misses } = cache.stats();
  return hits + stale + misses > 0;
}
