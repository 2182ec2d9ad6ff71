import { assert, assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { connect, type ConnectOptions, type Larder } from "../../../mod.ts";
import { fromDbRedis } from "../../../src/redis/adapters/from_db_redis.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../../src/redis/adapters/from_node_redis.ts";
import { delay } from "../../../src/util/abort.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

/** Within how many milliseconds a client has to be back: seconds, on a machine that is busy. */
const SOON = 10_000;
const quiet = () => {};

/** How a client is opened, with the options that docs/clients.md names, on a proxy that may swallow all. */
interface Opener {
  readonly name: string;
  readonly cluster?: boolean;
  /** Whether its owner has to connect it first. */
  readonly connects?: boolean;
  open(proxy: TcpProxy, port: number): Promise<{ options: ConnectOptions; close(): unknown }>;
}

const at = (proxy: TcpProxy) => ({ host: "127.0.0.1", port: proxy.port });

async function ioredisEnd(redis: { once(event: "end", listener: () => void): unknown; disconnect(): void }) {
  const ended = new Promise<void>((resolve) => redis.once("end", resolve));
  redis.disconnect();
  await ended;
}

const OPENERS: readonly Opener[] = [
  { name: "url", open: (proxy) => Promise.resolve({ options: { url: proxy.url }, close: quiet }) },
  {
    name: "ioredis",
    open: (proxy) => {
      const redis = new Redis({ ...at(proxy), maxRetriesPerRequest: 0 });
      redis.on("error", quiet);
      return Promise.resolve({ options: { client: fromIoredis(redis) }, close: () => ioredisEnd(redis) });
    },
  },
  ...[
    { name: "node-redis", options: {} },
    {
      name: "node-redis that finds out itself",
      options: { pingInterval: 500, socket: { socketTimeout: 2000, reconnectStrategy: () => 100 } },
    },
  ].map(({ name, options }): Opener => ({
    name,
    open: (proxy) => {
      const redis = createClient({ ...options, socket: { ...at(proxy), ...options.socket } });
      redis.on("error", quiet);
      redis.connect().catch(quiet); // it does not return while all is swallowed
      return Promise.resolve({ options: { client: fromNodeRedis(redis) }, close: () => redis.destroy() });
    },
  })),
  {
    name: "ioredis Cluster",
    cluster: true,
    open: (proxy, port) => {
      const cluster = new Cluster([at(proxy)], {
        retryDelayOnFailover: 0,
        natMap: { [`127.0.0.1:${port}`]: at(proxy) },
      });
      cluster.on("error", quiet);
      return Promise.resolve({
        options: { client: fromIoredis(cluster), buckets: 4 },
        close: () => ioredisEnd(cluster),
      });
    },
  },
  {
    name: "node-redis cluster",
    cluster: true,
    connects: true,
    open: async (proxy, port) => {
      const cluster = createCluster({
        rootNodes: [{ url: proxy.url }],
        nodeAddressMap: { [`127.0.0.1:${port}`]: at(proxy) },
      });
      cluster.on("error", quiet);
      await cluster.connect();
      return { options: { client: fromNodeRedis(cluster), buckets: 4 }, close: () => cluster.destroy() };
    },
  },
];

/** Waits until it works, and tells after how many milliseconds. */
async function backAfter(redis: Larder): Promise<number> {
  const since = performance.now();
  await until(async () => await redis.cache.set("a", 1) && await redis.cache.get("a") === 1, "it is back");
  await until(() => redis.sessions.create("ada", {}).then(() => true, () => false), "sessions are back");
  return performance.now() - since;
}

async function hangs({ connects, open }: Opener, port: number, log: EventLog): Promise<void> {
  await using proxy = TcpProxy.start({ port });
  if (!connects) proxy.freeze();
  const { options, close } = await open(proxy, port);
  const redis = await connect({ ...options, namespace: "hangs", on: log.on });
  if (connects) await redis.ready({ timeout: "20s" });
  else assertEquals(await redis.cache.set("a", 1), false);
  proxy.thaw();
  assertLess(await backAfter(redis), SOON, "in the handshake");
  // And later, in the middle of all; what is made anew meanwhile hangs in its handshake.
  proxy.freeze();
  await until(async () => !await redis.cache.set("a", 1), "it hangs");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  proxy.thaw();
  assertLess(await backAfter(redis), SOON, "later");
  await redis.close();
  await close();
}

for (const cluster of [false, true]) {
  Deno.test({
    name: `Connections ${cluster ? "to a cluster " : ""}that are accepted and swallowed are replaced, by each client`,
    ignore: cluster && !RedisCluster.possible,
    async fn() {
      await using server = await (cluster
        ? RedisCluster.start(1, { config: { "cluster-announce-ip": "127.0.0.1" } })
        : RedisServer.start());
      const { port } = server instanceof RedisCluster ? server.nodes[0]! : server;
      const log = new EventLog();
      await Promise.all(
        OPENERS.filter((one) =>
          Boolean(one.cluster) === cluster
        ).map(async (opener) => {
          await hangs(opener, port, log).catch((error) => {
            throw new Error(`${opener.name}: ${error}`, { cause: error });
          });
        }),
      );
      assertEquals(log.events.filter(({ type }) => type === "warning"), []);
    },
  });
}

Deno.test({
  name: "One bucket on a cluster is a warning, as is what switches copies off",
  ignore: !RedisCluster.possible,
  async fn() {
    await using cluster = await RedisCluster.start(1);
    const client = new Cluster([{ host: "127.0.0.1", port: cluster.nodes[0]!.port }], {
      retryDelayOnFailover: 0,
      redisOptions: { disconnectTimeout: 10 }, // else a connection that looked for the nodes has a timer for 2 s
    });
    client.on("error", quiet);
    const log = new EventLog();
    const warnings = () => log.events.flatMap((event) => event.type === "warning" ? [event.message] : []);
    const redis = await connect({ client: fromIoredis(client), on: log.on });
    assertEquals(warnings().length, 1);
    assertStringIncludes(warnings()[0]!, '"buckets: 16" in all processes');
    await redis.close();
    const more = await connect({ client: fromIoredis(client), buckets: 2, on: log.on });
    assertEquals(warnings().length, 1);
    await more.close();
    await ioredisEnd(client);
    const clients = async () => String(await cluster.nodes[0]!.cli("INFO", "clients"));
    await until(async () => (await clients()).includes("connected_clients:1\r"), "its last connection has gone");
    await delay(50); // the timer of that is over before

    // A client that cannot subscribe: copies would be behind for ever, so there are none.
    const dumb = {
      name: "dumb",
      connected: true,
      generation: 1,
      pipeline: (commands: readonly unknown[]) => Promise.resolve(commands.map(() => null)),
      reset: quiet,
      subscribe: () => Promise.reject(new Error("it cannot subscribe")),
      onChange: quiet,
      close: () => Promise.resolve(),
    };
    const deaf = await connect({ client: dumb, cache: { local: true }, on: log.on });
    await deaf.cache.get("a");
    await until(() => warnings().length === 2, "it is told");
    assertStringIncludes(warnings()[1]!, "copies");
    await deaf.close();
  },
});

Deno.test("The cluster client of @db/redis is refused with what to use instead", () => {
  const executor = { exec: quiet };
  const cluster = {
    executor,
    pipeline: quiet,
    sendCommand: quiet,
    get isConnected(): boolean {
      throw new Error("not implemented");
    },
  };
  const error = assertThrows(() => fromDbRedis(cluster as never), TypeError);
  for (const part of ["the cluster client of jsr:@db/redis", "fromIoredis(new Cluster(…))"]) {
    assert(error.message.includes(part), error.message);
  }
});
