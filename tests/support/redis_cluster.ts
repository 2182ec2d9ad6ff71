import { hashSlot } from "../../src/redis/cluster/hash_slot.ts";
import { RedisServer } from "./redis_server.ts";
import type { RespReply } from "./resp.ts";
import { until } from "./until.ts";

const SLOTS = 16384;

/** What a test wants its cluster to be like. */
export interface RedisClusterOptions {
  /** How many replicas each master has; they are the last of the nodes, in the order of their masters. @default {0} */
  readonly replicas?: number;
  /** Directives of redis.conf for each node. */
  readonly config?: Record<string, string | number>;
}

/** A Redis Cluster of a test's own, on loopback. */
export class RedisCluster implements AsyncDisposable {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** Whether a cluster can be started: its nodes have to reach each other under the addresses that clients use. */
  static get possible(): boolean {
    return RedisServer.controllable && !Deno.env.get("LARDER_TEST_REDIS_IMAGE");
  }

  /** Starts the masters, each with an equal part of the slots, and waits until all of them know that. */
  static async start(masters: number = 3, options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const { replicas = 0, config = {} } = options;
    const started = await Promise.all(Array.from({ length: masters * (1 + replicas) }, () => startNode(config)));
    const nodes = started.map(({ node }) => node);
    const buses = started.map(({ bus }) => bus);
    const cluster = new RedisCluster(nodes);
    const [first] = nodes;
    for (const [i, node] of nodes.entries()) {
      const [begin, end] = [i, i + 1].map((part) => Math.floor(SLOTS * part / masters));
      if (i < masters) await node.cli("CLUSTER", "ADDSLOTSRANGE", begin!, end! - 1);
      await node.cli("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      if (i > 0) await first!.cli("CLUSTER", "MEET", "127.0.0.1", node.port, buses[i]!);
    }
    if (replicas > 0) await cluster.#replicate(masters);
    await cluster.agrees();
    return cluster;
  }

  async #replicate(masters: number): Promise<void> {
    const count = this.nodes.length;
    await until(async () => {
      const known = await this.each("CLUSTER", "NODES");
      return known.every((nodes) => String(nodes).trim().split("\n").length === count);
    }, "all know all");
    for (const [i, node] of this.nodes.slice(masters).entries()) {
      await node.cli("CLUSTER", "REPLICATE", String(await this.nodes[i % masters]!.cli("CLUSTER", "MYID")));
    }
    await until(async () => {
      const roles = await Promise.all(this.nodes.slice(masters).map((node) => node.cli("INFO", "replication")));
      return roles.every((role) => String(role).includes("master_link_status:up"));
    }, "the replicas follow");
  }

  /** Waits until all nodes say that all is well, and know of the same owners. */
  async agrees(): Promise<void> {
    await until(async () => {
      const infos = await this.each("CLUSTER", "INFO");
      const owners = await this.each("CLUSTER", "SLOTS");
      return infos.every((info) => String(info).includes("cluster_state:ok")) &&
        new Set(owners.map((ranges) => JSON.stringify([...ranges as RespReply[]].sort()))).size === 1;
    }, "the nodes agree");
  }

  /** Sends a command to each node. */
  async each(...command: (string | number)[]): Promise<RespReply[]> {
    return await Promise.all(this.nodes.map((node) => node.cli(...command)));
  }

  /** The node that owns the slot of a key. */
  async ownerOf(key: string): Promise<RedisServer> {
    const slot = hashSlot(key);
    const ranges = await this.nodes[0]!.cli("CLUSTER", "SLOTS") as [number, number, [string, number]][];
    const range = ranges.find(([begin, end]) => begin <= slot && slot <= end);
    return this.nodes.find((node) => node.port === range?.[2][1])!;
  }

  /** Begins to move the slot of a key. */
  async beginMove(key: string, to: RedisServer): Promise<void> {
    const [slot, from] = [hashSlot(key), await this.ownerOf(key)];
    await to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", String(await from.cli("CLUSTER", "MYID")));
    await from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", String(await to.cli("CLUSTER", "MYID")));
  }

  /** Moves what is in the slot of a key, and then the slot. */
  async endMove(key: string, to: RedisServer): Promise<void> {
    const [slot, from] = [hashSlot(key), await this.ownerOf(key)];
    const keys = await from.cli("CLUSTER", "GETKEYSINSLOT", slot, 100_000) as string[];
    if (keys.length > 0) await from.cli("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", ...keys);
    const id = String(await to.cli("CLUSTER", "MYID"));
    for (const node of [to, from, ...this.nodes]) await node.cli("CLUSTER", "SETSLOT", slot, "NODE", id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

/** Starts a node; another process may take the port of its bus between choosing and using it. */
async function startNode(
  config: Record<string, string | number>,
): Promise<{ readonly node: RedisServer; readonly bus: number }> {
  for (let attempt = 1;; attempt++) {
    const bus = freePort();
    const own = { "cluster-enabled": "yes", "cluster-node-timeout": 2000, "cluster-port": bus, ...config };
    try {
      return { node: await RedisServer.start({ config: own }), bus };
    } catch (error) {
      if (attempt === 5 || !/in use/i.test(String(error))) throw error;
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
