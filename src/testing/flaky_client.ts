import { describe } from "../util/describe.ts";
import { Delays } from "./delays.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../redis/client.ts";

/**
 * A client that fails on demand, for all services of `connect({ client })` at once: as a Redis that is away, one that
 * refuses, or one that is slow.
 *
 * @example An outage in a test
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromIoredis } from "@larder/larder/redis";
 * import { FlakyClient } from "@larder/larder/testing";
 * import { Redis } from "ioredis";
 *
 * const client = new FlakyClient(fromIoredis(new Redis({ maxRetriesPerRequest: 0 })));
 * await using redis = await connect({ client });
 * client.down = true; // the cache misses, sessions reject, limits decide by their policy
 * client.down = false;
 * client.refusal = "OOM command not allowed when used memory > 'maxmemory'.";
 * ```
 */
export class FlakyClient implements RedisClient {
  /** Milliseconds by which commands are delayed. */
  delay = 0;
  /** With which error reply commands are answered instead of being sent. */
  refusal: string | undefined;
  readonly #client: RedisClient;
  readonly #delays = new Delays();
  readonly #lost: SubscriptionListener[] = [];
  #down = false;
  #listener: ((change: ConnectionChange) => void) | undefined;

  /**
   * Wraps a client.
   *
   * @param client The client that works.
   */
  constructor(client: RedisClient) {
    if (typeof client?.pipeline !== "function") {
      throw new TypeError(
        `Cannot make one that fails: wanted a client as made by fromDbRedis() and the other from…() functions, got ${
          describe(client)
        }`,
      );
    }
    this.#client = client;
  }

  /** That of the wrapped client. */
  get name(): string {
    return this.#client.name;
  }

  /** That of the wrapped client. */
  get address(): string | undefined {
    return this.#client.address;
  }

  /** As the wrapped client. */
  get db(): number | undefined {
    return this.#client.db;
  }

  /** As the wrapped client. */
  get kinds(): readonly SubscriptionKind[] {
    return this.#client.kinds ?? ["channel"];
  }

  /** As the wrapped client says. */
  get cluster(): boolean {
    return this.#client.cluster ?? false;
  }

  /** Whether it is up and the wrapped client is connected. */
  get connected(): boolean {
    return !this.#down && this.#client.connected;
  }

  /** That of the wrapped client. */
  get generation(): number {
    return this.#client.generation;
  }

  /** Whether it is away. */
  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    if (down === this.#down) return;
    this.#down = down;
    if (down) {
      for (const listener of this.#lost) listener.lost();
      this.#listener?.({ state: "disconnected", error: new Error("The client is down on demand") });
    } else {
      if (!this.#client.connected) return;
      this.#listener?.({ state: "connected" });
      for (const listener of this.#lost) listener.ready();
    }
  }

  /** Sends the commands, unless it is down or refuses them. */
  async pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]> {
    this.#assertUp();
    await this.#delays.wait(this.delay);
    this.#assertUp();
    const { refusal } = this;
    if (refusal !== undefined) return commands.map(() => new RedisError(refusal));
    return await this.#client.pipeline(commands);
  }

  /** Resets the wrapped client. */
  reset(reason: Error): void {
    this.#client.reset(reason);
  }

  /** Subscribes with the wrapped client; while it is down, nothing arrives. */
  async subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    this.#lost.push(listener);
    const subscription = await this.#client.subscribe(channel, {
      message: (payload, channel) => this.#down || listener.message(payload, channel),
      ready: () => this.#down || listener.ready(),
      lost: () => this.#down || listener.lost(),
      refused: (error) => this.#down || listener.refused?.(error),
    }, kind);
    return {
      prove: async () => !this.#down && await subscription.prove() && !this.#down,
      [Symbol.asyncDispose]: () => {
        this.#lost.splice(this.#lost.indexOf(listener) >>> 0, 1);
        return subscription[Symbol.asyncDispose]();
      },
    };
  }

  /** Passes on what the wrapped client tells, and tells when it goes down and comes up. */
  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
    this.#client.onChange((change) => this.#down || listener(change));
  }

  /** Closes the wrapped client. */
  close(): Promise<void> {
    this.#delays.close();
    return this.#client.close();
  }

  #assertUp(): void {
    if (this.#down) throw new UnavailableError("send commands", "connection");
  }
}
