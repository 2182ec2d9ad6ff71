import { Buffer } from "node:buffer";
import { describe } from "../../util/describe.ts";
import { RedisError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisArgument,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { addressText } from "../address_text.ts";
import { ExternalConnection } from "./external_connection.ts";
import { toBuffer, toReply } from "./replies.ts";
import { type MessageListener, type Subscriber, Subscriptions } from "../subscriptions.ts";
import { decoder } from "../../util/utf8.ts";

/** The part of a client of `npm:redis` that Larder uses. */
export interface NodeRedisLike {
  /** Whether it is connected, or trying to be. */
  readonly isOpen: boolean;
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** What it was opened with. */
  readonly options?: {
    readonly socket?: object | undefined;
    /** The number of the database. */
    readonly database?: number | undefined;
  } | undefined;
  /** Sends one command. */
  sendCommand(args: (string | Buffer)[], options?: object): Promise<unknown>;
  /** Makes another client with the same options. */
  duplicate(overrides?: object): NodeRedisLike;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Subscribes to channels; the listener gets bytes. */
  subscribe(
    channels: string[],
    listener: (message: Buffer, channel: Buffer) => unknown,
    bufferMode: true,
  ): Promise<unknown>;
  /** Leaves channels. */
  unsubscribe(channels: string[], listener: undefined, bufferMode: true): Promise<unknown>;
  /** Closes the connection at once; from version 5 on. */
  destroy?(): unknown;
  /** Closes the connection at once; in version 4. */
  disconnect(): Promise<unknown>;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/**
 * Lets Larder use a client of `npm:redis` (node-redis 5 or 6) that you opened with `createClient()` and that you close.
 * For a cluster or Sentinels, see `fromIoredis()`.
 *
 * It never sends a command twice, whatever its options. That its connection hangs it finds out only with
 * `socket.socketTimeout` and a shorter `pingInterval`, and after that it connects again only with a `reconnectStrategy`
 * of yours. To subscribe, one more connection with the same options is opened.
 *
 * @param client The client. Connect it yourself: Larder waits for that.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `client` was not made by `createClient()`.
 *
 * @example A client that finds out when its connection hangs
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromNodeRedis } from "@larder/larder/redis";
 * import { createClient } from "redis";
 *
 * const client = createClient({
 *   url: "redis://127.0.0.1:6379",
 *   pingInterval: 500,
 *   socket: { socketTimeout: 2000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 5000) },
 * });
 * client.on("error", () => {}); // without a listener, a lost connection ends the process
 * await client.connect();
 * await using redis = await connect({ client: fromNodeRedis(client) });
 * ```
 */
export function fromNodeRedis(client: NodeRedisLike): RedisClient {
  // Clusters, pools and Sentinel clients look alike, but are told the key or the role first.
  const wrong = typeof client?.sendCommand !== "function" || client.sendCommand.length > 2 ||
    typeof client.isReady !== "boolean" || typeof client.duplicate !== "function";
  if (wrong) {
    throw new TypeError(
      `Cannot use the client: wanted one made by createClient() of npm:redis, got ${describe(client)}`,
    );
  }
  return new ExternalNodeRedis(client);
}

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

class ExternalNodeRedis implements RedisClient {
  readonly name: string = "redis";
  readonly #redis: NodeRedisLike;
  readonly #external: ExternalConnection;
  readonly #subscriptions: Subscriptions;
  #unsent = new Unsent();

  constructor(redis: NodeRedisLike) {
    this.#redis = redis;
    this.#subscriptions = new Subscriptions({
      open: (channels, message, signal) => openSubscriber(redis, channels, message, signal),
      announce: async (name, text) => void await this.pipeline([{ name: "PUBLISH", args: [name, text] }]),
    });
    const external = this.#external = new ExternalConnection(redis, redis.isReady);
    external.on("ready", () => external.connected());
    external.on("error", (error) => {
      if (redis.isReady) return; // it is about something else
      this.#withdraw();
      external.failed(error);
      external.lost();
    });
    external.on("end", () => {
      this.#withdraw();
      external.ended();
    });
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
        return toReply(await this.#redis.sendCommand([name, ...args.map(toText)], options), text);
      } catch (error) {
        // Without that of the client as a cause: its text may quote arguments, and with them a password.
        if (isErrorReply(error)) return new RedisError(error.message);
        throw error;
      }
    }));
  }

  reset(_reason: Error): void {
    // The client cannot be told to replace its connection; late replies are consumed in order by the client itself.
    this.#withdraw();
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener));
  }

  async close(): Promise<void> {
    this.#external.close();
    await this.#subscriptions[Symbol.asyncDispose]();
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

/** Whether Redis said so, as opposed to the client. Its class can only be told by its name. */
function isErrorReply(error: unknown): error is Error {
  for (let of = error; of instanceof Error; of = Object.getPrototypeOf(of)) {
    if (of.constructor.name === "ErrorReply") return true;
  }
  return false;
}

/** Opens a connection like that of a client, and subscribes on it. It is not made again when it is lost. */
async function openSubscriber(
  client: NodeRedisLike,
  channels: readonly string[],
  message: MessageListener,
  signal: AbortSignal,
): Promise<Subscriber> {
  signal.throwIfAborted();
  const { promise: lost, resolve: end } = Promise.withResolvers<void>();
  const redis = client.duplicate({
    socket: { ...client.options?.socket, reconnectStrategy: false },
    // What a subscription missed must not clear the caches of the client.
    clientSideCache: undefined,
    emitInvalidate: undefined,
  });
  const close = () => {
    end();
    try {
      if (redis.destroy) redis.destroy();
      else redis.disconnect().catch(() => {});
    } catch {
      // It is closed already.
    }
  };
  redis.on("error", () => end());
  redis.on("end", () => end());
  const connecting = redis.connect();
  // Closing does not cut an attempt to connect short.
  connecting.then(() => signal.aborted && close(), () => {});
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([connecting, aborted]);
    const take = (payload: Uint8Array, channel: Uint8Array) => {
      const { buffer, byteOffset, byteLength } = payload;
      message(decoder.decode(channel), new Uint8Array(buffer, byteOffset, byteLength));
    };
    await Promise.race([redis.subscribe([...channels], take, true), aborted]);
    return {
      lost,
      close,
      add: (more) => redis.subscribe([...more], take, true),
      remove: (some) => redis.unsubscribe([...some], undefined, true),
    };
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
