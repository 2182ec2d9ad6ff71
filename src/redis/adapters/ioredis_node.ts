import { type NodeAddress, nodeName } from "../cluster/slot_map.ts";
import { DISCONNECT_WITHIN } from "./external_ioredis.ts";
import type { IoredisNatMapLike } from "./ioredis_like.ts";

/** The waits between two attempts to reach a node: the first, and the longest, in milliseconds. */
const [FIRST, LONGEST] = [50, 500];
/** How long connecting to a node may take, in milliseconds. */
const CONNECT_WITHIN = 2000;

/** With what a connection of Larder's own to one node differs from the client that it is like. */
export function nodeOptions({ host, port }: NodeAddress): object {
  return {
    host,
    port,
    lazyConnect: true,
    readOnly: false,
    socketTimeout: undefined, // Larder finds out what hangs
    commandTimeout: undefined, // and gives up what takes too long
    connectTimeout: CONNECT_WITHIN,
    disconnectTimeout: DISCONNECT_WITHIN,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    retryStrategy: (times: number) => Math.min(FIRST * 2 ** Math.min(times, 10), LONGEST),
  };
}

/** Where a node is reached that others know under an address. */
export function translated(natMap: IoredisNatMapLike, at: NodeAddress): NodeAddress {
  const name = nodeName(at);
  return (typeof natMap === "function" ? natMap(name) : natMap?.[name]) ?? at;
}
