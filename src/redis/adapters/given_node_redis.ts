import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { reconnectDelay } from "../backoff.ts";
import { ALL_KINDS } from "../subscription_topic.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { unref } from "../../util/timers.ts";
import { type DuplicatedNodeRedis, duplicateNodeRedis } from "./duplicate_node_redis.ts";
import { ExternalNodeRedis } from "./external_node_redis.ts";
import { hearLastPing } from "./last_ping.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";
import { OwnNodeRedis } from "./own_node_redis.ts";

/** How long a connection of Larder's own may be silent, and how often an idle one is asked, in milliseconds. */
const [SILENT, PING_EVERY] = [2000, 500];

/**
 * A client of `npm:redis` that somebody else has opened. Where its connection hangs, and the client does not notice
 * (never in its handshake, without a `socketTimeout` not later either, and with one not while it is written to), one of
 * Larder's own with the same options takes its place for good, and the client is left alone.
 */
export class GivenNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #redis: NodeRedisLike;
  readonly #given: ExternalNodeRedis;
  #own: OwnNodeRedis | undefined;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(redis: NodeRedisLike) {
    this.#redis = redis;
    this.#given = new ExternalNodeRedis(redis, {
      hangs: (reason) => this.#replace(reason),
      publisher: this,
    });
    this.#given.onChange((change) => {
      if (!this.#own) this.#listener?.(change);
    });
  }

  get address(): string | undefined {
    return this.#given.address;
  }

  get db(): number {
    return this.#given.db;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  get generation(): number {
    return this.#given.generation + (this.#own?.generation ?? 0);
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    return this.#client.pipeline(commands);
  }

  reset(reason: Error): void {
    this.#client.reset(reason);
    const { socketTimeout } = (this.#redis.options?.socket ?? {}) as { socketTimeout?: number };
    if (socketTimeout === undefined) return this.#replace(reason);
    if (this.#own || this.#closed || this.#late !== undefined) return;
    // It finds out itself, unless it is written to all the time: it takes that for a sign of life.
    const { answers, generation } = this.#given;
    this.#late = setTimeout(() => {
      this.#late = undefined;
      const same = this.#given.answers === answers && this.#given.generation === generation;
      if (same && this.#given.connected) this.#replace(reason);
    }, socketTimeout);
    unref(this.#late);
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return this.#given.subscribe(channel, listener, kind); // over connections of its own, which are proven
  }

  apart(): Promise<RedisClient> {
    return Promise.resolve(new OwnNodeRedis(() => this.#another(true), reconnectDelay));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#late);
    const leave = hearLastPing(this.#redis);
    await Promise.all([this.#given.close(), this.#own?.close()]);
    await leave();
  }

  get #client(): ExternalNodeRedis | OwnNodeRedis {
    return this.#own ?? this.#given;
  }

  #replace(reason: Error): void {
    if (this.#own || this.#closed) return;
    const up = this.#given.connected;
    const own = this.#own = new OwnNodeRedis(() => this.#another(false), reconnectDelay);
    own.onChange((change) => this.#listener?.(change));
    if (up) this.#listener?.({ state: "disconnected", reason });
  }

  /** Another client like it; one on which commands may block may be silent for long and be well. */
  #another(blocks: boolean): DuplicatedNodeRedis {
    const { socket, pingInterval } = this.#redis.options ?? {};
    const { socketTimeout = SILENT } = (socket ?? {}) as { socketTimeout?: number };
    return duplicateNodeRedis(this.#redis, {
      pingInterval: blocks ? undefined : pingInterval ?? Math.min(PING_EVERY, socketTimeout / 2),
      // What others change must not clear the caches of the client.
      clientSideCache: undefined,
      emitInvalidate: undefined,
      socket: {
        ...socket,
        socketTimeout: blocks ? undefined : socketTimeout,
      },
    });
  }
}
