import { RedisError } from "../errors.ts";

/**
 * The error for a reply of a script that cannot be read: of another version of Larder, or of a server that is none.
 *
 * @param cause Why not.
 * @returns The error.
 */
export function unreadableReply(cause?: unknown): RedisError {
  return new RedisError("ERR the reply makes no sense", cause === undefined ? undefined : { cause });
}
