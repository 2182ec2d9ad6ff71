import type { Subscription, SubscriptionListener } from "./client.ts";
import type { Topic } from "./subscription_topic.ts";

/** The connection of a subscription. */
export interface MemberLine {
  /** Proves that all has arrived that was published before. */
  prove(): Promise<boolean>;
  /** Leaves it. */
  remove(member: Member): void;
}

/** One subscription. */
export class Member implements Subscription {
  readonly topic: Topic;
  readonly listener: SubscriptionListener;
  readonly #line: MemberLine;
  readonly #left: () => Promise<void> | undefined;
  live = false;

  constructor(
    topic: Topic,
    listener: SubscriptionListener,
    line: MemberLine,
    left: () => Promise<void> | undefined,
  ) {
    this.topic = topic;
    this.listener = listener;
    this.#line = line;
    this.#left = left;
  }

  async prove(): Promise<boolean> {
    return this.live && await this.#line.prove() && this.live;
  }

  ready(): void {
    if (this.live) return;
    this.live = true;
    this.listener.ready();
  }

  lost(): void {
    if (!this.live) return;
    this.live = false;
    this.listener.lost();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#line.remove(this);
    this.lost();
    await this.#left();
  }
}
