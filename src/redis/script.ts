import { createHash } from "node:crypto";
import { RedisError } from "../errors.ts";
import type { Batch, Call, SendOptions } from "./batch.ts";
import type { RedisArgument, RedisReply } from "./client.ts";

/** A Lua script: sent by its hash, and whole only when the server does not know it (yet, or any more). */
export class Script {
  /** The Lua text. */
  readonly text: string;
  /** SHA-1 of the text, as EVALSHA wants it. */
  readonly sha: string;

  constructor(text: string) {
    this.text = text;
    this.sha = createHash("sha1").update(text).digest("hex");
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

  /** Runs the script on the batch; `whole` sends its text although the server may know it. */
  async run(
    batch: Batch,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    options: SendOptions & { whole?: boolean } = {},
  ): Promise<RedisReply> {
    const send = (whole: boolean | undefined) => {
      const command = this.command([keys.length, ...keys, ...args], whole);
      return batch.send(command.name, command.args, options);
    };
    try {
      return await send(options.whole);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return await send(true);
    }
  }

  /** The call that runs the script, for a {@linkcode Batch} source; what the server does not know is sent again whole. */
  call(
    batch: Batch,
    keysAndArgs: readonly RedisArgument[],
    handlers: Pick<Call, "operation" | "resolve" | "reject">,
  ): Call {
    const { operation, resolve, reject } = handlers;
    return {
      ...this.command(keysAndArgs),
      operation,
      resolve,
      reject: (error) => {
        // NOSCRIPT says that nothing ran, so sending it again cannot run it twice.
        if (!isUnknownScript(error)) return reject(error);
        const { name, args } = this.command(keysAndArgs, true);
        batch.send(name, args, { operation }).then(resolve, reject);
      },
    };
  }
}

/** Whether the server does not know a script: nothing ran. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof RedisError && error.code === "NOSCRIPT";
}
