import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { addressText } from "../address_text.ts";
import { unref } from "../../util/timers.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { ExternalConnection } from "./external_connection.ts";
import { openSubscriber } from "./from_ioredis_subscriber.ts";
import type { IoredisLike } from "./ioredis_like.ts";
import { toBuffer, toReply } from "./replies.ts";
import { Subscriptions } from "../subscriptions.ts";
import { ALL_KINDS } from "../subscription_topic.ts";

/** How long a server that was reached may take to log the client in and say that it is ready, in milliseconds. */
const READY_WITHIN = 2000;

/** How long a client that Larder has opened waits for the end of its socket, in milliseconds. */
export const DISCONNECT_WITHIN = 5;

/** An `ioredis` client of one server. */
export class ExternalIoredis implements RedisClient {
  readonly name: string = "ioredis";
  readonly #redis: IoredisLike;
  readonly #external: ExternalConnection;
  readonly #subscriptions: Subscriptions;
  readonly #opened: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `opened` says that the client was opened by Larder, which closes it then. */
  constructor(redis: IoredisLike, opened: boolean = false) {
    this.#redis = redis;
    this.#opened = opened;
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(redis, events, signal),
      publisher: this,
    });
    const external = this.#external = new ExternalConnection(redis, redis.status === "ready");
    external.on("connect", () => this.#watch());
    external.on("ready", () => {
      clearTimeout(this.#timer);
      external.connected();
    });
    external.on("error", (error) => external.failed(error));
    external.on("close", () => {
      clearTimeout(this.#timer);
      external.lost();
    });
    external.on("end", () => external.ended());
    if (redis.status === "connect") this.#watch();
    if (redis.status === "wait") redis.connect().catch(() => {}); // it tries again by itself, and says so
  }

  get address(): string | undefined {
    const { host, port, sentinels, path } = this.#redis.options;
    if (path) return path;
    return sentinels || host === undefined ? undefined : addressText({ hostname: host, port: Number(port ?? 6379) });
  }

  get db(): number {
    return this.#redis.options.db ?? 0;
  }

  get connected(): boolean {
    return this.#redis.status === "ready" && !this.#external.closed;
  }

  get generation(): number {
    return this.#external.generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#external.listen(listener);
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    this.#external.assert(this.connected);
    const pipeline = this.#redis.pipeline();
    // Its own names are in lower case; only those get the replies of RESP2 whatever the protocol.
    for (const { name, args } of commands) pipeline.callBuffer(name.toLowerCase(), args.map(toBuffer));
    const results = await pipeline.exec() ?? [];
    return results.map(([error, reply], i) => {
      if (error && error.name !== "ReplyError") throw error;
      return toReply(error ?? reply, commands[i]!.text ?? false);
    });
  }

  reset(_reason: Error): void {
    if (!this.connected) return;
    this.#replace();
  }

  get kinds(): readonly SubscriptionKind[] {
    return this.#redis.ssubscribe ? ALL_KINDS : ["channel", "pattern"];
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener, kind));
  }

  apart(): Promise<ExternalIoredis> {
    const redis = this.#redis.duplicate({
      lazyConnect: true,
      socketTimeout: undefined, // it may block
      disconnectTimeout: DISCONNECT_WITHIN,
      autoResendUnfulfilledCommands: false,
      enableAutoPipelining: false,
    });
    return Promise.resolve(new ExternalIoredis(redis, true));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#external.close();
    await this.#subscriptions[Symbol.asyncDispose]();
    if (!this.#opened || this.#redis.status === "end") return;
    const { stream } = this.#redis;
    this.#redis.disconnect();
    stream?.destroy();
    // The client waits for the end of its socket by a timer, although that may have ended long ago.
    await new Promise((resolve) => setTimeout(resolve, 2 * DISCONNECT_WITHIN));
  }

  /** Replaces a connection that was made but never becomes ready: the client itself would wait for ever. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#external.closed) return;
    this.#timer = setTimeout(() => {
      if (this.#redis.status === "connect") this.#replace();
    }, READY_WITHIN);
    unref(this.#timer);
  }

  #replace(): void {
    const { stream } = this.#redis;
    this.#redis.disconnect(true);
    stream?.destroy(); // it would wait for a server that hangs
  }
}
