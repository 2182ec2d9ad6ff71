/**
 * The typed commands of `jsr:@db/redis` over the connection of Larder. This entry point alone needs that package.
 *
 * @example Hashes and lists, beside what Larder does
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { commands } from "@larder/larder/db-redis";
 *
 * await using redis = await connect({ url: "redis://127.0.0.1:6379" });
 * const db = commands(redis);
 * await db.hset("user:1", { name: "Ada" });
 * console.log(await db.hget("user:1", "name"));
 * ```
 *
 * @module
 */
import { type Client, create, type Redis } from "@db/redis";
import { RedisError, UnavailableError } from "../../errors.ts";
import type { Batch } from "../batch.ts";
import type { RedisArgument, RedisCommand, RedisReply } from "../client.ts";
import { assertShareable } from "../command_rules.ts";
import { batchBehind, type RawCommands } from "../raw_commands.ts";
import { decoder } from "../../util/utf8.ts";

export {
  type DbRedisLike,
  type DbRedisPipelineLike,
  type DbRedisSubscriptionLike,
  fromDbRedis,
} from "./from_db_redis.ts";
export type { RawCommands, RawReply } from "../raw_commands.ts";

/** Under this name `@db/redis` asks a connection for its pipelines; the symbol itself is not exported. */
const PIPELINE = "deno-redis.pipeline";

/** A command as a pipeline of `@db/redis` hands it over. */
interface PipelineCommand {
  readonly command: string;
  readonly args: readonly RedisArgument[];
  readonly returnUint8Arrays?: boolean;
}

/** A reply with strings as text, or as bytes where that was asked for. */
type Plain = null | number | string | Uint8Array | Plain[];

/**
 * Gives the typed commands of `jsr:@db/redis`, over the connection of Larder: what is called in one tick goes out
 * together with all else, each call has the deadline of Larder and throws its errors. `tx()` goes out as one `MULTI` …
 * `EXEC`, which nobody comes between.
 *
 * What would take the connection from the others is refused with a `TypeError`: commands that block, `SUBSCRIBE`,
 * `SELECT` and their like. Closing it leaves Larder's connection open. Needs the exact version of `@db/redis` that
 * Larder was tried with, as in its `deno.json`.
 *
 * @param redis What `connect()` gave.
 * @returns The client.
 * @throws {TypeError} If it is on the embedded store, which has no Redis.
 */
export function commands(redis: { readonly client: RawCommands }): Redis {
  const batch = redis?.client && batchBehind(redis.client);
  if (!batch) {
    const got = redis?.client ? "the embedded store" : typeof redis;
    throw new TypeError(`Cannot give the commands of @db/redis: wanted what connect() gave, on a Redis, got ${got}`);
  }
  return create(new LarderClient(batch) as unknown as Client);
}

/** What `@db/redis` builds its commands on. */
class LarderClient {
  readonly connection: object;
  readonly #batch: Batch;

  constructor(batch: Batch) {
    this.#batch = batch;
    this.connection = connectionOf(batch, (commands) => this.#pipeline(commands));
  }

  exec(command: string, ...args: RedisArgument[]): Promise<Plain> {
    return this.sendCommand(command, args);
  }

  async sendCommand(
    command: string,
    args: readonly RedisArgument[] = [],
    options: { returnUint8Arrays?: boolean } = {},
  ): Promise<Plain> {
    assertShareable(command, args);
    const { returnUint8Arrays: bytes = false } = options;
    return plain(await this.#batch.send(command, args, { text: !bytes }), bytes);
  }

  subscribe(): Promise<never> {
    return Promise.reject(
      new TypeError(
        "Cannot subscribe: wanted a command that leaves the shared connection as it is, got a subscription",
      ),
    );
  }

  close(): void {
    // It is Larder's.
  }

  async #pipeline(commands: readonly PipelineCommand[]): Promise<(Plain | Error)[]> {
    const isTransaction = commands[0]?.command === "MULTI" && commands.at(-1)?.command === "EXEC";
    const own = isTransaction ? commands.slice(1, -1) : commands;
    for (const { command, args } of own) assertShareable(command, args);
    if (isTransaction) return await this.#transaction(own);
    return await Promise.all(own.map(async ({ command, args, returnUint8Arrays }) => {
      try {
        return await this.sendCommand(command, args, { returnUint8Arrays: returnUint8Arrays === true });
      } catch (error) {
        if (error instanceof RedisError) return error; // in its place, as those of the others
        throw error;
      }
    }));
  }

  /** One call: nothing comes between its commands, and it is refused as a whole when one of them is. */
  #transaction(commands: readonly PipelineCommand[]): Promise<(Plain | Error)[]> {
    const batch = this.#batch;
    const operation = "run a transaction";
    if (batch.client.inFlight === undefined) {
      throw new TypeError(
        `Cannot ${operation}: wanted a connection of Larder's own, by a URL, got a client of another library`,
      );
    }
    const bytes = commands.some(({ returnUint8Arrays }) => returnUint8Arrays);
    const queued: RedisCommand[] = commands.map(({ command, args }) => ({ name: command, args }));
    return new Promise((resolve, reject) => {
      const call = {
        before: [{ name: "MULTI", args: [] }, ...queued],
        name: "EXEC",
        args: [],
        text: !bytes,
        operation,
        resolve: (reply: RedisReply, before: readonly RedisReply[] = []) => {
          try {
            resolve([...before.map((one) => plain(one, false)), inPlace(reply, bytes)]);
          } catch (error) {
            reject(error);
          }
        },
        reject,
      };
      batch.join({ operation, ordered: true, take: () => [call], fail: reject });
    });
  }
}

/** What `@db/redis` asks of a connection, besides commands. */
function connectionOf(
  batch: Batch,
  pipeline: (commands: readonly PipelineCommand[]) => Promise<unknown>,
): object {
  const own: Record<string, unknown> = {
    name: null,
    close() {},
    connect: () => Promise.resolve(),
    addEventListener() {},
    removeEventListener() {},
  };
  return new Proxy(own, {
    get(target, name) {
      if (name === "isConnected") return batch.client.connected;
      if (name === "isClosed") return !batch.client.connected && batch.diagnosis.closedBy !== undefined;
      if (typeof name === "symbol" && name.description === PIPELINE) return pipeline;
      return typeof name === "string" ? target[name] : undefined;
    },
  });
}

/** A reply as it is handed out: bytes are a part of much more, so they are copied. */
function plain(reply: RedisReply, bytes: boolean): Plain {
  if (reply instanceof RedisError) throw reply;
  if (reply instanceof Uint8Array) return bytes ? reply.slice() : decoder.decode(reply);
  return Array.isArray(reply) ? reply.map((item) => plain(item, bytes)) : reply;
}

/** The replies of a transaction, each error in its place. */
function inPlace(reply: RedisReply, bytes: boolean): Plain {
  if (reply === null) throw new UnavailableError("run a transaction", "refused");
  if (!Array.isArray(reply)) return plain(reply, bytes);
  return reply.map((item) => item instanceof RedisError ? item as unknown as Plain : plain(item, bytes));
}
