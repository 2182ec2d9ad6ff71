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
import { ExternalNodeRedis } from "./external_node_redis.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";
import { OwnNodeRedis } from "./own_node_redis.ts";

/** How long a connection of Larder's own may be silent, and how often an idle one is asked, in milliseconds. */
const [SILENT, PING_EVERY] = [2000, 500];

/**
 * A client of `npm:redis` that somebody else has opened. Where its connection hangs, and the client does not notice
 * (never in its handshake, and without a `socketTimeout` not later either), one of Larder's own with the same options
 * takes its place for good, and the client is left alone.
 */
export class GivenNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #redis: NodeRedisLike;
  readonly #given: ExternalNodeRedis;
  #own: OwnNodeRedis | undefined;
  #listener: ((change: ConnectionChange) => void) | undefined;
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
    const { socketTimeout } = (this.#redis.options?.socket ?? {}) as { socketTimeout?: unknown };
    if (socketTimeout === undefined) this.#replace(reason); // else it finds out itself
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return this.#given.subscribe(channel, listener, kind); // over connections of its own, which are proven
  }

  apart(): Promise<RedisClient> {
    return Promise.resolve(new OwnNodeRedis(() => this.#another(true)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#given.close(), this.#own?.close()]);
  }

  get #client(): ExternalNodeRedis | OwnNodeRedis {
    return this.#own ?? this.#given;
  }

  #replace(reason: Error): void {
    if (this.#own || this.#closed) return;
    const up = this.#given.connected;
    const own = this.#own = new OwnNodeRedis(() => this.#another(false));
    own.onChange((change) => this.#listener?.(change));
    if (up) this.#listener?.({ state: "disconnected", reason });
  }

  /** Another client like it; one on which commands may block may be silent for long and be well. */
  #another(blocks: boolean): NodeRedisLike {
    const { socket, pingInterval } = this.#redis.options ?? {};
    const { socketTimeout = SILENT } = (socket ?? {}) as { socketTimeout?: number };
    return this.#redis.duplicate({
      pingInterval: blocks ? undefined : pingInterval ?? Math.min(PING_EVERY, socketTimeout / 2),
      // What others change must not clear the caches of the client.
      clientSideCache: undefined,
      emitInvalidate: undefined,
      socket: {
        ...socket,
        socketTimeout: blocks ? undefined : socketTimeout,
        reconnectStrategy: (retries: number) => reconnectDelay(retries),
      },
    });
  }
}
