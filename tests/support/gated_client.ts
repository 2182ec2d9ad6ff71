import { UnavailableError } from "../../src/errors.ts";
import type { RedisClient, RedisCommand, Subscription, SubscriptionListener } from "../../src/redis/client.ts";
import { ForwardingClient } from "./forwarding_client.ts";

/** A client in front of a real one, through which a test decides what arrives and when. */
export class GatedClient extends ForwardingClient {
  /** Whether messages of subscriptions are kept back. Proofs of life are not. */
  muted = false;
  /** Whether commands fail before they are sent. */
  down = false;
  #gate: PromiseWithResolvers<void> | undefined;
  #kept: (() => void)[] = [];
  #heard = 0;

  /** Messages that were passed on so far. */
  get heard(): number {
    return this.#heard;
  }

  /** Keeps replies back that arrive from now on, although the server has done what it was told. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  /** Passes on what was kept back. */
  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** Passes on the messages that were kept back. */
  unmute(): void {
    this.muted = false;
    const kept = this.#kept;
    this.#kept = [];
    for (const pass of kept) pass();
  }

  override async pipeline(commands: readonly RedisCommand[]): ReturnType<RedisClient["pipeline"]> {
    if (this.down) throw new UnavailableError("send commands", "connection");
    const replies = await super.pipeline(commands);
    await this.#gate?.promise;
    return replies;
  }

  override subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return super.subscribe(channel, {
      ready: () => listener.ready(),
      lost: () => listener.lost(),
      message: (payload) => {
        const pass = () => {
          this.#heard++;
          listener.message(payload, channel);
        };
        if (this.muted) this.#kept.push(pass);
        else pass();
      },
    });
  }

  override close(): Promise<void> {
    this.release();
    return super.close();
  }
}
