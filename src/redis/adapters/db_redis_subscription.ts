import { reconnectDelay } from "../backoff.ts";
import { unref } from "../batch.ts";
import type { SubscriptionListener } from "../client.ts";
import type { DbRedisLike } from "./db_redis.ts";

interface Host {
  /** Opens a connection of the subscription's own. */
  open(): Promise<DbRedisLike>;
  /** Publishes on a channel through another connection. */
  announce(channel: string): Promise<void>;
  onEnd(): void;
}

/** How often the subscription proves that messages still arrive, in milliseconds. */
const PROOF_EVERY = 5000;
/** How soon a first proof that did not arrive is sent again, in milliseconds. */
const PROOF_RETRY = 50;

/**
 * One channel on a connection of its own. `@db/redis` does not tell when a subscription took effect and loses messages
 * without a sign when it reconnects, so a second, private channel carries a proof of life through the server.
 */
export class DbRedisSubscription implements AsyncDisposable {
  readonly #channel: string;
  readonly #listener: SubscriptionListener;
  readonly #host: Host;
  #redis: DbRedisLike | undefined;
  #closed = false;
  #wake: (() => void) | undefined;
  readonly #ended: Promise<void>;

  constructor(channel: string, listener: SubscriptionListener, host: Host) {
    this.#channel = channel;
    this.#listener = listener;
    this.#host = host;
    this.#ended = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#redis?.close();
    this.#wake?.();
    await this.#ended;
    this.#host.onEnd();
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closed;) {
      let proof: Proof | undefined;
      let proven = false;
      try {
        const redis = this.#redis = await this.#host.open();
        if (this.#closed) return redis.close();
        const proofChannel = `${this.#channel}:~${crypto.randomUUID()}`;
        const messages = await redis.subscribe(this.#channel, proofChannel);
        proof = new Proof(() => this.#host.announce(proofChannel), () => redis.close());
        for await (const { channel, message } of messages.receiveBuffers()) {
          if (channel === this.#channel) {
            this.#listener.message(message);
          } else {
            proof.seen();
            if (!proven) this.#listener.ready();
            proven = true;
            attempt = 0;
          }
          if (this.#closed) break;
        }
      } catch {
        // Lost or refused; the next attempt follows, for ever.
      } finally {
        proof?.stop();
        this.#redis = undefined;
        if (proven) this.#listener.lost();
      }
      if (!this.#closed) await this.#pause(reconnectDelay(attempt++));
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

/** Sends proofs of life and gives the connection up when one does not come back before the next is due. */
class Proof {
  readonly #send: () => Promise<void>;
  readonly #giveUp: () => void;
  #arrived = false;
  #misses = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: () => Promise<void>, giveUp: () => void) {
    this.#send = send;
    this.#giveUp = giveUp;
    this.#next(0);
  }

  seen(): void {
    this.#arrived = true;
    this.#misses = 0;
    clearTimeout(this.#timer);
    this.#next(PROOF_EVERY);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #next(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      // The first proof may overtake the subscription itself, so it gets more tries.
      if (++this.#misses > (this.#arrived ? 2 : 40)) return this.#giveUp();
      this.#send().catch(() => {});
      this.#next(this.#arrived ? PROOF_EVERY / 5 : PROOF_RETRY);
    }, milliseconds);
    unref(this.#timer);
  }
}
