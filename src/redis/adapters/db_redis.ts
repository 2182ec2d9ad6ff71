import { ConfigError, UnavailableError } from "../../errors.ts";
import { addressText } from "./address_text.ts";
import { reconnectDelay } from "../backoff.ts";
import { unref } from "../batch.ts";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "../../util/real_timers.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import {
  closeQuietly,
  openDbRedis,
  type OpenOptions,
  openSubscriber,
  type RedisAddress,
} from "./db_redis_connection.ts";
import type { DbRedisLike } from "./db_redis_like.ts";
import { pipelineOf } from "./db_redis_pipeline.ts";
import { Subscriptions } from "./subscriptions.ts";

export type { DbRedisLike, RedisAddress };

/** How a client keeps its connections. */
export interface DbRedisOptions {
  /** How often an idle connection is asked whether it is still there, in milliseconds. @default {30_000} */
  heartbeat?: number | undefined;
  /** The longest that connecting and logging in may take, in milliseconds. @default {2000} */
  connectTimeout?: number | undefined;
  /** What the server shows as the name of the connections, in `CLIENT LIST`. */
  clientName?: string | undefined;
}

const CONNECT_TIMEOUT = 2000;
const HEARTBEAT = 30_000;
/** How often a subscription proves that messages still arrive, at least, in milliseconds. */
const PROOF = 5000;
/** A client over `jsr:@db/redis` whose connection Larder opens, replaces and closes. */
export class DbRedisClient implements RedisClient {
  readonly name: string = "@db/redis";
  readonly #address: RedisAddress;
  readonly #heartbeatEvery: number;
  readonly #connectTimeout: number;
  readonly #clientName: string | undefined;
  readonly #subscriptions: Subscriptions;
  #redis: DbRedisLike | undefined;
  #generation = 0;
  #closed = false;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #lost: ((reason: unknown) => void) | undefined;
  #running: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #busy = 0;
  #lastUse = 0;

  constructor(address: RedisAddress, options: DbRedisOptions = {}) {
    this.#address = address;
    this.#heartbeatEvery = options.heartbeat ?? HEARTBEAT;
    this.#connectTimeout = options.connectTimeout ?? CONNECT_TIMEOUT;
    this.#clientName = options.clientName;
    this.#subscriptions = new Subscriptions({
      open: (channels, message, signal) => openSubscriber(address, this.#options(signal), channels, message),
      proofEvery: Math.min(5 * this.#heartbeatEvery, PROOF),
      announce: async (name, text) => void await this.pipeline([{ name: "PUBLISH", args: [name, text] }]),
    });
  }

  get address(): string {
    return addressText(this.#address);
  }

  get db(): number {
    return this.#address.db ?? 0;
  }

  get connected(): boolean {
    return this.#redis !== undefined;
  }

  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes the first attempt to connect and keeps trying afterwards, for ever.
   *
   * @throws {ConfigError} If the server refuses the credentials or the database, or the client cannot be loaded.
   */
  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve, reject);
    await promise;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    const redis = this.#redis;
    if (!redis) throw new UnavailableError("send commands", "connection");
    this.#busy++;
    try {
      return await pipelineOf(redis, commands);
    } catch (error) {
      if (this.#redis === redis) this.reset(error as Error);
      throw error;
    } finally {
      this.#busy--;
      this.#lastUse = performance.now();
    }
  }

  reset(reason: Error): void {
    const redis = this.#redis;
    if (!redis) return;
    this.#redis = undefined;
    closeQuietly(redis);
    this.#lost?.(reason);
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const redis = this.#redis;
    this.#redis = undefined;
    if (redis) closeQuietly(redis);
    this.#lost?.(undefined);
    this.#wake?.();
    this.#stop.abort();
    await Promise.all([this.#running, this.#subscriptions[Symbol.asyncDispose]()]);
  }

  async #run(started: () => void, refused: (error: unknown) => void): Promise<void> {
    let first = true;
    for (let attempt = 0; !this.#closed; first = false) {
      try {
        const redis = await openDbRedis(this.#address, this.#options(this.#stop.signal));
        if (this.#closed) return closeQuietly(redis);
        attempt = 0;
        this.#redis = redis;
        this.#generation++;
        this.#lastUse = performance.now();
        const lost = new Promise<unknown>((resolve) => this.#lost = resolve);
        this.#listener?.({ state: "connected" });
        started();
        const heartbeat = this.#beat(redis);
        const reason = await lost;
        clearInterval(heartbeat);
        if (!this.#closed) this.#listener?.({ state: "disconnected", reason });
      } catch (error) {
        // Only the first time: later, a server that is being reconfigured must not end a running service.
        if (error instanceof ConfigError && first) {
          this.#closed = true;
          return refused(error);
        }
        if (!this.#closed) this.#listener?.({ state: "disconnected", error });
        started();
      }
      if (!this.#closed) await this.#pause(reconnectDelay(attempt++));
    }
    started();
  }

  #options(signal: AbortSignal): OpenOptions {
    return { timeout: this.#connectTimeout, signal, name: this.#clientName };
  }

  /** Finds out that an idle connection is dead before the next command does. */
  #beat(redis: DbRedisLike): ReturnType<typeof setInterval> {
    const timer = setInterval(async () => {
      if (this.#busy > 0 || performance.now() - this.#lastUse < this.#heartbeatEvery) return;
      const late = setTimeout(() => {
        if (this.#redis === redis) this.reset(new UnavailableError("ping", "timeout"));
      }, this.#connectTimeout);
      unref(late);
      await this.pipeline([{ name: "PING", args: [] }]).catch(() => {}); // a failure has reset the connection
      clearTimeout(late);
    }, this.#heartbeatEvery);
    unref(timer);
    return timer;
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
