import type { RedisClient, RedisCommand } from "../../src/redis/client.ts";
import { ForwardingClient } from "../support/forwarding_client.ts";

/** A client in front of a real one whose commands a test keeps back before they are sent. */
export class HeldClient extends ForwardingClient {
  #gate: PromiseWithResolvers<void> | undefined;
  #held: PromiseWithResolvers<void> | undefined;

  /** Keeps commands back from now on. Resolves when there is one. */
  hold(): Promise<void> {
    this.#gate = Promise.withResolvers();
    this.#held = Promise.withResolvers();
    return this.#held.promise;
  }

  /** Sends what was kept back. */
  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  override async pipeline(commands: readonly RedisCommand[]): ReturnType<RedisClient["pipeline"]> {
    if (this.#gate) {
      this.#held?.resolve();
      await this.#gate.promise;
    }
    return await super.pipeline(commands);
  }

  override close(): Promise<void> {
    this.release();
    return super.close();
  }
}
