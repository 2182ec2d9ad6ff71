import { RedisError } from "../../errors.ts";
import type { RedisArgument, RedisCommand, RedisReply } from "../client.ts";
import { isRefusedPing } from "../refusals.ts";
import type { DbRedisLike } from "./db_redis_like.ts";

/**
 * A reply was read as the reply to another command. `@db/redis` stops reading a list at an error inside it (a script
 * may answer so) and takes the rest for the next replies; the connection is of no use any more.
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
  if (mark && !isMark(replies.pop(), mark)) throw new OutOfStepError();
  for (let i = 0; i < replies.length; i++) {
    const reply = replies[i];
    // Without that of the client as a cause: its text may quote arguments, and with them a password.
    if (reply instanceof Error) replies[i] = errorOf(reply);
  }
  return replies as RedisReply[];
}

/** Whether a reply is that to the mark, also of a server that refuses it at present. */
function isMark(reply: unknown, mark: string): boolean {
  return reply === mark || (reply instanceof Error && isRefusedPing(errorOf(reply)));
}

/** The error reply in an error of `@db/redis`. */
export function errorOf({ message }: Error): RedisError {
  return new RedisError(message.replace(/^-/, ""));
}

/** From how many arguments on it pays to encode them together. */
const MANY = 16;
const encoder = new TextEncoder();

/**
 * Encodes long lists of arguments at once: `@db/redis` encodes one by one, which for short keys costs more than all
 * else.
 */
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
