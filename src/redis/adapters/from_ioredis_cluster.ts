import type { RedisClient } from "../client.ts";
import type { ClusterSource } from "../cluster/source.ts";
import { type NodeAddress, nodeName } from "../cluster/slot_map.ts";
import { DISCONNECT_WITHIN, ExternalIoredis } from "./external_ioredis.ts";
import type { IoredisClusterLike, IoredisLike } from "./ioredis_like.ts";

/** The waits between two attempts to reach a node: the first, and the longest, in milliseconds. */
const [FIRST, LONGEST] = [50, 1000];
/** How long connecting to a node may take, in milliseconds. */
const CONNECT_WITHIN = 2000;

/**
 * Connections like those of an `ioredis` cluster client. Its own are left alone: it gives up commands, or sends them
 * again, by rules that are not those of Larder.
 */
export class IoredisClusterSource implements ClusterSource {
  readonly name: string = "ioredis Cluster";
  readonly #cluster: IoredisClusterLike;
  #template: IoredisLike | undefined;

  constructor(cluster: IoredisClusterLike) {
    this.#cluster = cluster;
    if (cluster.status === "wait") cluster.connect().catch(() => {}); // it tries again by itself, and says so
    this.#look();
  }

  seeds(): NodeAddress[] {
    return this.#look().flatMap(({ options: { host, port } }) =>
      host === undefined ? [] : [{ host, port: Number(port ?? 6379) }]
    );
  }

  open({ host, port }: NodeAddress): RedisClient | undefined {
    this.#look();
    const redis = this.#template?.duplicate({
      host,
      port,
      lazyConnect: true,
      readOnly: false,
      socketTimeout: undefined, // Larder finds out what hangs
      connectTimeout: CONNECT_WITHIN,
      disconnectTimeout: DISCONNECT_WITHIN,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableAutoPipelining: false,
      retryStrategy: (times: number) => Math.min(FIRST * 2 ** Math.min(times, 10), LONGEST),
    });
    return redis && new ExternalIoredis(redis, true);
  }

  forBlocking(): ClusterSource {
    return this;
  }

  translate(at: NodeAddress): NodeAddress {
    const { natMap } = this.#cluster.options;
    const name = nodeName(at);
    return (typeof natMap === "function" ? natMap(name) : natMap?.[name]) ?? at;
  }

  /** The clients of its nodes: any of them shows how a node is reached. */
  #look(): IoredisLike[] {
    const nodes = this.#cluster.nodes();
    this.#template ??= nodes[0];
    return nodes;
  }
}
