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
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { unref } from "../../util/timers.ts";
import type { DuplicatedNodeRedis } from "./duplicate_node_redis.ts";
import { ExternalNodeRedis } from "./external_node_redis.ts";
import { openSubscriber } from "./from_node_redis_subscriber.ts";

/** A client of `npm:redis` that Larder has opened: where it is lost or hangs, another one takes its place. */
export class OwnNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #make: () => DuplicatedNodeRedis;
  readonly #delay: (attempt: number) => number;
  readonly #subscriptions: Subscriptions;
  #made: DuplicatedNodeRedis;
  #client: ExternalNodeRedis;
  #generation = 0;
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #closed = false;

  /**
   * @param make Makes one that is not connected yet.
   * @param delay How long to wait before another one is made, in milliseconds; 0 is the first after a loss.
   */
  constructor(make: () => DuplicatedNodeRedis, delay: (attempt: number) => number) {
    this.#make = make;
    this.#delay = delay;
    this.#made = make();
    this.#client = this.#open();
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(this.#made.redis, events, signal),
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
    this.#renew();
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

  #renew(): void {
    this.#end();
    this.#made = this.#make();
    this.#client = this.#open();
  }

  #open(): ExternalNodeRedis {
    const { redis } = this.#made;
    const client = new ExternalNodeRedis(redis, { hangs: (reason) => this.reset(reason) });
    const again = () => {
      if (client !== this.#client || this.#closed || this.#timer !== undefined) return;
      this.#timer = setTimeout(() => this.#renew(), this.#delay(this.#attempts++));
      unref(this.#timer);
    };
    client.onChange((change) => {
      if (client !== this.#client) return;
      if (change.state === "connected") {
        this.#generation++;
        this.#attempts = 0;
      } else again();
      this.#listener?.(change);
    });
    redis.connect().catch(again);
    return client;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#client.close().catch(() => {});
    this.#made.close();
  }
}
