import { reconnectDelay } from "../backoff.ts";
import { unref } from "../batch.ts";
import type { Subscription, SubscriptionListener } from "../client.ts";
import { Proof } from "./db_redis_subscription.ts";
import { decoder } from "../../utf8.ts";

/** A connection that has subscribed. */
export interface Subscriber {
  /** Resolves when it is lost or closed. */
  readonly lost: Promise<void>;
  /** Closes it at once. */
  close(): void;
}

/** Takes a message. */
export type MessageListener = (channel: string, payload: Uint8Array) => void;

/** What a subscription needs of the client that made it. */
export interface SubscriptionHost {
  /** Opens a connection of the subscription's own and subscribes there; gives it up when `signal` says so. */
  open(channels: readonly string[], message: MessageListener, signal: AbortSignal): Promise<Subscriber>;
  /** Publishes on a channel through another connection. */
  announce(channel: string, text: string): Promise<void>;
  /** Called once when it is disposed of. */
  onEnd?(): void;
}

/** How often a subscription proves that messages still arrive, in milliseconds. */
const PROOF_EVERY = 5000;

/**
 * One channel on a connection of its own, which is opened again, for ever, when it is lost. A second, private channel
 * carries a proof of life through the server.
 */
export class ProvenSubscription implements Subscription {
  readonly #channel: string;
  readonly #listener: SubscriptionListener;
  readonly #host: SubscriptionHost;
  readonly #stop = new AbortController();
  #subscriber: Subscriber | undefined;
  #proof: Proof | undefined;
  #wake: (() => void) | undefined;
  #ended: Promise<void> | undefined;

  constructor(channel: string, listener: SubscriptionListener, host: SubscriptionHost) {
    this.#channel = channel;
    this.#listener = listener;
    this.#host = host;
    this.#ended = this.#run();
  }

  async prove(): Promise<boolean> {
    return await this.#proof?.prove() ?? false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      this.#subscriber?.close();
      this.#wake?.();
      this.#host.onEnd?.();
    }
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted;) {
      const proofChannel = `${this.#channel}:~${crypto.randomUUID()}`;
      let proof: Proof | undefined;
      let proven = false;
      const take: MessageListener = (channel, payload) => {
        if (signal.aborted) return;
        if (channel === this.#channel) return this.#listener.message(payload);
        proof?.seen(Number(decoder.decode(payload)));
        if (proven) return;
        proven = true;
        attempt = 0;
        this.#proof = proof;
        this.#listener.ready();
      };
      try {
        const subscriber = await this.#host.open([this.#channel, proofChannel], take, signal);
        this.#subscriber = subscriber;
        if (signal.aborted) return subscriber.close();
        proof = new Proof(
          (text) => this.#host.announce(proofChannel, text),
          () => subscriber.close(),
          PROOF_EVERY,
        );
        await subscriber.lost;
      } catch {
        // Refused or not reached; the next attempt follows, for ever.
      } finally {
        proof?.stop();
        this.#subscriber = this.#proof = undefined;
        if (proven) this.#listener.lost();
      }
      if (!signal.aborted) await this.#pause(reconnectDelay(attempt++));
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
