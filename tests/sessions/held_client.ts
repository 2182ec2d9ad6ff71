import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  Subscription,
  SubscriptionListener,
} from "../../src/redis/client.ts";

/** A client in front of a real one whose commands a test keeps back before they are sent. */
export class HeldClient implements RedisClient {
  readonly #client: RedisClient;
  #gate: PromiseWithResolvers<void> | undefined;
  #held: PromiseWithResolvers<void> | undefined;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  get name(): string {
    return this.#client.name;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  get generation(): number {
    return this.#client.generation;
  }

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

  async pipeline(commands: readonly RedisCommand[]): ReturnType<RedisClient["pipeline"]> {
    if (this.#gate) {
      this.#held?.resolve();
      await this.#gate.promise;
    }
    return await this.#client.pipeline(commands);
  }

  reset(reason: Error): void {
    this.#client.reset(reason);
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return this.#client.subscribe(channel, listener);
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#client.onChange(listener);
  }

  close(): Promise<void> {
    this.release();
    return this.#client.close();
  }
}
