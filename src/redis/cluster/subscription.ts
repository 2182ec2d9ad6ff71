import type { RedisClient, Subscription, SubscriptionKind, SubscriptionListener } from "../client.ts";

/** What the subscription needs of the cluster. */
export interface ClusterHost {
  /** The nodes that own slots. */
  owners(): ReadonlySet<RedisClient>;
  /** Called once when the subscription is disposed of. */
  onEnd(): void;
}

interface Part {
  readonly subscription: Promise<Subscription>;
  live: boolean;
}

/**
 * One channel of a cluster, or a pattern. Nodes pass on to each other what is published, but lose messages without a
 * sign when the link between them breaks. So there is a subscription on each master, where
 * all that is published there arrives first-hand; what others pass on arrives as well, and is not told apart.
 */
export class ClusterSubscription implements Subscription {
  readonly #channel: string;
  readonly #kind: SubscriptionKind | undefined;
  readonly #listener: SubscriptionListener;
  readonly #host: ClusterHost;
  readonly #parts = new Map<RedisClient, Part>();
  readonly #ending = new Set<Promise<void>>();
  #live = false;
  #closed = false;

  constructor(channel: string, listener: SubscriptionListener, host: ClusterHost, kind?: SubscriptionKind) {
    this.#channel = channel;
    this.#kind = kind;
    this.#listener = listener;
    this.#host = host;
    this.update();
  }

  /** Follows the cluster after masters have come or gone. */
  update(): void {
    if (this.#closed) return;
    const owners = this.#host.owners();
    for (const [node, part] of this.#parts) if (!owners.has(node)) this.#end(node, part);
    for (const node of owners) if (!this.#parts.has(node)) this.#begin(node);
    this.#judge();
  }

  async prove(): Promise<boolean> {
    if (!this.#live) return false;
    const parts = [...this.#parts.values()];
    const proofs = await Promise.all(parts.map(async ({ subscription }) => await (await subscription).prove()));
    return this.#live && proofs.every((proven) => proven);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      for (const [node, part] of this.#parts) this.#end(node, part);
      this.#judge();
      this.#host.onEnd();
    }
    await Promise.all(this.#ending);
  }

  #begin(node: RedisClient): void {
    const change = (live: boolean) => {
      part.live = live;
      if (this.#parts.get(node) === part) this.#judge();
    };
    const subscription = node.subscribe(this.#channel, {
      message: (payload, channel) => this.#closed || this.#listener.message(payload, channel),
      ready: () => change(true),
      lost: () => change(false),
      refused: (error) => this.#closed || this.#listener.refused?.(error),
      denied: (error) => this.#closed || this.#listener.denied?.(error),
    }, this.#kind);
    const part: Part = { subscription, live: false };
    this.#parts.set(node, part);
  }

  #end(node: RedisClient, { subscription }: Part): void {
    this.#parts.delete(node);
    const ended = subscription.then((subscribed) => subscribed[Symbol.asyncDispose](), () => {});
    this.#ending.add(ended);
    ended.finally(() => this.#ending.delete(ended));
  }

  /** It is heard when every master is. */
  #judge(): void {
    const live = this.#parts.size > 0 && [...this.#parts.values()].every((part) => part.live);
    if (live === this.#live) return;
    this.#live = live;
    if (live) this.#listener.ready();
    else this.#listener.lost();
  }
}
