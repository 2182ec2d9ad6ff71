import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../../src/redis/client.ts";

/** A client in front of a real one, to which it passes everything on. */
export class ForwardingClient implements RedisClient {
  protected readonly client: RedisClient;

  constructor(client: RedisClient) {
    this.client = client;
  }

  get name(): string {
    return this.client.name;
  }

  get connected(): boolean {
    return this.client.connected;
  }

  get generation(): number {
    return this.client.generation;
  }

  pipeline(commands: readonly RedisCommand[]): ReturnType<RedisClient["pipeline"]> {
    return this.client.pipeline(commands);
  }

  reset(reason: Error): void {
    this.client.reset(reason);
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return this.client.subscribe(channel, listener, kind);
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.client.onChange(listener);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
