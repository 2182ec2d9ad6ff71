import type { RedisClient } from "../client.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { NodeAddress } from "../cluster/slot_map.ts";
import { ExternalIoredis } from "./external_ioredis.ts";
import type { IoredisClusterLike, IoredisLike } from "./ioredis_like.ts";
import { nodeOptions, translated } from "./ioredis_node.ts";

/**
 * Connections like those of an `ioredis` cluster client. Its own are left alone: it gives up commands, or sends them
 * again, by rules that are not those of Larder.
 */
export class IoredisClusterSource implements ClusterSource {
  readonly name: string = "ioredis Cluster";
  readonly cluster: boolean = true;
  readonly db: number = 0; // a cluster has no others
  readonly #cluster: IoredisClusterLike;
  #template: IoredisLike | undefined;

  constructor(cluster: IoredisClusterLike) {
    this.#cluster = cluster;
    if (cluster.status === "wait") cluster.connect().catch(() => {}); // it tries again by itself, and says so
    this.#look();
  }

  seeds(): NodeAddress[] {
    const nodes = this.#look().map(({ options }) => options);
    // The client may have put names that lead nowhere in the place of those that it was given.
    const { startupNodes } = this.#cluster as { readonly startupNodes?: unknown };
    return [...nodes, ...Array.isArray(startupNodes) ? startupNodes : []].flatMap((at) => {
      const { host, port = 6379 } = (typeof at === "object" && at !== null ? at : {}) as Partial<NodeAddress>;
      return host === undefined ? [] : [this.translate({ host, port: Number(port) })];
    });
  }

  open({ host, port }: NodeAddress): RedisClient | undefined {
    this.#look();
    const redis = this.#template?.duplicate(nodeOptions({ host, port }));
    return redis && new ExternalIoredis(redis, true);
  }

  forBlocking(): ClusterSource {
    return this;
  }

  translate(at: NodeAddress): NodeAddress {
    return translated(this.#cluster.options.natMap, at);
  }

  /** The clients of its nodes: any of them shows how a node is reached. */
  #look(): IoredisLike[] {
    const nodes = this.#cluster.nodes();
    this.#template ??= nodes[0];
    return nodes;
  }
}
