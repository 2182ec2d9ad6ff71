import { describe } from "../../util/describe.ts";
import type { RedisClient } from "../client.ts";
import { ClusterClient } from "../cluster/client.ts";
import { ExternalIoredis } from "./external_ioredis.ts";
import { IoredisClusterSource } from "./from_ioredis_cluster.ts";
import { IoredisSentinelSource } from "./from_ioredis_sentinels.ts";
import type { IoredisClusterLike, IoredisLike, IoredisOptionsLike } from "./ioredis_like.ts";

/**
 * Lets Larder use a client of `npm:ioredis` or `npm:iovalkey` that you opened and that you close: of one server, of a
 * server behind Sentinels, or of a cluster.
 *
 * A `Redis` has to be opened with `maxRetriesPerRequest: 0`, a `Cluster` with `retryDelayOnFailover: 0`: by default
 * ioredis sends again what was lost with its connection, so that it may run twice. Leave `keyPrefix` out and use
 * `namespace` of `connect()`. A connection that does not answer within `commandTimeout` is replaced, as is one that was
 * lost, or was accepted and does not become ready within 2 seconds. To subscribe, one more connection with the same
 * options is opened.
 *
 * Behind Sentinels, Larder asks them itself, all at once, when something is amiss and every 15 s, and opens a
 * connection to the primary with the options of the client, which is left alone: no failover waits for its
 * `retryStrategy`, or for a Sentinel that hangs. Sentinels that the given ones know are asked as well.
 *
 * Of a cluster, Larder opens one connection to each master, and one to subscribe, with the `redisOptions` of the client
 * and its `natMap`, and follows the slots itself. A message may arrive more than once.
 *
 * Clients of `npm:iovalkey` have the same shape and fit as well.
 *
 * @param client The client. One with `lazyConnect` is connected.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `client` is none of ioredis, or was opened with options that send commands twice or change
 * keys or replies.
 *
 * @example One server, or a server behind Sentinels
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromIoredis } from "@larder/larder/redis";
 * import { Redis } from "ioredis";
 *
 * const client = new Redis("redis://127.0.0.1:6379", { maxRetriesPerRequest: 0 });
 * await using redis = await connect({ client: fromIoredis(client) });
 * ```
 *
 * @example A cluster
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromIoredis } from "@larder/larder/redis";
 * import { Cluster } from "ioredis";
 *
 * const client = new Cluster([{ host: "10.0.0.1", port: 6379 }], { retryDelayOnFailover: 0 });
 * await using redis = await connect({ client: fromIoredis(client), buckets: 16 });
 * ```
 */
export function fromIoredis(client: IoredisLike | IoredisClusterLike): RedisClient {
  if (typeof client?.callBuffer !== "function" || typeof client.on !== "function") {
    throw new TypeError(`Cannot use the client: wanted a Redis or a Cluster of npm:ioredis, got ${describe(client)}`);
  }
  if (isCluster(client)) {
    const { retryDelayOnFailover, clusterNodeRetryStrategy, keyPrefix, redisOptions = {} } = client.options;
    if (client.options.enableAutoPipelining) {
      throw new TypeError(
        "Cannot use the client: wanted a Cluster opened without enableAutoPipelining, which ends the process when a " +
          "node is lost, got true; Larder sends what is called in one tick together anyway",
      );
    }
    assertNeverResends("retryDelayOnFailover", retryDelayOnFailover);
    if (typeof clusterNodeRetryStrategy === "function") {
      assertNeverResends("redisOptions.maxRetriesPerRequest", redisOptions.maxRetriesPerRequest);
    }
    assertPlain({ ...redisOptions, keyPrefix: keyPrefix || redisOptions.keyPrefix });
    return new ClusterClient(new IoredisClusterSource(client));
  }
  assertNeverResends("maxRetriesPerRequest", client.options.maxRetriesPerRequest);
  assertPlain(client.options);
  const { retryStrategy, commandTimeout, sentinels, role = "master" } = client.options;
  if (sentinels) {
    if (role === "master") return new ClusterClient(new IoredisSentinelSource(client));
    throw new TypeError(
      `Cannot use the client: wanted one of the primary behind the Sentinels, got role ${describe(role)}; a replica ` +
        "takes no writes",
    );
  }
  if (retryStrategy !== undefined && typeof retryStrategy !== "function") {
    throw new TypeError(
      "Cannot use the client: wanted one opened with a function as retryStrategy, without which it does not connect " +
        `again once its connection was lost, got ${describe(retryStrategy)}`,
    );
  }
  if (commandTimeout !== undefined) {
    throw new TypeError(
      "Cannot use the client: wanted one opened without commandTimeout, by which it gives up all that was sent " +
        `together (see the option "commandTimeout" of connect()), got ${describe(commandTimeout)}`,
    );
  }
  return new ExternalIoredis(client);
}

function isCluster(client: IoredisLike | IoredisClusterLike): client is IoredisClusterLike {
  return client.isCluster;
}

function assertNeverResends(option: string, value: unknown): void {
  if (value === 0) return;
  throw new TypeError(
    `Cannot use the client: wanted one opened with ${option}: 0, so that no command runs twice, got ${describe(value)}`,
  );
}

function assertPlain({ keyPrefix, stringNumbers }: IoredisOptionsLike): void {
  if (keyPrefix !== undefined && keyPrefix.length > 0) {
    throw new TypeError(
      `Cannot use the client: wanted one without keyPrefix (see the option "namespace"), got ${describe(keyPrefix)}`,
    );
  }
  if (stringNumbers) throw new TypeError("Cannot use the client: wanted one without stringNumbers, got true");
}
