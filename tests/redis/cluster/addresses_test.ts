import { assert, assertEquals } from "@std/assert";
import { Cluster } from "ioredis";
import { connect } from "../../../mod.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { readSlots, readTarget } from "../../../src/redis/cluster/slot_map.ts";
import { delay } from "../../../src/util/abort.ts";
import { openOnCluster } from "../../support/open_on_cluster.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { until } from "../../support/until.ts";

const asked = { host: "10.0.0.9", port: 6379 };
const ownerOf = (...owner: unknown[]) => readSlots([[0, 16383, owner]], asked)?.map(({ owner }) => owner);

Deno.test("readSlots() reads where a node is, however it is told", () => {
  const found = (host: string) => [{ host, port: 6380 }];
  assertEquals(ownerOf("10.0.0.1", 6380, "id"), found("10.0.0.1"));
  assertEquals(ownerOf("redis-1", 6380, "id", ["ip", "10.0.0.1"]), found("redis-1"));
  assertEquals(ownerOf(new TextEncoder().encode("redis-1"), 6380), found("redis-1"));
  // It does not know where it is: there, where it was asked.
  assertEquals(ownerOf(null, 6380, "id", []), found("10.0.0.9"));
  assertEquals(ownerOf("", 6380), found("10.0.0.9"));
  // Names are preferred, and it has none.
  assertEquals(ownerOf("?", 6380, "id", ["ip", "10.0.0.1"]), found("10.0.0.1"));
  assertEquals(ownerOf("?", 6380, "id", []), undefined);
  assertEquals(ownerOf("", 0, "id", []), undefined); // it is where nobody knows
});

Deno.test("readTarget() leads nowhere where the name of a node is not known", () => {
  assertEquals(readTarget("MOVED 3999 10.0.0.1:6381"), { slot: 3999, host: "10.0.0.1", port: 6381 });
  assertEquals(readTarget("ASK 3999 :6381"), { slot: 3999, host: "", port: 6381 });
  assertEquals(readTarget("MOVED 3999 ?:6381"), undefined);
});

Deno.test({
  name: "A cluster that prefers names is used before its nodes have any, and while they get them",
  ignore: !RedisCluster.possible,
  async fn() {
    await using cluster = await RedisCluster.start(3, { config: { "cluster-preferred-endpoint-type": "hostname" } });
    // The client itself takes "?" for a name, and gets nowhere.
    const client = new Cluster([{ host: "127.0.0.1", port: cluster.nodes[0]!.port }], {
      retryDelayOnFailover: 0,
      redisOptions: { disconnectTimeout: 5 }, // it waits for as long after each end, and forgets the timer
    });
    client.on("error", () => {});
    const options = { namespace: "shop", buckets: 16, commandTimeout: "5s", on: () => {} };
    await using redis = await connect({ client: fromIoredis(client), ...options });
    await redis.ready({ timeout: "20s" });
    const users = Array.from({ length: 32 }, (_, i) => `user${i}`);
    for (const user of users) await redis.sessions.create(user, {});
    for (const node of cluster.nodes) await node.cli("CONFIG", "SET", "cluster-announce-hostname", "localhost");
    for (const user of users) assertEquals((await redis.sessions.list(user)).length, 1);
    assertEquals((await redis.health()).status, "ok");
    client.disconnect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  },
});

Deno.test({
  name: "Messages of one channel go by one node of a cluster, so that they stay in their order",
  ignore: !RedisCluster.possible,
  async fn() {
    await using cluster = await RedisCluster.start();
    await using opened = await openOnCluster(cluster, { namespace: "shop", buckets: 16, on: () => {} });
    const channel = opened.redis.pubsub.channel<number>("news");
    for (let i = 0; i < 30; i++) await channel.publish(i);
    const counts = await Promise.all(cluster.nodes.map(async (node) => {
      const stats = String(await node.cli("INFO", "commandstats"));
      return Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    }));
    assertEquals(counts.sort((a, b) => b - a), [30, 0, 0]);
  },
});

Deno.test({
  name: "A master that has lost its disk, and with it its name, silences no channel",
  ignore: !RedisCluster.possible,
  async fn() {
    await using cluster = await RedisCluster.start();
    await using opened = await openOnCluster(cluster, { namespace: "shop", buckets: 16, on: () => {} });
    const { pubsub, sessions } = opened.redis;
    const channel = pubsub.channel<number>("orders");
    await using messages = channel.subscribe();
    await messages.ready;
    let heard = 0;
    const loop = (async () => {
      for await (const { value } of messages) heard = value ?? heard;
    })();
    const [first, , third] = cluster.nodes;
    await third!.restart({ flush: true });
    await until(async () => String(await first!.cli("CLUSTER", "NODES")).includes(":0@0"), "it has no address");
    await until(async () => {
      await Promise.allSettled(Array.from({ length: 32 }, (_, i) => sessions.create(`user${i}`, {})));
      const nodes = (await opened.redis.health()).redis.flatMap(({ nodes = [] }) => nodes);
      return !nodes.some(({ address }) => address.endsWith(`:${third!.port}`));
    }, "Larder knows that");
    for (let sent = 1; heard === 0; sent++) {
      assert(sent < 200, "the channel is silent");
      await channel.publish(sent).catch(() => {});
      await delay(50);
    }
    await messages.return();
    await loop;
  },
});
