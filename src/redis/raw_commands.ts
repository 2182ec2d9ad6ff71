import { RedisError } from "../errors.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { Batch } from "./batch.ts";
import { assertShareable } from "./command_rules.ts";
import type { RedisArgument, RedisReply } from "./client.ts";
import { decoder } from "../util/utf8.ts";

/** The reply to a raw command, with strings as text. */
export type RawReply = null | number | string | RawReply[];

/**
 * Raw commands on the connection that Larder uses, sharing its writes and its deadline. They need a Redis: the embedded
 * store has none.
 */
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

/** The batch behind raw commands, for those who make more of them. */
const BATCHES = new WeakMap<RawCommands, Batch>();

/** The batch that raw commands go through; none with the embedded store. */
export function batchBehind(commands: RawCommands): Batch | undefined {
  return BATCHES.get(commands);
}

/** Makes the raw commands of a batch. */
export function rawCommands(batch: Batch): RawCommands {
  const commands: RawCommands = {
    async sendCommand(name, args = [], options = {}) {
      assertOptions(options, OPTIONS, "send command");
      assertShareable(name, args);
      return text(await batch.send(name, args, { signal: options.signal, text: true }));
    },
  };
  BATCHES.set(commands, batch);
  return commands;
}

function text(reply: RedisReply): RawReply {
  if (reply instanceof RedisError) throw reply;
  if (reply instanceof Uint8Array) return decoder.decode(reply);
  return Array.isArray(reply) ? reply.map(text) : reply;
}
