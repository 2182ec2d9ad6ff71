import { createHash } from "node:crypto";
import { RedisError } from "../errors.ts";
import type { Batch } from "./batch.ts";
import type { Call, SendOptions } from "./call.ts";
import type { RedisArgument, RedisReply } from "./client.ts";
import { Deadline } from "./deadline.ts";
import { ASK } from "./script_refusals.ts";

const MARK = `${ASK}ask('PSETEX', table.remove(KEYS), table.remove(ARGV), '')\n`;

/** A Lua script: sent by its hash, and whole only when the server does not know it (yet, or any more). */
export class Script {
  /** The Lua text. */
  readonly text: string;
  /** SHA-1 of the text, as EVALSHA wants it. */
  readonly sha: string;
  #marked: Script | undefined;

  constructor(text: string) {
    this.text = text;
    this.sha = createHash("sha1").update(text).digest("hex");
  }

  /**
   * The same, which writes a mark first. KEYS has one more, the mark; ARGV too, for how long it is kept (ms). A server
   * that has no room for a mark does what the script does without it.
   */
  get marked(): Script {
    return this.#marked ??= new Script(MARK + this.text);
  }

  /** Whether the server at the end of this connection is not known to have it: sent whole, it takes one round trip. */
  isNew(batch: Batch): boolean {
    return !batch.scripts.has(this.sha);
  }

  /** The command that runs the script: by its hash, or `whole`, with its text. */
  command(keysAndArgs: readonly RedisArgument[], whole = false): { name: string; args: RedisArgument[] } {
    return whole
      ? {
        name: "EVAL",
        args: [this.text, ...keysAndArgs],
      }
      : {
        name: "EVALSHA",
        args: [this.sha, ...keysAndArgs],
      };
  }

  /**
   * Runs the script on the batch; `whole` sends its text although the server may know it. If it has to be sent twice,
   * both have one deadline.
   */
  async run(
    batch: Batch,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    options: SendOptions & { whole?: boolean } = {},
  ): Promise<RedisReply> {
    const { within = new Deadline(Math.min(options.timeout ?? Infinity, batch.commandTimeout)) } = options;
    const send = async (whole: boolean | undefined) => {
      const { generation } = batch.client;
      const command = this.command([keys.length, ...keys, ...args], whole);
      const reply = await batch.send(command.name, command.args, { ...options, within });
      batch.scripts.add(this.sha, generation);
      return reply;
    };
    try {
      return await send(options.whole);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      batch.scripts.delete(this.sha);
      return await send(true);
    }
  }

  /**
   * The call that runs the script, for a {@linkcode Batch} source; what the server does not know is sent again whole,
   * within the same deadline.
   */
  call(
    batch: Batch,
    keysAndArgs: readonly RedisArgument[],
    handlers: Pick<Call, "operation" | "resolve" | "reject">,
    options: Pick<SendOptions, "within"> & { whole?: boolean } = {},
  ): Call {
    const { operation, resolve, reject } = handlers;
    const { within = new Deadline(batch.commandTimeout), whole } = options;
    const { generation } = batch.client;
    const answered = (reply: RedisReply) => {
      batch.scripts.add(this.sha, generation);
      resolve(reply);
    };
    return {
      ...this.command(keysAndArgs, whole),
      operation,
      within,
      resolve: answered,
      reject: (error) => {
        // NOSCRIPT says that nothing ran, so sending it again cannot run it twice.
        if (!isUnknownScript(error)) return reject(error);
        batch.scripts.delete(this.sha);
        const { name, args } = this.command(keysAndArgs, true);
        batch.send(name, args, { operation, within }).then(answered, reject);
      },
    };
  }
}

/** Whether the server does not know a script: nothing ran. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof RedisError && error.code === "NOSCRIPT";
}
