import { Buffer } from "node:buffer";
import { RedisError, UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisArgument,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { addressText } from "../address_text.ts";
import { ExternalConnection } from "./external_connection.ts";
import { openSubscriber } from "./from_node_redis_subscriber.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";
import { isErrorReply, toBuffer, toReply } from "./replies.ts";
import { Subscriptions } from "../subscriptions.ts";
import { ALL_KINDS } from "../subscription_topic.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { unref } from "../../util/timers.ts";

/** How replies are wanted: strings as bytes, the types of RESP3 as those of RESP2. By the marks of the protocol. */
const TYPES = {
  36: Buffer, // $ bulk string
  43: Buffer, // + simple string
  61: Buffer, // = verbatim string
  44: String, // , double
  40: String, // ( big number
  37: Array, // % map
  126: Array, // ~ set
};

/** How long a server that was reached may take to log the client in and say that it is ready, in milliseconds. */
const READY_WITHIN = 2000;

/** What more a client of `npm:redis` is used with. */
export interface ExternalNodeRedisOptions {
  /** Told when its connection was made and does not become ready: the client itself does not notice. */
  readonly hangs?: (reason: Error) => void;
  /** What publishes, if not the client itself. */
  readonly publisher?: Pick<RedisClient, "pipeline">;
}

/** A client of `npm:redis` of one server. */
export class ExternalNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #redis: NodeRedisLike;
  readonly #external: ExternalConnection;
  readonly #subscriptions: Subscriptions;
  readonly #hangs: ((reason: Error) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unsent = new Unsent();
  #answers = 0;

  constructor(redis: NodeRedisLike, { hangs, publisher = this }: ExternalNodeRedisOptions = {}) {
    this.#redis = redis;
    this.#hangs = hangs;
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(redis, events, signal),
      publisher,
    });
    const external = this.#external = new ExternalConnection(redis, redis.isReady);
    external.on("connect", () => this.#watch());
    external.on("ready", () => {
      clearTimeout(this.#timer);
      external.connected();
    });
    external.on("error", (error) => {
      if (redis.isReady) return; // it is about something else
      clearTimeout(this.#timer);
      this.#withdraw();
      external.failed(error);
      external.lost();
    });
    external.on("end", () => {
      clearTimeout(this.#timer);
      this.#withdraw();
      external.ended();
    });
    if (redis.isOpen && !redis.isReady) this.#watch(); // its connection may be there already
  }

  get address(): string | undefined {
    const { host, port, path } = (this.#redis.options?.socket ?? {}) as Record<string, string | number | undefined>;
    if (path !== undefined) return String(path);
    return host === undefined ? undefined : addressText({ hostname: String(host), port: Number(port ?? 6379) });
  }

  get db(): number {
    return this.#redis.options?.database ?? 0;
  }

  get connected(): boolean {
    return this.#redis.isReady && !this.#external.closed;
  }

  get generation(): number {
    return this.#external.generation;
  }

  /** How many commands were answered. */
  get answers(): number {
    return this.#answers;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#external.listen(listener);
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    this.#external.assert(this.connected);
    // What is sent in one tick goes out in one write. Version 4 takes the first of these options, later ones the
    // others.
    const options = { returnBuffers: true, typeMapping: TYPES, timeout: undefined, abortSignal: this.#unsent };
    return await Promise.all(commands.map(async ({ name, args, text = false }) => {
      try {
        const reply = await this.#redis.sendCommand([name, ...args.map(toText)], options);
        this.#answers++;
        return toReply(reply, text);
      } catch (error) {
        if (!isErrorReply(error)) throw error;
        this.#answers++;
        // Without that of the client as a cause: its text may quote arguments, and with them a password.
        return new RedisError(error.message);
      }
    }));
  }

  reset(_reason: Error): void {
    // The client cannot be told to replace its connection; late replies are consumed in order by the client itself.
    this.#withdraw();
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener, kind));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#external.close();
    await this.#subscriptions[Symbol.asyncDispose]();
  }

  /** Notices a connection that was made and does not become ready. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#external.closed || !this.#hangs) return;
    this.#timer = setTimeout(() => {
      if (!this.#redis.isReady) this.#hangs?.(new UnavailableError("connect", "timeout"));
    }, READY_WITHIN);
    unref(this.#timer);
  }

  /** Takes back what the client has not written yet: it would send it when it is connected again, however late. */
  #withdraw(): void {
    const unsent = this.#unsent;
    this.#unsent = new Unsent();
    unsent.abort();
  }
}

/** As much of an AbortSignal as the client uses; one that thousands of commands can listen to at little cost. */
class Unsent {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    // The last first: version 5 loses track of its queue when the first of several is removed.
    for (const listener of [...this.#listeners].reverse()) listener();
    this.#listeners.clear();
  }
}

function toText(argument: RedisArgument): string | Buffer {
  return typeof argument === "number" ? String(argument) : toBuffer(argument) as string | Buffer;
}
