import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { createCluster } from "redis";
import { connect, type Larder } from "../../../mod.ts";
import { bucketOf } from "../../../src/redis/buckets.ts";
import { hashSlot } from "../../../src/redis/cluster/hash_slot.ts";
import { fromNodeRedis } from "../../../src/redis/adapters/from_node_redis.ts";
import { openOnCluster } from "../../support/open_on_cluster.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { AT_ONCE } from "../../support/replica.ts";

const BUCKETS = 4;
const durability = { replicas: 1, timeout: "20s" };
const soon = { replicas: 1, timeout: "500ms" };
const users = Array.from({ length: 40 }, (_, i) => `user${i}`);

async function logins(redis: Larder, durability: { replicas: number; timeout: string }): Promise<boolean[]> {
  const all = users.map(async (user) =>
    (await redis.sessions.create(user, {}, { durability, tags: ["all"] })).replicated!
  );
  return await Promise.all(all);
}

Deno.test({
  name: "durability on a cluster: each node waits for replicas of its own",
  ignore: !RedisCluster.possible,
  async fn(t) {
    await using cluster = await RedisCluster.start(2, { replicas: 1, config: AT_ONCE });
    const [first, second, firstReplica] = cluster.nodes;
    const onFirst = await Promise.all(users.map(async (user) => {
      return await cluster.ownerOf(`{safe:${bucketOf(user, BUCKETS)}}`) === first;
    }));
    assertEquals(new Set(onFirst).size, 2);
    await using opened = await openOnCluster(cluster, { namespace: "safe", buckets: BUCKETS, on: () => {} });
    const { redis } = opened;

    await t.step("all of them, in a few rounds", async () => {
      assert((await logins(redis, durability)).every((replicated) => replicated));
      assertEquals(await redis.sessions.destroyByTag("all", { durability }), { destroyed: 40, replicated: true });
      const check = await redis.rateLimit.checkAll(users.map((user) => ["API", user]), { durability });
      assertEquals(check.replicated, true);
      const stats = await Promise.all([first!, second!].map((node) => node.cli("INFO", "commandstats")));
      const waits = stats.map((text) => Number(/cmdstat_wait:calls=(\d+)/.exec(String(text))![1]));
      assert(waits.every((calls) => calls > 0 && calls < 20), `${waits}`);
    });

    await t.step("a replica that does not answer costs its own node only", async () => {
      await firstReplica!.pause();
      const since = performance.now();
      const replicated = await logins(redis, soon);
      assertEquals(replicated, onFirst.map((first) => !first));
      assertLess(performance.now() - since, 5000);
      assertEquals((await redis.sessions.destroyByTag("all", { durability: soon })).replicated, false);
      await firstReplica!.resume();
    });

    await t.step("a slot that moves is followed, and nothing is said of the node that had it", async () => {
      const slot = hashSlot(`{safe:${bucketOf(users[0]!, BUCKETS)}}`);
      const [from, to] = onFirst[0] ? [first!, second!] : [second!, first!];
      const [fromId, toId] = await Promise.all(
        [from, to].map(async (node) => String(await node.cli("CLUSTER", "MYID"))),
      );
      // The wait is the first to hear of it: the slot has moved between the write and that.
      await redis.sessions.create(users[0]!, {}, { durability });
      await to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId!);
      await from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", toId!);
      for (;;) {
        const keys = await from.cli("CLUSTER", "GETKEYSINSLOT", slot, 100) as string[];
        if (keys.length === 0) break;
        await from.cli("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "REPLACE", "KEYS", ...keys);
      }
      for (const node of [to, from]) await node.cli("CLUSTER", "SETSLOT", slot, "NODE", toId!);
      const sessions = await Promise.all(
        Array.from({ length: 5 }, () => redis.sessions.create(users[0]!, {}, { durability })),
      );
      assert(sessions.every(({ replicated }) => replicated));
      const keys = await to.cli("CLUSTER", "GETKEYSINSLOT", slot, 100) as string[];
      assertGreater(keys.length, 0);
    });

    await t.step("over a cluster client of node-redis, too", async () => {
      const client = createCluster({ rootNodes: [{ url: first!.url }] });
      client.on("error", () => {});
      await client.connect();
      await using redis = await connect({
        client: fromNodeRedis(client),
        namespace: "other",
        buckets: BUCKETS,
        commandTimeout: "10s",
        on: () => {},
      });
      await redis.ready({ timeout: "20s" });
      assert((await logins(redis, durability)).every((replicated) => replicated));
      await redis.close();
      await client.close();
    });
  },
});
