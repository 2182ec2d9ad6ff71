import { connect as connectDbRedis } from "@db/redis";
import { Cluster, Redis } from "ioredis";
import { Cluster as ValkeyCluster, Redis as Valkey } from "iovalkey";
import { createClient, createCluster } from "redis";
import { type DbRedisLike, fromDbRedis } from "../../src/redis/adapters/from_db_redis.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../src/redis/adapters/from_node_redis.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { HAS_DB_REDIS } from "./jsr.ts";
import { Sentinels, startSentinel } from "./sentinels.ts";

/** A client, and how its owner closes it. */
export interface OpenedKind {
  readonly client: RedisClient;
  /** Uses it as its owner does, if it is not Larder's own. */
  ping?(): Promise<unknown>;
  close(): unknown;
}

/** A kind of client as its owner opens it, of one server or of a cluster. */
export interface Kind {
  readonly name: string;
  /** Whether it is for a cluster. */
  readonly cluster: boolean;
  /** Whether it can be subscribed with. @default {true} */
  readonly subscribes?: boolean;
  /** Opens one on a server, or on the cluster of which it is a node. */
  open(port: number): Promise<OpenedKind>;
}

const QUIET = () => {};

const DB_REDIS: Kind = {
  name: "@db/redis",
  cluster: false,
  subscribes: false,
  open: async (port) => {
    const redis = await connectDbRedis({ hostname: "127.0.0.1", port, maxRetryCount: 0, noDelay: true });
    return {
      client: fromDbRedis(redis as unknown as DbRedisLike),
      ping: () => redis.sendCommand("PING"),
      close: () => redis.close(),
    };
  },
};

const socket = { socketTimeout: 2000, reconnectStrategy: () => 50 };

/** The part of ioredis and iovalkey that is needed here. */
interface Ended {
  once(event: "end", listener: () => void): unknown;
  disconnect(): void;
}

async function end(redis: Ended): Promise<void> {
  const ended = new Promise<void>((resolve) => redis.once("end", () => resolve()));
  redis.disconnect();
  await ended;
}

const SENTINEL: Kind = {
  name: "ioredis Sentinel",
  cluster: false,
  open: async (port) => {
    const sentinel = await startSentinel();
    const redis = new Redis({
      sentinels: [{ host: "127.0.0.1", port: sentinel.port }],
      name: "main",
      natMap: { [sentinel.primary]: { host: "127.0.0.1", port } },
      maxRetriesPerRequest: 0,
      lazyConnect: true, // it waits for the end of its connections to Sentinels by timers
    });
    const close = async () => {
      await end(redis);
      await sentinel.stop();
    };
    return { client: fromIoredis(redis), close };
  },
};

/** All kinds. */
export const KINDS: readonly Kind[] = [
  {
    name: "url",
    cluster: false,
    open: async (port) => {
      const client = new WireClient({ hostname: "127.0.0.1", port, db: 0, tls: false });
      await client.start();
      return { client, close: QUIET };
    },
  },
  ...HAS_DB_REDIS ? [DB_REDIS] : [],
  ...([2, 3] as const).map((protocol): Kind => ({
    name: `ioredis, RESP ${protocol}`,
    cluster: false,
    open: async (port) => {
      const redis = new Redis(port, "127.0.0.1", { maxRetriesPerRequest: 0, protocol });
      redis.on("error", QUIET);
      await redis.ping();
      return { client: fromIoredis(redis), ping: () => redis.ping(), close: () => end(redis) };
    },
  })),
  ...Sentinels.possible ? [SENTINEL] : [],
  {
    name: "iovalkey",
    cluster: false,
    open: async (port) => {
      const redis = new Valkey(port, "127.0.0.1", { maxRetriesPerRequest: 0 });
      redis.on("error", QUIET);
      await redis.ping();
      return { client: fromIoredis(redis), ping: () => redis.ping(), close: () => end(redis) };
    },
  },
  ...([2, 3] as const).map((RESP): Kind => ({
    name: `node-redis, RESP ${RESP}`,
    cluster: false,
    open: async (port) => {
      const redis = createClient({ url: `redis://127.0.0.1:${port}`, RESP, socket, pingInterval: 500 });
      redis.on("error", QUIET);
      await redis.connect();
      return { client: fromNodeRedis(redis), ping: () => redis.ping(), close: () => redis.destroy() };
    },
  })),
  ...([2, 3] as const).map((protocol): Kind => ({
    name: `ioredis Cluster, RESP ${protocol}`,
    cluster: true,
    open: (port) => {
      const cluster = new Cluster([{ host: "127.0.0.1", port }], {
        retryDelayOnFailover: 0,
        redisOptions: { protocol },
      });
      cluster.on("error", QUIET);
      return Promise.resolve({ client: fromIoredis(cluster), close: () => end(cluster) });
    },
  })),
  {
    name: "iovalkey Cluster",
    cluster: true,
    open: (port) => {
      const cluster = new ValkeyCluster([{ host: "127.0.0.1", port }], { retryDelayOnFailover: 0 });
      cluster.on("error", QUIET);
      return Promise.resolve({ client: fromIoredis(cluster), close: () => end(cluster) });
    },
  },
  ...([2, 3] as const).map((RESP): Kind => ({
    name: `node-redis cluster, RESP ${RESP}`,
    cluster: true,
    open: async (port) => {
      const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }], RESP });
      cluster.on("error", QUIET);
      await cluster.connect();
      return { client: fromNodeRedis(cluster), close: () => cluster.destroy() };
    },
  })),
];
