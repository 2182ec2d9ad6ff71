import { ConfigError, RedisError, UnavailableError } from "../../errors.ts";
import { reconnectDelay } from "../backoff.ts";
import { unref } from "../batch.ts";
import type {
  ConnectionChange,
  RedisArgument,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { type MessageListener, type Subscriber, Subscriptions } from "./subscriptions.ts";

/** The part of a `@db/redis` subscription that Larder uses. */
export interface DbRedisSubscriptionLike {
  /** Iterates over the messages, as bytes. */
  receiveBuffers(): AsyncIterableIterator<{ channel: string; message: Uint8Array }>;
  /** Subscribes to more channels. */
  subscribe(...channels: string[]): Promise<void>;
  /** Leaves channels. */
  unsubscribe(...channels: string[]): Promise<void>;
}

/** The part of a `@db/redis` pipeline that Larder uses. */
export interface DbRedisPipelineLike {
  /** Adds a command. */
  sendCommand(name: string, args: (string | number | Uint8Array)[], options: { returnUint8Arrays: boolean }): unknown;
  /** Sends what was added, in one write. */
  flush(): Promise<unknown[]>;
}

/** The part of a `@db/redis` client that Larder uses. */
export interface DbRedisLike {
  /** Whether the connection is up. */
  readonly isConnected: boolean;
  /** Sends one command. */
  sendCommand(
    name: string,
    args?: (string | number | Uint8Array)[],
    options?: { returnUint8Arrays?: boolean },
  ): Promise<unknown>;
  /** Starts a pipeline. */
  pipeline(): DbRedisPipelineLike;
  /** Turns the connection into a subscription. */
  subscribe(...channels: string[]): Promise<DbRedisSubscriptionLike>;
  /** Whether it was closed, as opposed to lost. */
  readonly isClosed?: boolean;
  /** Connects, and logs in. */
  connect(): Promise<void>;
  /** Closes the connection. */
  close(): void;
  /** Listens to connection events. */
  addEventListener?(type: "ready", listener: () => void): void;
}

/** Where a Redis server is and how to log in. */
export interface RedisAddress {
  /** Host name or address. */
  hostname: string;
  /** TCP port. */
  port: number;
  /** ACL user. */
  username?: string | undefined;
  /** Password. */
  password?: string | undefined;
  /** Database number. @default {0} */
  db?: number | undefined;
  /** Encrypts the connection; certificates in PEM form may be given. @default {false} */
  tls?: boolean | { caCerts?: string[] } | undefined;
}

interface DbRedisModule {
  createLazyClient(options: Record<string, unknown>): DbRedisLike;
}

/** The longest that connecting and logging in may take, in milliseconds. */
const CONNECT_TIMEOUT = 2000;
/** How often an idle connection is asked whether it is still there, in milliseconds. */
const HEARTBEAT = 1000;
/** Error replies that more attempts will not change until somebody mends the configuration. */
const REFUSED =
  /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH|ERR Client sent AUTH|ERR DB index|ERR invalid DB)/i;

/** A client over `jsr:@db/redis` whose connection Larder opens, replaces and closes. */
export class DbRedisClient implements RedisClient {
  readonly name: string = "@db/redis";
  readonly #address: RedisAddress;
  readonly #heartbeatEvery: number;
  readonly #connectTimeout: number;
  readonly #subscriptions: Subscriptions;
  #redis: DbRedisLike | undefined;
  #generation = 0;
  #closed = false;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #lost: (() => void) | undefined;
  #running: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #busy = 0;
  #lastUse = 0;

  constructor(address: RedisAddress, options: { heartbeat?: number; connectTimeout?: number } = {}) {
    this.#address = address;
    this.#heartbeatEvery = options.heartbeat ?? HEARTBEAT;
    this.#connectTimeout = options.connectTimeout ?? CONNECT_TIMEOUT;
    this.#subscriptions = new Subscriptions({
      open: (channels, message, signal) =>
        openSubscriber(this.#address, this.#connectTimeout, channels, message, signal),
      proofEvery: 5 * this.#heartbeatEvery,
      announce: async (name, text) => void await this.pipeline([{ name: "PUBLISH", args: [name, text] }]),
    });
  }

  get connected(): boolean {
    return this.#redis !== undefined;
  }

  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes the first attempt to connect and keeps trying afterwards, for ever.
   *
   * @throws {ConfigError} If the server refuses the credentials or the database, or the client cannot be loaded.
   */
  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve, reject);
    await promise;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    const redis = this.#redis;
    if (!redis) throw new UnavailableError("send commands", "connection");
    this.#busy++;
    try {
      return await pipelineOf(redis, commands);
    } catch (error) {
      if (this.#redis === redis) this.reset(error as Error);
      throw error;
    } finally {
      this.#busy--;
      this.#lastUse = performance.now();
    }
  }

  reset(_reason: Error): void {
    const redis = this.#redis;
    if (!redis) return;
    this.#redis = undefined;
    closeQuietly(redis);
    this.#lost?.();
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const redis = this.#redis;
    this.#redis = undefined;
    if (redis) closeQuietly(redis);
    this.#lost?.();
    this.#wake?.();
    this.#stop.abort();
    await Promise.all([this.#running, this.#subscriptions[Symbol.asyncDispose]()]);
  }

  async #run(started: () => void, refused: (error: unknown) => void): Promise<void> {
    let first = true;
    for (let attempt = 0; !this.#closed; first = false) {
      try {
        const redis = await open(this.#address, this.#connectTimeout, this.#stop.signal);
        if (this.#closed) return closeQuietly(redis);
        attempt = 0;
        this.#redis = redis;
        this.#generation++;
        this.#lastUse = performance.now();
        const lost = new Promise<void>((resolve) => this.#lost = resolve);
        this.#listener?.({ state: "connected" });
        started();
        const heartbeat = this.#beat(redis);
        await lost;
        clearInterval(heartbeat);
        if (!this.#closed) this.#listener?.({ state: "disconnected" });
      } catch (error) {
        // Only the first time: later, a server that is being reconfigured must not end a running service.
        if (error instanceof ConfigError && first) {
          this.#closed = true;
          return refused(error);
        }
        if (!this.#closed) this.#listener?.({ state: "disconnected", error });
        started();
      }
      if (!this.#closed) await this.#pause(reconnectDelay(attempt++));
    }
    started();
  }

  /** Finds out that an idle connection is dead before the next command does. */
  #beat(redis: DbRedisLike): ReturnType<typeof setInterval> {
    const timer = setInterval(async () => {
      if (this.#busy > 0 || performance.now() - this.#lastUse < this.#heartbeatEvery) return;
      const late = setTimeout(() => {
        if (this.#redis === redis) this.reset(new UnavailableError("ping", "timeout"));
      }, this.#connectTimeout);
      unref(late);
      await this.pipeline([{ name: "PING", args: [] }]).catch(() => {}); // a failure has reset the connection
      clearTimeout(late);
    }, this.#heartbeatEvery);
    unref(timer);
    return timer;
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}

/** Opens one connection and logs in; gives up after `timeout` milliseconds or on `stop`, leaving nothing open. */
async function open(address: RedisAddress, timeout: number, stop: AbortSignal): Promise<DbRedisLike> {
  const { createLazyClient } = await load();
  const { hostname, port, username, password, db, tls } = address;
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const dial = new AbortController();
  const giveUp = (reason: "timeout" | "closed") => {
    const error = new UnavailableError("connect", reason);
    reject(error);
    dial.abort(error);
  };
  let dialled = false;
  const redis = createLazyClient({
    hostname,
    port,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(db && { db }),
    ...(tls && { tls: true }),
    ...(typeof tls === "object" && tls.caCerts && { caCerts: tls.caCerts }),
    // Its own retries would send commands twice and hold the queue up; reconnecting is done here.
    maxRetryCount: 0,
    noDelay: true,
    // Asked for before it dials. A subscription would dial again when it is lost, and not say that it missed something.
    signal: () => {
      if (dialled) throw new UnavailableError("connect twice", "closed");
      dialled = true;
      return dial.signal;
    },
  });
  const timer = setTimeout(giveUp, timeout, "timeout");
  unref(timer);
  const stopped = () => giveUp("closed");
  stop.addEventListener("abort", stopped);
  if (stop.aborted) stopped();
  const ready = redis.sendCommand("PING");
  try {
    await Promise.race([ready, givenUp]);
    return redis;
  } catch (error) {
    // Dialling cannot be cut short on every version, so a connection that comes too late is closed when it comes.
    const close = () => closeQuietly(redis);
    ready.then(close, close);
    close();
    const message = error instanceof Error ? error.message.replace(/^-/, "") : "";
    if (REFUSED.test(message)) {
      throw new ConfigError(
        "the Redis credentials or database",
        `a login that ${hostname}:${port} accepts`,
        `its reply "${message}"`,
        { cause: error },
      );
    }
    // No attempt will succeed, so that is no outage.
    if (error instanceof Error && error.name === "NotCapable") {
      throw new ConfigError("the Redis server", `--allow-net=${hostname}:${port}`, "no permission to reach it", {
        cause: error,
      });
    }
    throw error;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", stopped);
  }
}

/** Opens one connection and subscribes on it. It is not made again when it is lost: messages would be missed without a sign. */
async function openSubscriber(
  address: RedisAddress,
  timeout: number,
  channels: readonly string[],
  message: MessageListener,
  signal: AbortSignal,
): Promise<Subscriber> {
  const redis = await open(address, timeout, signal);
  const close = () => closeQuietly(redis);
  try {
    signal.throwIfAborted();
    const subscription = await redis.subscribe(...channels);
    const read = async () => {
      for await (const { channel, message: payload } of subscription.receiveBuffers()) message(channel, payload);
    };
    return {
      lost: read().catch(() => {}).finally(close),
      add: (more) => subscription.subscribe(...more),
      remove: (some) => subscription.unsubscribe(...some),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function load(): Promise<DbRedisModule> {
  try {
    return await import("@db/redis") as unknown as DbRedisModule;
  } catch (cause) {
    throw new ConfigError(
      "the Redis client",
      "jsr:@db/redis to load; allow network access to jsr.io, or pass a client of your own with connect({ client })",
      cause instanceof Error ? cause.message : String(cause),
      { cause },
    );
  }
}

/**
 * A reply was read as the reply to another command. `@db/redis` stops reading a list at an error inside it (a script may
 * answer so) and takes the rest for the next replies; the connection is of no use any more.
 */
class OutOfStepError extends Error {
  override readonly name: string = "OutOfStepError";

  constructor() {
    super("Cannot tell replies apart: wanted the mark behind the last one, got another reply");
  }
}

/** Sends the commands as one pipeline, with error replies as {@linkcode RedisError} in place. */
export async function pipelineOf(redis: DbRedisLike, commands: readonly RedisCommand[]): Promise<RedisReply[]> {
  const pipeline = redis.pipeline();
  let foreign = false;
  for (const { name, args, text = false } of commands) {
    foreign ||= text;
    // Status replies are handed out as a view of its buffer, which later ones overwrite; as text they are safe.
    pipeline.sendCommand(name, encodeArguments(args), { returnUint8Arrays: !text });
  }
  const mark = foreign ? crypto.randomUUID() : undefined;
  if (mark) pipeline.sendCommand("PING", [mark], { returnUint8Arrays: false });
  const replies = await pipeline.flush();
  if (mark && replies.pop() !== mark) throw new OutOfStepError();
  for (let i = 0; i < replies.length; i++) {
    const reply = replies[i];
    if (reply instanceof Error) replies[i] = new RedisError(reply.message.replace(/^-/, ""), { cause: reply });
  }
  return replies as RedisReply[];
}

/** From how many arguments on it pays to encode them together. */
const MANY = 16;
const encoder = new TextEncoder();

/** Encodes long lists of arguments at once: `@db/redis` encodes one by one, which for short keys costs more than all else. */
function encodeArguments(args: readonly RedisArgument[]): (string | number | Uint8Array)[] {
  if (args.length < MANY) return args as (string | number | Uint8Array)[];
  let text = "";
  for (const arg of args) if (typeof arg === "string") text += arg;
  const bytes = encoder.encode(text);
  // Where a character takes more than a byte, positions in the text say nothing about those in the bytes.
  if (bytes.length !== text.length) return args as (string | number | Uint8Array)[];
  let at = 0;
  return args.map((arg) => typeof arg === "string" ? bytes.subarray(at, at += arg.length) : arg);
}

/** Closes a connection in whatever state it is. */
export function closeQuietly(redis: DbRedisLike): void {
  try {
    redis.close();
  } catch {
    // It never was open, or is closed already.
  }
}
