import type { Subscription, SubscriptionKind, SubscriptionListener } from "./client.ts";
import { SubscriptionLine } from "./subscription_line.ts";
import { Member } from "./subscription_member.ts";
import type { SubscriptionHost } from "./subscription_topic.ts";

/**
 * All subscriptions of a client, on one connection: it is opened for the first of them, opened again, for ever, when it
 * is lost, and closed with the last. A private channel carries a proof of life through the server, since clients
 * neither tell when a subscription took effect nor when messages were lost.
 */
export class Subscriptions implements AsyncDisposable {
  readonly #host: SubscriptionHost;
  readonly #ending = new Set<Promise<void>>();
  #line: SubscriptionLine | undefined;

  constructor(host: SubscriptionHost) {
    this.#host = host;
  }

  /** Subscribes to a channel, or to what else there is. */
  subscribe(name: string, listener: SubscriptionListener, kind: SubscriptionKind = "channel"): Subscription {
    const line = this.#line ??= new SubscriptionLine(this.#host);
    const member = new Member({ kind, name }, listener, line, () => {
      if (!line.empty) return;
      if (this.#line === line) this.#line = undefined;
      const ended = line.close();
      this.#ending.add(ended);
      return ended.finally(() => this.#ending.delete(ended));
    });
    line.add(member);
    return member;
  }

  /** Ends all. */
  async [Symbol.asyncDispose](): Promise<void> {
    const line = this.#line;
    this.#line = undefined;
    await Promise.all([line?.close(), ...this.#ending]);
  }
}
