import type { RedisError } from "../../errors.ts";
import type { Waiting } from "../call.ts";
import type { RedisCommand, RedisReply } from "../client.ts";
import { Deadline } from "../deadline.ts";

/** Tells whether a call goes on elsewhere, because an error points there. */
export type Redirect = (call: Waiting, error: RedisError) => boolean;

const ASKING: RedisCommand = { name: "ASKING", args: [] };

/**
 * The same call once more, for a node to which an answer points: nothing of it has run. Its deadline is the one that
 * has begun. Who is `asking` says so in front of each command.
 */
export function followed(call: Waiting, asking: boolean): Waiting {
  const within = call.within ?? new Deadline(call.timeout);
  within.begin(call.deadline - call.timeout);
  const settle = (work: () => void) => {
    if (call.settled) return;
    call.settled = true;
    work();
  };
  const { before = [] } = call;
  const commands = asking ? [ASKING, ...before.flatMap((command) => [command, ASKING])] : before;
  return {
    ...call,
    within,
    hops: (call.hops ?? 0) + 1,
    settled: false,
    ...(commands.length > 0 && { before: commands }),
    resolve: (reply: RedisReply, replies: readonly RedisReply[] = []) =>
      settle(() => call.resolve(reply, asking ? replies.filter((_, i) => i % 2 === 1) : replies)),
    reject: (error: unknown) => settle(() => call.reject(error)),
  };
}
