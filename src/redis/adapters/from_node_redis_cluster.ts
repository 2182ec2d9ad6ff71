import type { RedisClient } from "../client.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { NodeAddress } from "../cluster/slot_map.ts";
import type {
  NodeRedisClusterLike,
  NodeRedisLike,
  NodeRedisNodeLike,
  NodeRedisOptionsLike,
} from "./node_redis_like.ts";
import { duplicateNodeRedis, type DuplicateOptions } from "./duplicate_node_redis.ts";
import { OwnNodeRedis } from "./own_node_redis.ts";

/** How long a node may be silent, how often an idle one is asked, and how long connecting may take, in milliseconds. */
const [SILENT, PING_EVERY, CONNECT_WITHIN] = [2000, 500, 2000];
/** The waits between two attempts to reach a node: the first, and the longest, in milliseconds. */
const [FIRST, LONGEST] = [50, 500];

/**
 * Connections like those of a cluster client of `npm:redis`. Its own are left alone: it sends commands again by rules
 * that are not those of Larder.
 */
export class NodeRedisClusterSource implements ClusterSource {
  readonly name: string = "redis cluster";
  readonly cluster: boolean = true;
  readonly db: number = 0; // a cluster has no others
  readonly #cluster: NodeRedisClusterLike;
  readonly #blocks: boolean;
  #template: NodeRedisLike | undefined;

  /** `blocks` says that commands may block, so that a node that is silent may be well. */
  constructor(cluster: NodeRedisClusterLike, blocks: boolean = false) {
    this.#cluster = cluster;
    this.#blocks = blocks;
    this.#look();
  }

  seeds(): NodeAddress[] {
    this.#look();
    // One that does not tell where it is, the client takes to be here.
    return this.#cluster.masters.map(({ host, port }) => this.translate({ host: host ?? "localhost", port }));
  }

  open(at: NodeAddress): RedisClient | undefined {
    this.#look();
    const template = this.#template;
    if (!template) return undefined;
    return new OwnNodeRedis(
      () => duplicateNodeRedis(template, optionsFor(template.options, at, this.#blocks)),
      (attempt) => Math.min(FIRST * 2 ** Math.min(attempt, 10), LONGEST),
    );
  }

  forBlocking(): ClusterSource {
    return new NodeRedisClusterSource(this.#cluster, true);
  }

  translate({ host, port }: NodeAddress): NodeAddress {
    // The client of a node knows where it is reached.
    const node = this.#cluster.masters.find((node) => node.host === host && node.port === port);
    const there = (node?.client?.options?.socket ?? {}) as Partial<NodeAddress>;
    return there.host === undefined || there.port === undefined
      ? { host, port }
      : { host: there.host, port: there.port };
  }

  #look(): void {
    if (this.#template) return;
    const { masters } = this.#cluster;
    // With `minimizeConnections` a node has a client once somebody asks for it.
    const [first] = masters;
    if (first && !masters.some(({ client }) => client)) this.#connect(first);
    this.#template = masters.find(({ client }) => client !== undefined)?.client;
  }

  #connect(node: NodeRedisNodeLike): void {
    Promise.resolve(this.#cluster.nodeClient(node as never)).catch(() => {}); // it is asked for again
  }
}

function optionsFor(
  { socket, pingInterval }: NodeRedisOptionsLike = {},
  { host, port }: NodeAddress,
  blocks: boolean,
): DuplicateOptions {
  const { socketTimeout } = (socket ?? {}) as { socketTimeout?: number };
  const silent = socketTimeout ?? SILENT;
  return {
    url: undefined,
    // What others change must not clear the caches of the client.
    clientSideCache: undefined,
    emitInvalidate: undefined,
    readonly: false,
    commandsQueueMaxLength: undefined, // Larder itself limits what waits
    pingInterval: blocks
      ? undefined
      : pingInterval !== undefined && pingInterval < silent
      ? pingInterval
      : Math.min(PING_EVERY, silent / 2),
    socket: {
      connectTimeout: CONNECT_WITHIN,
      ...socket,
      host,
      port,
      socketTimeout: blocks ? undefined : silent,
    },
  };
}
