import { RedisError, UnavailableError } from "../../errors.ts";
import type { ClusterNodes, RedisClient, RedisCommand, RedisReply } from "../client.ts";

/** How often a command follows where it is pointed. */
export const HOPS = 5;

/** Error replies with which a node says that it did nothing, and that another attempt may succeed. */
const NOT_NOW: ReadonlySet<string> = new Set(["ASK", "CLUSTERDOWN", "MOVED", "TRYAGAIN"]);

const ASKING: RedisCommand = { name: "ASKING", args: [] };

/**
 * Sends commands to the nodes that have their keys, what goes to one node in one write, and follows where they are
 * pointed. Where only some nodes are gone, the others go on.
 *
 * @throws {UnavailableError} If no command reached its node.
 */
export async function pipelineOn(
  nodes: ClusterNodes,
  commands: readonly RedisCommand[],
): Promise<(RedisReply | UnavailableError)[]> {
  const parts = new Map<RedisClient | undefined, number[]>();
  for (const [i, command] of commands.entries()) {
    const node = nodes.of([command]);
    const part = parts.get(node);
    if (part) part.push(i);
    else parts.set(node, [i]);
  }
  const replies = new Array<RedisReply | UnavailableError>(commands.length);
  await Promise.all([...parts].map(async ([node, part]) => {
    const got = await sendTo(node, part.map((i) => commands[i]!));
    await Promise.all(part.map(async (i, at) => replies[i] = await follow(nodes, commands[i]!, got[at]!)));
  }));
  const [first] = replies;
  if (first instanceof UnavailableError && replies.every((reply) => reply instanceof UnavailableError)) throw first;
  return replies;
}

/** Follows where a reply points, if it does. */
async function follow(
  nodes: ClusterNodes,
  command: RedisCommand,
  reply: RedisReply | UnavailableError,
): Promise<RedisReply | UnavailableError> {
  let last = reply;
  for (let hops = 0; last instanceof RedisError && hops < HOPS; hops++) {
    const to = nodes.redirect(last);
    if (!to) break;
    last = (await sendTo(to.node, to.asking ? [ASKING, command] : [command])).at(-1)!;
  }
  return last instanceof RedisError && NOT_NOW.has(last.code)
    ? new UnavailableError("send a command to the cluster", "refused", { cause: last })
    : last;
}

async function sendTo(
  node: RedisClient | undefined,
  commands: readonly RedisCommand[],
): Promise<(RedisReply | UnavailableError)[]> {
  try {
    if (!node) throw new UnavailableError("reach the node of a slot", "connection");
    return await node.pipeline(commands);
  } catch (cause) {
    const error = cause instanceof UnavailableError
      ? cause
      : new UnavailableError("send a command to the cluster", "connection", { cause });
    return commands.map(() => error);
  }
}
