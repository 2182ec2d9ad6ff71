import type { RedisError } from "../../errors.ts";
import type { RedisClient, Subscription, SubscriptionListener } from "../client.ts";
import { isTransient } from "../subscription_topic.ts";

/** What the subscription needs of the cluster. */
export interface ShardedHost {
  /** The node that owns the slot of a channel, if that is known. */
  ownerOf(channel: string): RedisClient | undefined;
  /** A node says that it does not own it. */
  moved(error: RedisError): void;
  /** Called once when the subscription is disposed of. */
  onEnd(): void;
}

/** A sharded channel of a cluster: a subscription on the node that owns its slot, which it follows. */
export class ShardedSubscription implements Subscription {
  readonly #channel: string;
  readonly #listener: SubscriptionListener;
  readonly #host: ShardedHost;
  readonly #ending = new Set<Promise<void>>();
  #node: RedisClient | undefined;
  #part: Promise<Subscription> | undefined;
  #live = false;
  #closed = false;

  constructor(channel: string, listener: SubscriptionListener, host: ShardedHost) {
    this.#channel = channel;
    this.#listener = listener;
    this.#host = host;
    this.update();
  }

  /** Follows the slot after it has moved. */
  update(): void {
    const owner = this.#host.ownerOf(this.#channel);
    if (this.#closed || owner === this.#node) return;
    this.#leave();
    this.#node = owner;
    if (!owner) return;
    const still = () => this.#node === owner && !this.#closed;
    this.#part = owner.subscribe(this.#channel, {
      message: (payload, channel) => still() && this.#listener.message(payload, channel),
      ready: () => still() && this.#judge(true),
      lost: () => still() && this.#judge(false),
      refused: (error) => {
        if (!still()) return;
        this.#listener.refused?.(error);
        if (!isTransient(error)) return;
        this.#host.moved(error);
        this.update();
      },
    }, "sharded");
  }

  async prove(): Promise<boolean> {
    return this.#live && await (await this.#part)?.prove() === true && this.#live;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#leave();
      this.#host.onEnd();
    }
    await Promise.all(this.#ending);
  }

  #leave(): void {
    const ended = this.#part?.then((part) => part[Symbol.asyncDispose](), () => {});
    this.#part = this.#node = undefined;
    this.#judge(false);
    if (!ended) return;
    this.#ending.add(ended);
    ended.finally(() => this.#ending.delete(ended));
  }

  #judge(live: boolean): void {
    if (live === this.#live) return;
    this.#live = live;
    if (live) this.#listener.ready();
    else this.#listener.lost();
  }
}
