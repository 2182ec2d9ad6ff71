import { RedisError } from "../errors.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { Batch } from "./batch.ts";
import type { RedisArgument, RedisReply } from "./client.ts";
import { decoder } from "../util/utf8.ts";

/** The reply to a raw command, with strings as text. */
export type RawReply = null | number | string | RawReply[];

/** Raw commands on the connection that Larder uses, sharing its writes and its deadline. They need a Redis: the embedded store has none. */
export interface RawCommands {
  /**
   * Sends a command.
   *
   * @param name The command name.
   * @param args The arguments.
   * @param options `signal` ends the wait; a command already written runs all the same.
   * @returns The reply, with strings as text.
   * @throws {RedisError} If Redis answers with an error.
   * @throws {UnavailableError} If Redis does not answer within the deadline.
   */
  sendCommand(name: string, args?: readonly RedisArgument[], options?: { signal?: AbortSignal }): Promise<RawReply>;
}

const OPTIONS = optionNames<{ signal?: AbortSignal }>({ signal: true });

/** Commands that take a connection over, change it for all, hold it up, or have not one reply each. */
const FORBIDDEN = new Set(
  [
    "subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe monitor sync psync replconf",
    "multi exec discard watch unwatch select auth hello reset quit asking readonly readwrite",
    "client-reply client-tracking client-no-evict client-no-touch script-debug",
    "blpop brpop blmove brpoplpush bzpopmin bzpopmax bzmpop blmpop wait waitaof",
  ].flatMap((line) => line.split(" ")),
);

/** Makes the raw commands of a batch. */
export function rawCommands(batch: Batch): RawCommands {
  return {
    async sendCommand(name, args = [], options = {}) {
      assertOptions(options, OPTIONS, "send command");
      if (typeof name !== "string" || name === "") {
        throw new TypeError(`Cannot send command: wanted its name, got ${typeof name}`);
      }
      if (breaksConnection(name.toLowerCase(), args)) {
        throw new TypeError(
          `Cannot send command: wanted one that leaves the shared connection as it is, got "${name.toUpperCase()}"`,
        );
      }
      return text(await batch.send(name, args, { signal: options.signal, text: true }));
    },
  };
}

function breaksConnection(name: string, args: readonly RedisArgument[]): boolean {
  if (name === "xread" || name === "xreadgroup") {
    const words = args.map((arg) => String(arg).toLowerCase());
    return words.slice(0, words.indexOf("streams")).includes("block");
  }
  return FORBIDDEN.has(name) || (typeof args[0] === "string" && FORBIDDEN.has(`${name}-${args[0].toLowerCase()}`));
}

function text(reply: RedisReply): RawReply {
  if (reply instanceof RedisError) throw reply;
  if (reply instanceof Uint8Array) return decoder.decode(reply);
  return Array.isArray(reply) ? reply.map(text) : reply;
}
