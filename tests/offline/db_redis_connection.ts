import { Redis as IoRedis } from "ioredis";
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import type { RedisConnectOptions, RedisValue } from "./db_redis.ts";

/** A reply. */
export type Reply = string | number | null | Uint8Array | Reply[];

/** An error reply; its message starts with the `-` of the protocol, as in the original. */
export class ErrorReplyError extends Error {}

/** The server closed the connection. */
export class EOFError extends Error {}

/** What a connection tells about itself. */
export interface ConnectionEventMap {
  error: { error: unknown };
  connect: unknown;
  reconnecting: { delay: number };
  ready: unknown;
  close: unknown;
  end: unknown;
}

/** The name of an event. */
export type ConnectionEventType = keyof ConnectionEventMap;

interface Command {
  name: string;
  args: RedisValue[];
  /** Whether strings come as bytes. */
  binary: boolean;
}

const decoder = new TextDecoder();

/** One connection that has one write in flight at a time. */
export class StandInConnection {
  readonly events: EventTarget = new EventTarget();
  readonly #options: RedisConnectOptions;
  #client: IoRedis | undefined;
  readonly #waiting = new Set<(loss: Error) => void>();
  #loss: Error | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #isConnected = false;
  #isClosed = false;

  constructor(options: RedisConnectOptions) {
    this.#options = options;
  }

  // As in the original, a connection that the server closed counts as connected until somebody closes it.
  get isConnected(): boolean {
    return this.#isConnected;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The client below. */
  get client(): IoRedis {
    if (!this.#client) throw new Error("Not connected");
    return this.#client;
  }

  /** Waits for something that only this connection can bring; rejects when it is lost or closed first. */
  wait<T>(promise: Promise<T>): Promise<T> {
    if (this.#loss) {
      promise.catch(() => {});
      return Promise.reject(this.#loss);
    }
    const { promise: result, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    promise.then(resolve, reject);
    return result.finally(() => this.#waiting.delete(reject));
  }

  /** Connects and logs in, one attempt. */
  async connect(): Promise<void> {
    this.#options.signal?.();
    const { hostname, port = 6379, username, password, db, tls, caCerts, noDelay = false } = this.#options;
    const client = new IoRedis({
      host: hostname,
      port: Number(port),
      ...((tls || caCerts) && {
        tls: { ...(!isIP(hostname) && { servername: hostname }), ...(caCerts && { ca: caCerts }) },
      }),
      noDelay,
      connectTimeout: 0,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResubscribe: false,
      disableClientInfo: true,
      retryStrategy: () => null,
    });
    this.#client = client;
    this.#loss = undefined;
    let reason: unknown;
    client.on("error", (error) => reason ??= error);
    client.on("end", () => this.#client === client && this.#lose(denoError(reason)));
    try {
      await client.connect().catch((error) => {
        throw denoError(reason ?? error);
      });
      this.#isClosed = false;
      this.#isConnected = true;
      this.dispatch("connect");
      if (password !== undefined) await this.#command("AUTH", username ? [username, password] : [password]);
      if (db) await this.#command("SELECT", [db]);
      this.dispatch("ready");
    } catch (error) {
      if (this.#isConnected) this.close();
      else destroy(client);
      this.dispatch("error", { error });
      this.dispatch("end");
      throw error;
    }
  }

  /** Sends the commands in one write after those before them were answered. */
  execute(commands: Command[]): Promise<(Reply | ErrorReplyError)[]> {
    const result = this.#queue.then(() => this.#send(commands));
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Closes the connection at once; what waits for replies rejects. */
  close(final = true): void {
    const wasClosed = this.#isClosed;
    this.#isClosed = true;
    this.#isConnected = false;
    this.#lose(new Deno.errors.BadResource("The connection was closed"));
    if (this.#client) destroy(this.#client);
    if (wasClosed) return;
    this.dispatch("close");
    if (final) this.dispatch("end");
  }

  dispatch<K extends ConnectionEventType>(type: K, detail?: ConnectionEventMap[K]): void {
    this.events.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #lose(loss: Error): void {
    this.#loss ??= loss;
    for (const reject of this.#waiting) reject(loss);
  }

  async #send(commands: Command[]): Promise<(Reply | ErrorReplyError)[]> {
    if (commands.length === 0) return [];
    const pipeline = this.client.pipeline();
    for (const { name, args } of commands) pipeline.callBuffer(name, ...args.map(argument));
    try {
      const replies = await this.wait(pipeline.exec()) as [Error | null, unknown][];
      return replies.map(([error, reply], i) => error ? errorReply(error) : convert(reply, commands[i]!.binary));
    } catch (error) {
      this.dispatch("error", { error });
      throw error;
    }
  }

  async #command(name: string, args: RedisValue[]): Promise<void> {
    const [reply] = await this.#send([{ name, args, binary: false }]);
    if (reply instanceof ErrorReplyError) throw reply;
  }
}

/** Ends a client without waiting for a server that may be hung; `disconnect()` would, with a timer of its own. */
function destroy(client: IoRedis): void {
  client.stream?.destroy();
}

function argument(value: RedisValue): string | number | Buffer {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function convert(reply: unknown, binary: boolean): Reply {
  if (Array.isArray(reply)) {
    return reply.map((item) => {
      // The original throws in the middle of such an array and is out of step from then on.
      if (item instanceof Error) throw errorReply(item);
      return convert(item, binary);
    });
  }
  if (!(reply instanceof Uint8Array)) return reply as Reply;
  const bytes = new Uint8Array(reply.buffer, reply.byteOffset, reply.byteLength);
  return binary ? bytes : decoder.decode(bytes);
}

/** The error of one command: an error reply, or the loss of the connection, which concerns all. */
function errorReply(error: Error): ErrorReplyError {
  if (error.name !== "ReplyError") throw denoError(error);
  return new ErrorReplyError(`-${error.message}`);
}

/** What Deno's own sockets would have thrown. */
function denoError(error: unknown): Error {
  if (error instanceof Deno.errors.NotCapable) return error;
  const { code, message = "The connection was closed by the server" } = (error ?? {}) as Error & { code?: string };
  if (code === "ECONNREFUSED") return new Deno.errors.ConnectionRefused(message, { cause: error });
  if (code === "ECONNRESET") return new Deno.errors.ConnectionReset(message, { cause: error });
  if (code === "EPIPE") return new Deno.errors.BrokenPipe(message, { cause: error });
  return new EOFError(message, { cause: error });
}
