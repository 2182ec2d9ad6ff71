import { reconnectDelay } from "../backoff.ts";
import { unref } from "../batch.ts";
import type { Subscription, SubscriptionListener } from "../client.ts";
import { closeQuietly, type DbRedisLike } from "./db_redis.ts";
import { decoder } from "../../utf8.ts";

interface Host {
  /** Opens a connection of the subscription's own, until `signal` says otherwise. */
  open(signal: AbortSignal): Promise<DbRedisLike>;
  /** Publishes on a channel through another connection. */
  announce(channel: string, text: string): Promise<void>;
  onEnd(): void;
  /** How often the subscription proves that messages still arrive, in milliseconds. */
  readonly proofEvery: number;
}

/** How soon a first proof that did not arrive is sent again, in milliseconds. */
const PROOF_RETRY = 50;

/**
 * One channel on a connection of its own. `@db/redis` does not tell when a subscription took effect and loses messages
 * without a sign when it reconnects, so a second, private channel carries a proof of life through the server.
 */
export class DbRedisSubscription implements Subscription {
  readonly #channel: string;
  readonly #listener: SubscriptionListener;
  readonly #host: Host;
  #redis: DbRedisLike | undefined;
  #proof: Proof | undefined;
  #closed = false;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  readonly #ended: Promise<void>;

  constructor(channel: string, listener: SubscriptionListener, host: Host) {
    this.#channel = channel;
    this.#listener = listener;
    this.#host = host;
    this.#ended = this.#run();
  }

  async prove(): Promise<boolean> {
    return await this.#proof?.prove() ?? false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#redis) closeQuietly(this.#redis);
    this.#stop.abort();
    this.#wake?.();
    await this.#ended;
    this.#host.onEnd();
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closed;) {
      let proof: Proof | undefined;
      let proven = false;
      try {
        const redis = this.#redis = await this.#host.open(this.#stop.signal);
        if (this.#closed) return closeQuietly(redis);
        const proofChannel = `${this.#channel}:~${crypto.randomUUID()}`;
        const messages = await redis.subscribe(this.#channel, proofChannel);
        proof = new Proof(
          (text) => this.#host.announce(proofChannel, text),
          () => closeQuietly(redis),
          this.#host.proofEvery,
        );
        for await (const { channel, message } of messages.receiveBuffers()) {
          if (channel === this.#channel) {
            this.#listener.message(message);
          } else {
            proof.seen(Number(decoder.decode(message)));
            if (proven) continue;
            proven = true;
            attempt = 0;
            this.#proof = proof;
            this.#listener.ready();
          }
          if (this.#closed) break;
        }
      } catch {
        // Lost or refused; the next attempt follows, for ever.
      } finally {
        proof?.stop();
        this.#redis = this.#proof = undefined;
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

/** Sends proofs of life, and gives the connection up when they do not come back. */
export class Proof {
  readonly #send: (text: string) => Promise<void>;
  readonly #giveUp: () => void;
  readonly #every: number;
  #sent = 0;
  #arrived = 0;
  #misses = 0;
  #waiting: { sent: number; resolve: (proven: boolean) => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (text: string) => Promise<void>, giveUp: () => void, every: number) {
    this.#send = send;
    this.#giveUp = giveUp;
    this.#every = every;
    this.#next(0);
  }

  prove(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const sent = ++this.#sent;
    this.#waiting.push({ sent, resolve });
    this.#send(String(sent)).catch(() => {}); // what does not arrive is found out by the clock
    return promise;
  }

  seen(sent: number): void {
    this.#arrived = Math.max(this.#arrived, sent);
    this.#misses = 0;
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.sent > sent) return true;
      waiting.resolve(true);
      return false;
    });
    clearTimeout(this.#timer);
    this.#next(this.#every);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { resolve } of this.#waiting) resolve(false);
    this.#waiting = [];
  }

  #next(milliseconds: number): void {
    const timer = this.#timer = setTimeout(() => {
      if (timer !== this.#timer) return; // Deno 2.1 calls back although it was cleared, when it was due already
      // The first proof may overtake the subscription itself, so it gets more tries.
      if (++this.#misses > (this.#arrived > 0 ? 2 : 40)) return this.#giveUp();
      this.#send(String(++this.#sent)).catch(() => {});
      this.#next(this.#arrived > 0 ? this.#every / 5 : PROOF_RETRY);
    }, milliseconds);
    unref(timer);
  }
}
