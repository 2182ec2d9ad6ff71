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

  /** Runs the script on the batch; `whole` sends its text although the server may know it. */
  async run(
    batch: Batch,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    options: SendOptions & { whole?: boolean } = {},
  ): Promise<RedisReply> {
    try {
      if (!options.whole) return await batch.send("EVALSHA", [this.sha, keys.length, ...keys, ...args], options);
      return await batch.send("EVAL", [this.text, keys.length, ...keys, ...args], options);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return await batch.send("EVAL", [this.text, keys.length, ...keys, ...args], options);
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
      name: "EVALSHA",
      args: [this.sha, ...keysAndArgs],
      operation,
      resolve,
      reject: (error) => {
        // NOSCRIPT says that nothing ran, so sending it again cannot run it twice.
        if (!isUnknownScript(error)) return reject(error);
        batch.send("EVAL", [this.text, ...keysAndArgs], { operation }).then(resolve, reject);
      },
    };
  }
}

/** Whether the server does not know a script: nothing ran. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof RedisError && error.code === "NOSCRIPT";
}
