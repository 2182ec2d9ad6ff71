import { assertEquals } from "@std/assert";
import { Cluster, Redis } from "ioredis";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import { assertRefused, type ClientKind, testClient, testReplies } from "./client_suite.ts";

const OPTIONS = { maxRetriesPerRequest: 0, retryStrategy: () => 50 };

function open(url: string, options: Record<string, unknown> = {}): Redis {
  const redis = new Redis(url, { ...OPTIONS, ...options });
  redis.on("error", () => {}); // told by the events that matter
  return redis;
}

/** Closes a client, and waits until its timers are gone. */
async function end(redis: Redis): Promise<void> {
  const ended = new Promise((resolve) => redis.once("end", resolve));
  redis.disconnect();
  await ended;
}

function kind(name: string, options: Record<string, unknown> = {}): ClientKind {
  return {
    name,
    subscribes: true,
    readsErrorsInLists: true,
    open: async (url) => {
      const redis = open(url, options);
      await redis.ping();
      return { client: fromIoredis(redis), owner: { ping: () => redis.ping(), close: () => end(redis) } };
    },
  };
}

testClient(kind("fromIoredis()"));
testReplies(kind("fromIoredis(), RESP2,", { protocol: 2 }));

Deno.test("fromIoredis() refuses what sends commands twice, or changes keys or replies", () => {
  const refused = (options: Record<string, unknown>, ...parts: string[]) => {
    const redis = new Redis({ lazyConnect: true, maxRetriesPerRequest: 0, ...options });
    assertRefused(() => fromIoredis(redis), ...parts);
    redis.disconnect();
  };
  refused({ maxRetriesPerRequest: 20 }, "maxRetriesPerRequest: 0", "got 20");
  refused({ maxRetriesPerRequest: null }, "maxRetriesPerRequest: 0", "got null");
  refused({ keyPrefix: "app:" }, "keyPrefix", '"namespace"', 'got "app:"');
  refused({ stringNumbers: true }, "stringNumbers");
  refused({ retryStrategy: null }, "retryStrategy", "got null");
  refused({ commandTimeout: 1000 }, "without commandTimeout", '"commandTimeout" of connect()', "got 1000");
  const sentinels = [{ host: "127.0.0.1", port: 1 }];
  refused({ sentinels, name: "main", role: "slave" }, "of the primary behind the Sentinels", 'got role "slave"');
});

Deno.test("fromIoredis() refuses a cluster that sends commands twice, or changes keys or replies", () => {
  const refused = (options: Record<string, unknown>, ...parts: string[]) => {
    const node = { host: "127.0.0.1", port: 1 };
    const cluster = new Cluster([node], { lazyConnect: true, retryDelayOnFailover: 0, ...options });
    assertRefused(() => fromIoredis(cluster), ...parts);
    cluster.disconnect();
  };
  refused({ retryDelayOnFailover: undefined }, "retryDelayOnFailover: 0", "got 100");
  refused({ clusterNodeRetryStrategy: () => 100 }, "redisOptions.maxRetriesPerRequest: 0", "got undefined");
  refused({ keyPrefix: "app:" }, "keyPrefix");
  refused({ redisOptions: { keyPrefix: "app:" } }, "keyPrefix");
  refused({ redisOptions: { stringNumbers: true } }, "stringNumbers");
  refused({ enableAutoPipelining: true }, "without enableAutoPipelining", "got true");
});

Deno.test("fromIoredis() refuses what is no client", () => {
  for (const value of [undefined, null, {}, "redis://127.0.0.1", 1]) {
    assertRefused(() => fromIoredis(value as never), "wanted a Redis or a Cluster of npm:ioredis");
  }
});

Deno.test("fromIoredis() connects a lazy client, and leaves no listener behind", async () => {
  await using server = await RedisServer.start();
  const redis = new Redis(server.url, { ...OPTIONS, lazyConnect: true });
  const client = fromIoredis(redis);
  assertEquals([client.connected, client.generation], [false, 0]);
  const changes: string[] = [];
  client.onChange(({ state }) => changes.push(state));
  await until(() => client.connected && changes.length > 0, "it is connected");
  assertEquals([changes, client.generation], [["connected"], 1]);
  await client.close();
  const left = redis.eventNames().map((event) => redis.listenerCount(event));
  assertEquals(left.reduce((sum, count) => sum + count, 0), 0);
  assertEquals(await redis.ping(), "PONG");
  await end(redis);
});
