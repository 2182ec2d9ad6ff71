import { UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { Subscriptions } from "../subscriptions.ts";
import { ALL_KINDS } from "../subscription_topic.ts";
import { ExternalNodeRedis } from "./external_node_redis.ts";
import { openSubscriber } from "./from_node_redis_subscriber.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";

/** A client of `npm:redis` that Larder has opened: where it hangs, another one takes its place. */
export class OwnNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #make: () => NodeRedisLike;
  readonly #subscriptions: Subscriptions;
  #redis: NodeRedisLike;
  #client: ExternalNodeRedis;
  #generation = 0;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #closed = false;

  /** `make` makes one that is not connected yet. */
  constructor(make: () => NodeRedisLike) {
    this.#make = make;
    this.#redis = make();
    this.#client = this.#open();
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(this.#redis, events, signal),
      publisher: this,
    });
  }

  get connected(): boolean {
    return !this.#closed && this.#client.connected;
  }

  get generation(): number {
    return this.#generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    return await this.#client.pipeline(commands);
  }

  reset(reason: Error): void {
    if (this.#closed) return;
    const up = this.#client.connected;
    this.#end();
    this.#redis = this.#make();
    this.#client = this.#open();
    if (up) this.#listener?.({ state: "disconnected", reason });
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    if (this.#closed) return Promise.reject(new UnavailableError("subscribe", "closed"));
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener, kind));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#subscriptions[Symbol.asyncDispose]();
    this.#end();
  }

  #open(): ExternalNodeRedis {
    const redis = this.#redis;
    redis.on("error", () => {}); // told by the events that matter
    const client = new ExternalNodeRedis(redis, { hangs: (reason) => this.reset(reason) });
    client.onChange((change) => {
      if (client !== this.#client) return;
      if (change.state === "connected") this.#generation++;
      this.#listener?.(change);
    });
    redis.connect().catch(() => {}); // it tries again by itself, and says so
    return client;
  }

  #end(): void {
    const redis = this.#redis;
    this.#client.close().catch(() => {});
    try {
      if (redis.destroy) redis.destroy();
      else redis.disconnect().catch(() => {});
    } catch {
      // It is closed already.
    }
  }
}
