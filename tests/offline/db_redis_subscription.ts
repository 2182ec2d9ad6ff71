import type { Buffer } from "node:buffer";
import type { StandInConnection } from "./db_redis_connection.ts";

/** A message. */
export interface RedisPubSubMessage<T = string> {
  channel: string;
  message: T;
}

/** A subscription that owns its connection. */
export interface RedisSubscription {
  readonly isClosed: boolean;
  receive(): AsyncIterableIterator<RedisPubSubMessage<string>>;
  receiveBuffers(): AsyncIterableIterator<RedisPubSubMessage<Uint8Array>>;
  subscribe(...channels: string[]): Promise<void>;
  unsubscribe(...channels: string[]): Promise<void>;
  close(): void;
}

const decoder = new TextDecoder();

/** Collects what arrives and hands it out in order. Like the original it does not wait for the server's confirmation. */
export class StandInSubscription implements RedisSubscription {
  readonly #connection: StandInConnection;
  #channels: string[];
  readonly #messages: RedisPubSubMessage<Uint8Array>[] = [];
  #arrival: PromiseWithResolvers<void> = Promise.withResolvers();
  #failure: unknown;

  constructor(connection: StandInConnection, channels: string[]) {
    this.#connection = connection;
    this.#channels = channels;
    this.#listen();
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  async *receive(): AsyncIterableIterator<RedisPubSubMessage<string>> {
    for await (const { channel, message } of this.receiveBuffers()) {
      yield { channel, message: decoder.decode(message) };
    }
  }

  async *receiveBuffers(): AsyncIterableIterator<RedisPubSubMessage<Uint8Array>> {
    while (this.#connection.isConnected) {
      const message = this.#messages.shift();
      if (message) {
        yield message;
        continue;
      }
      if (this.#failure) throw this.#failure;
      this.#arrival = Promise.withResolvers();
      try {
        await this.#connection.wait(this.#arrival.promise);
      } catch (error) {
        if (this.#connection.isClosed) return;
        await this.#reconnect(error);
      }
    }
  }

  async subscribe(...channels: string[]): Promise<void> {
    this.#channels = [...new Set([...this.#channels, ...channels])];
    await this.#connection.client.subscribe(...channels);
  }

  async unsubscribe(...channels: string[]): Promise<void> {
    this.#channels = this.#channels.filter((channel) => !channels.includes(channel));
    await this.#connection.client.unsubscribe(...channels);
  }

  close(): void {
    this.#connection.close();
  }

  #listen(): void {
    const { client } = this.#connection;
    client.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      this.#messages.push({ channel: decoder.decode(channel), message: new Uint8Array(message) });
      this.#arrival.resolve();
    });
    client.subscribe(...this.#channels).catch((error) => {
      this.#failure = error; // refused; a loss of the connection is seen by itself
      this.#arrival.resolve();
    });
  }

  /** Connects again, one attempt, and subscribes; what was sent meanwhile is lost without a sign. */
  async #reconnect(error: unknown): Promise<void> {
    this.#connection.dispatch("error", { error });
    this.#connection.close(false);
    await this.#connection.connect();
    this.#failure = undefined;
    this.#listen();
  }
}
