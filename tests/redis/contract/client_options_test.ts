import { assert, assertEquals } from "@std/assert";
import { Cluster, Redis } from "ioredis";
import { Cluster as ValkeyCluster, Redis as Valkey } from "iovalkey";
import { createClient, createCluster } from "redis";
import { connect, type Larder } from "../../../mod.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../../src/redis/adapters/from_node_redis.ts";
import type { RedisClient } from "../../../src/redis/client.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

/** How many calls are a burst. */
const BURST = 1000;

/** A client as its owner opens it. */
interface Opened {
  readonly client: RedisClient;
  close(): unknown;
}

interface EndsLikeIoredis {
  on(event: "error", listener: () => void): unknown;
  once(event: "end", listener: () => void): unknown;
  disconnect(): void;
}

function ofIoredis(redis: EndsLikeIoredis): Opened {
  redis.on("error", () => {}); // told by the events that matter
  const close = async () => {
    const ended = new Promise<void>((resolve) => redis.once("end", () => resolve()));
    redis.disconnect();
    await ended;
  };
  return { client: fromIoredis(redis as unknown as Redis), close };
}

const IOREDIS: readonly object[] = [
  { enableOfflineQueue: false },
  { autoResubscribe: false },
  { lazyConnect: true, enableOfflineQueue: false },
  { enableReadyCheck: false, enableOfflineQueue: false },
  { readOnly: true },
];
const socket = { socketTimeout: 2000, reconnectStrategy: () => 50 };
const NODE_REDIS: readonly object[] = [
  { disableOfflineQueue: true },
  { commandOptions: { typeMapping: { 36: String, 58: String } } },
  { RESP: 2, commandOptions: { typeMapping: { 36: String, 58: String }, timeout: 20 } },
];

/** What is heard on a channel. */
class Heard {
  readonly numbers: number[] = [];
  readonly #messages: ReturnType<ReturnType<Larder["pubsub"]["channel"]>["subscribe"]>;
  readonly #over: Promise<void>;

  constructor({ pubsub }: Larder) {
    const messages = this.#messages = pubsub.channel<number>("numbers").subscribe();
    this.#over = (async () => {
      for await (const message of messages) if ("value" in message) this.numbers.push(message.value as number);
    })();
  }

  async has({ pubsub }: Larder, number: number): Promise<void> {
    await this.#messages.ready;
    await until(async () => {
      await pubsub.channel<number>("numbers").publish(number).catch(() => {});
      return this.numbers.includes(number);
    }, `${number} is heard`);
  }

  async end(): Promise<void> {
    await this.#messages.return();
    await this.#over;
  }
}

async function burst({ client }: Larder, what: string): Promise<void> {
  const sent = Array.from({ length: BURST }, (_, i) => client.sendCommand("SET", [`${what}:${i}`, i]));
  assertEquals(new Set(await Promise.all(sent)), new Set(["OK"]), what);
  assertEquals(await client.sendCommand("APPEND", [`${what}:7`, "7"]), 2, what); // a number stays one
}

Deno.test({
  name: "Clients with other options of their own take bursts and messages, in an outage nothing, and come back",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    const retryStrategy = () => 50;
    const clients: (() => Opened | Promise<Opened>)[] = [
      ...IOREDIS.flatMap((options) => {
        const all = { maxRetriesPerRequest: 0, retryStrategy, ...options };
        return [() => ofIoredis(new Redis(server.url, all)), () => ofIoredis(new Valkey(server.url, all))];
      }),
      ...NODE_REDIS.map((options) => async () => {
        const redis = createClient({ url: server.url, pingInterval: 500, socket, ...options });
        redis.on("error", () => {}); // told by the events that matter
        await redis.connect();
        return { client: fromNodeRedis(redis as never), close: () => redis.destroy() };
      }),
    ];
    const all = await Promise.all(clients.map(async (open, i) => {
      const { client, close } = await open();
      const larder = await connect({ client, namespace: `n${i}`, commandTimeout: "20s", on: () => {} });
      await larder.ready({ timeout: "20s" });
      return { larder, close, heard: new Heard(larder), name: `${client.name} ${i}` };
    }));
    try {
      for (const { larder, heard, name } of all) {
        await burst(larder, name);
        await heard.has(larder, 1);
      }
      await server.kill();
      await Promise.all(all.map(async ({ larder, name }) => {
        const outcome = await larder.sessions.create("ada", {}).then(() => "done", () => "refused");
        assertEquals(outcome, "refused", name);
      }));
      await server.restart();
      await Promise.all(all.map(async ({ larder, heard, name }) => {
        await until(() => larder.sessions.create("ada", {}).then(() => true, () => false), `${name} is back`);
        await heard.has(larder, 2);
      }));
    } finally {
      for (const { larder, close, heard } of all) {
        await heard.end();
        await larder.close();
        await close();
      }
    }
  },
});

Deno.test({
  name: "Clients of a cluster with other options of their own take bursts and messages",
  ignore: !RedisCluster.possible,
  fn: async () => {
    await using cluster = await RedisCluster.start();
    const { port } = cluster.nodes[0]!;
    const at = { host: "127.0.0.1", port };
    const ioredis = {
      ...{ retryDelayOnFailover: 0, scaleReads: "slave", enableOfflineQueue: false },
      redisOptions: { commandTimeout: 1000, enableOfflineQueue: false, readOnly: true, maxRetriesPerRequest: null },
    };
    const nodeRedis = async (options: object): Promise<Opened> => {
      const redis = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }], ...options });
      redis.on("error", () => {}); // told by the events that matter
      await redis.connect();
      return { client: fromNodeRedis(redis as never), close: () => redis.destroy() };
    };
    const clients: (() => Opened | Promise<Opened>)[] = [
      () => ofIoredis(new Cluster([at], ioredis as object)),
      () => ofIoredis(new ValkeyCluster([at], { ...ioredis, lazyConnect: true } as object)),
      () => nodeRedis({ useReplicas: true, defaults: { commandsQueueMaxLength: 20, disableOfflineQueue: true } }),
      () => nodeRedis({ minimizeConnections: true, defaults: { readonly: true } }),
    ];
    for (const [i, open] of clients.entries()) {
      const { client, close } = await open();
      const larder = await connect({ client, namespace: `n${i}`, buckets: 8, commandTimeout: "20s", on: () => {} });
      const heard = new Heard(larder);
      try {
        await larder.ready({ timeout: "20s" });
        await burst(larder, `${client.name} ${i}`);
        const sessions = await Promise.all(Array.from({ length: 50 }, (_, i) => larder.sessions.create(`u${i}`, {})));
        for (const { id, userId } of sessions) assertEquals((await larder.sessions.get(id))?.userId, userId);
        await heard.has(larder, 1);
        assert((await larder.health()).redis[0]!.answers);
      } finally {
        await heard.end();
        await larder.close();
        await close();
      }
    }
  },
});
