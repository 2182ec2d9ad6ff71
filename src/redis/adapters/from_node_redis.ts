import { describe } from "../../util/describe.ts";
import type { RedisClient } from "../client.ts";
import { ClusterClient } from "../cluster/client.ts";
import { GivenNodeRedis } from "./given_node_redis.ts";
import { NodeRedisClusterSource } from "./from_node_redis_cluster.ts";
import type { NodeRedisClusterLike, NodeRedisLike, NodeRedisOptionsLike } from "./node_redis_like.ts";

export type {
  NodeRedisClusterLike,
  NodeRedisLike,
  NodeRedisNodeLike,
  NodeRedisOptionsLike,
} from "./node_redis_like.ts";

/**
 * Lets Larder use a client of `npm:redis` (node-redis 5 or 6) that you opened with `createClient()` or
 * `createCluster()` and that you close.
 *
 * It never sends a command twice. That its connection hangs a client finds out only with `socket.socketTimeout`, a
 * shorter `pingInterval` and a `socket.reconnectStrategy`: one with the first without the others, which gives up for
 * good, is refused. Without a `socketTimeout`, a connection that does not answer within `commandTimeout`, or was
 * accepted and does not become ready within 2 seconds, is left to you, and Larder goes on over one of its own with
 * the same options; with one as well, where nothing is answered for that time more, since the client takes what it
 * writes itself for a sign of life. To subscribe, one more connection is opened. For a cluster Larder opens one
 * connection to each master, and one to subscribe, with the options in `defaults`, and replaces them itself.
 *
 * @param client The client. Connect it yourself: Larder waits for that.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `client` was made otherwise, or with options with which it never comes back.
 *
 * @example A client that finds out when its connection hangs
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromNodeRedis } from "@larder/larder/redis";
 * import { createClient } from "redis";
 *
 * const client = createClient({
 *   url: "redis://127.0.0.1:6379",
 *   pingInterval: 500,
 *   socket: { socketTimeout: 2000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 5000) },
 * });
 * client.on("error", () => {}); // without a listener, a lost connection ends the process
 * await client.connect();
 * await using redis = await connect({ client: fromNodeRedis(client) });
 * ```
 *
 * @example A cluster
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromNodeRedis } from "@larder/larder/redis";
 * import { createCluster } from "redis";
 *
 * const client = createCluster({ rootNodes: [{ url: "redis://10.0.0.1:6379" }] });
 * client.on("error", () => {});
 * await client.connect();
 * await using redis = await connect({ client: fromNodeRedis(client), buckets: 16 });
 * ```
 */
export function fromNodeRedis(client: NodeRedisLike | NodeRedisClusterLike): RedisClient {
  if (isCluster(client)) return new ClusterClient(new NodeRedisClusterSource(client));
  // Pools and Sentinel clients look alike, but are told the role first.
  const wrong = typeof client?.sendCommand !== "function" || client.sendCommand.length > 2 ||
    typeof client.isReady !== "boolean" || typeof client.duplicate !== "function";
  if (wrong) {
    throw new TypeError(
      "Cannot use the client: wanted one made by createClient() or createCluster() of npm:redis, got " +
        `${describe(client)}${adviceFor(client)}`,
    );
  }
  const { keyPrefix } = client.options ?? {};
  if (keyPrefix !== undefined && keyPrefix.length > 0) {
    throw new TypeError(
      `Cannot use the client: wanted one without keyPrefix (see the option "namespace"), got ${describe(keyPrefix)}`,
    );
  }
  assertTakesAll(client.options);
  assertRecovers(client.options);
  return new GivenNodeRedis(client);
}

function isCluster(client: NodeRedisLike | NodeRedisClusterLike): client is NodeRedisClusterLike {
  return typeof client === "object" && client !== null && "masters" in client && "nodeClient" in client;
}

/** What to use instead of a client that looks like one. */
function adviceFor(client: unknown): string {
  if (typeof client !== "object" || client === null) return "";
  if ("sentinelNode" in client || "getMasterNode" in client || "getSentinelNode" in client) {
    return "; behind Sentinels, use fromIoredis(new Redis({ sentinels, name, maxRetriesPerRequest: 0 })) " +
      "of npm:ioredis";
  }
  if ("idleClients" in client || "tasksQueueLength" in client) {
    return "; Larder sends all over one connection, so a pool brings nothing: use fromNodeRedis(createClient(…))";
  }
  return "";
}

/** Throws if a client would not take what Larder sends. */
function assertTakesAll({ commandsQueueMaxLength, readonly, legacyMode }: NodeRedisOptionsLike = {}): void {
  const wanted = (what: string, got: unknown) =>
    new TypeError(`Cannot use the client: wanted one opened without ${what}, got ${describe(got)}`);
  if (commandsQueueMaxLength !== undefined && commandsQueueMaxLength !== null) {
    throw wanted(
      "commandsQueueMaxLength, since all that is called in one tick is sent together; Larder itself limits what waits",
      commandsQueueMaxLength,
    );
  }
  if (readonly) throw wanted("readonly, which is for the replicas of a cluster: use createCluster() for one", readonly);
  if (legacyMode) throw wanted("legacyMode: client.legacy() has those functions beside it", legacyMode);
}

/** Throws if a client would not find out that its connection hangs, or would not connect again after that. */
function assertRecovers({ pingInterval, socket = {} }: NodeRedisOptionsLike = {}): void {
  const { socketTimeout, reconnectStrategy } = socket as { socketTimeout?: unknown; reconnectStrategy?: unknown };
  const wanted = (what: string, got: unknown) =>
    new TypeError(`Cannot use the client: wanted one opened with ${what}, got ${describe(got)}`);
  if (socketTimeout === undefined) return; // Larder notices, and replaces it
  if (typeof socketTimeout !== "number" || !(socketTimeout > 0)) {
    throw wanted(
      "socket.socketTimeout, as in socketTimeout: 2000, so that it finds out when its connection hangs",
      socketTimeout,
    );
  }
  if (typeof pingInterval !== "number" || !(pingInterval > 0) || pingInterval >= socketTimeout) {
    throw wanted(
      `pingInterval shorter than socketTimeout (${socketTimeout}), so that an idle connection is not taken for hung`,
      pingInterval,
    );
  }
  if (typeof reconnectStrategy !== "function" && typeof reconnectStrategy !== "number") {
    throw wanted(
      "socket.reconnectStrategy, without which it does not connect again once its connection has hung",
      reconnectStrategy,
    );
  }
}
