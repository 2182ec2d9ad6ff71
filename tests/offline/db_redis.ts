/**
 * Stands in for `jsr:@db/redis` where JSR does not answer, on `npm:ioredis`: the part that Larder uses, with the
 * original's habits. One command or pipeline is in flight at a time, error replies of a pipeline come in place, a
 * subscription takes its connection over and reconnects by itself once. Commands are never sent twice
 * (`maxRetryCount: 0`). ioredis looks through the whole environment: it needs `--allow-env`.
 *
 * @module
 */
import {
  type ConnectionEventMap,
  type ConnectionEventType,
  ErrorReplyError,
  type Reply,
  StandInConnection,
} from "./db_redis_connection.ts";
import { type RedisSubscription, StandInSubscription } from "./db_redis_subscription.ts";

export { EOFError, ErrorReplyError } from "./db_redis_connection.ts";
export type { ConnectionEventMap, RedisSubscription };

/** What a command takes. */
export type RedisValue = string | number | Uint8Array;

/** What a command is answered with. */
export type RedisReply = Reply;

/** How a reply is wanted. */
export interface SendCommandOptions {
  /** Whether strings come as bytes. @default {false} */
  returnUint8Arrays?: boolean;
}

/** Where to connect and how to log in. */
export interface RedisConnectOptions {
  hostname: string;
  port?: number | string;
  db?: number;
  username?: string;
  password?: string;
  tls?: boolean;
  /** Root certificates in PEM form; imply `tls`. */
  caCerts?: string[];
  /** Kept, never sent, as in the original. */
  name?: string;
  /** Taken, and treated as 0. */
  maxRetryCount?: number;
  noDelay?: boolean;
  /** Asked before each attempt to connect; may throw. What it gives is not looked at. */
  signal?: () => AbortSignal;
}

/** Commands that go out together. */
export interface RedisPipeline {
  sendCommand(name: string, args?: RedisValue[], options?: SendCommandOptions): Promise<RedisReply>;
  flush(): Promise<(RedisReply | ErrorReplyError)[]>;
}

/** A client. */
export interface Redis extends Disposable {
  readonly isConnected: boolean;
  readonly isClosed: boolean;
  sendCommand(name: string, args?: RedisValue[], options?: SendCommandOptions): Promise<RedisReply>;
  pipeline(): RedisPipeline;
  subscribe(...channels: string[]): Promise<RedisSubscription>;
  connect(): Promise<void>;
  close(): void;
  addEventListener<K extends ConnectionEventType>(
    type: K,
    callback: (event: CustomEvent<ConnectionEventMap[K]>) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  removeEventListener<K extends ConnectionEventType>(
    type: K,
    callback: (event: CustomEvent<ConnectionEventMap[K]>) => void,
    options?: EventListenerOptions | boolean,
  ): void;
}

/**
 * Connects and logs in.
 *
 * @param options Where and how.
 * @returns The connected client.
 */
export async function connect(options: RedisConnectOptions): Promise<Redis> {
  const connection = new StandInConnection(options);
  await connection.connect();
  return new StandInRedis(connection);
}

/**
 * Makes a client that connects when its first command is sent.
 *
 * @param options Where and how.
 * @returns The client.
 */
export function createLazyClient(options: RedisConnectOptions): Redis {
  return new StandInRedis(new StandInConnection(options));
}

class StandInRedis implements Redis {
  readonly #connection: StandInConnection;
  #started: Promise<void> | undefined;

  constructor(connection: StandInConnection) {
    this.#connection = connection;
    if (connection.isConnected) this.#started = Promise.resolve();
  }

  get isConnected(): boolean {
    return this.#connection.isConnected;
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  async sendCommand(name: string, args: RedisValue[] = [], options: SendCommandOptions = {}): Promise<RedisReply> {
    await this.#start();
    const [reply] = await this.#connection.execute([{ name, args, binary: options.returnUint8Arrays ?? false }]);
    if (!(reply instanceof ErrorReplyError)) return reply as RedisReply;
    this.#connection.dispatch("error", { error: reply });
    throw reply;
  }

  pipeline(): RedisPipeline {
    let commands: { name: string; args: RedisValue[]; binary: boolean }[] = [];
    return {
      sendCommand: (name, args = [], options = {}) => {
        commands.push({ name, args, binary: options.returnUint8Arrays ?? false });
        return Promise.resolve("OK");
      },
      flush: async () => {
        const batch = commands;
        commands = [];
        await this.#start();
        return await this.#connection.execute(batch);
      },
    };
  }

  async subscribe(...channels: string[]): Promise<RedisSubscription> {
    await this.#start();
    return new StandInSubscription(this.#connection, channels);
  }

  connect(): Promise<void> {
    return this.#started = this.#connection.connect();
  }

  close(): void {
    // The original's lazy client does nothing here before its first command, and neither may this.
    if (this.#started) this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  addEventListener<K extends ConnectionEventType>(
    type: K,
    callback: (event: CustomEvent<ConnectionEventMap[K]>) => void,
    options?: AddEventListenerOptions | boolean,
  ): void {
    this.#connection.events.addEventListener(type, callback as (event: Event) => void, options);
  }

  removeEventListener<K extends ConnectionEventType>(
    type: K,
    callback: (event: CustomEvent<ConnectionEventMap[K]>) => void,
    options?: EventListenerOptions | boolean,
  ): void {
    this.#connection.events.removeEventListener(type, callback as (event: Event) => void, options);
  }

  #start(): Promise<void> {
    return this.#started ??= this.#connection.connect();
  }
}
