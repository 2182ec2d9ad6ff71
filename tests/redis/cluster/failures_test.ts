import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Larder } from "../../../mod.ts";
import { UnavailableError } from "../../../src/errors.ts";
import { hashSlot } from "../../../src/redis/cluster/hash_slot.ts";
import { openOnCluster } from "../../support/open_on_cluster.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const BUCKETS = 16;
const OPTIONS = { namespace: "shop", buckets: BUCKETS, commandTimeout: "1s", rateLimit: { timeout: "1s" } };
const USERS = Array.from({ length: 60 }, (_, i) => `user${i}`);

/** What is kept on one node, and what elsewhere. */
interface Sessions {
  readonly here: string[];
  readonly elsewhere: string[];
}

/** Creates sessions on all nodes, and tells which are on a node. */
async function sessionsOn(cluster: RedisCluster, redis: Larder, node: RedisServer): Promise<Sessions> {
  const all = await Promise.all(USERS.map((user) => redis.sessions.create(user, { user })));
  const names = (await node.cli("KEYS", "{shop:*}:s:*") as string[]).map((name) => name.split(":").at(-1)!);
  const here = all.filter(({ handle }) => names.includes(handle)).map(({ id }) => id);
  const elsewhere = all.map(({ id }) => id).filter((id) => !here.includes(id));
  assert(here.length > 5 && elsewhere.length > 5, `${here.length} here, ${elsewhere.length} elsewhere`);
  assert(cluster.nodes.includes(node));
  return { here, elsewhere };
}

/** Reads sessions over and over, and counts what failed. */
async function read(redis: Larder, ids: readonly string[], milliseconds: number): Promise<[number, number, unknown]> {
  let [all, failed, why]: [number, number, unknown] = [0, 0, undefined];
  const until = performance.now() + milliseconds;
  await Promise.all(Array.from({ length: 8 }, async (_, caller) => {
    for (let i = caller; performance.now() < until; i++) {
      all++;
      const session = await redis.sessions.get(ids[i % ids.length]!).catch((error: unknown) => (why = error, null));
      if (!session) failed++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }));
  return [all, failed, why];
}

Deno.test({
  name: "A node of a cluster that is down costs its own slots and nobody else's",
  ignore: !RedisCluster.possible,
  fn: async (t) => {
    await using cluster = await RedisCluster.start(3, { config: { "cluster-require-full-coverage": "no" } });
    await using opened = await openOnCluster(cluster, OPTIONS);
    const { redis } = opened;
    const node = cluster.nodes[1]!;
    const address = `127.0.0.1:${node.port}`;
    const { here, elsewhere } = await sessionsOn(cluster, redis, node);

    const healthy = async (reads: Promise<[number, number, unknown]>) => {
      const [all, failed, why] = await reads;
      assert(all > 10, `${all} reads`);
      assertEquals([failed, why], [0, undefined], `of ${all} reads ${failed} failed`);
    };

    await t.step("health() names the nodes", async () => {
      const { status, redis: [server] } = await redis.health();
      assertEquals(status, "ok");
      assertEquals(
        server!.nodes?.map((one) => one.address).sort(),
        cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).sort(),
      );
      for (const one of server!.nodes!) {
        assertEquals([one.connected, one.circuit, one.error], [true, "closed", undefined]);
      }
    });

    await t.step("one that hangs", async () => {
      await node.pause();
      const lost = read(redis, here, 1500);
      await healthy(read(redis, elsewhere, 1500));
      const [all, failed, why] = await lost;
      assertEquals(failed, all);
      assert(why instanceof UnavailableError);
      const { status, warnings, redis: [server] } = await redis.health();
      assertEquals(status, "degraded");
      const named = server!.nodes!.find((one) => one.address === address)!;
      assert(!named.connected && named.error !== undefined, JSON.stringify(named));
      assert(warnings.some((text) => text.includes(address)), `${warnings}`);
      await node.resume();
      await until(async () => (await redis.sessions.get(here[0]!).catch(() => null)) !== null, "it is back");
      await healthy(read(redis, [...here, ...elsewhere], 200));
    });

    await t.step("one that is gone", async () => {
      await node.kill();
      const lost = read(redis, here, 1000);
      await healthy(read(redis, elsewhere, 1000));
      assertEquals((await lost)[1], (await lost)[0]);
    });

    await t.step("limits are counted on the others, and decided by policy there", async () => {
      const ids = Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`);
      const results = await Promise.all(ids.map((id) => redis.rateLimit.check("API", id)));
      const counted = results.filter(({ source }) => source === "redis").length;
      assert(counted > 10 && counted < 60, `${counted} of 60`);
    });

    await t.step("invalidations wait for that node only", async () => {
      const { cache } = redis;
      const keys = Array.from({ length: 60 }, (_, i) => `product:${i}`);
      await cache.setMany(keys.map((key) => [key, 1] as const), { tags: ["products"], ttl: "1h" });
      const found = [...(await cache.getMany(keys)).keys()];
      assert(found.length > 10 && found.length < 60, `${found.length} of 60`);
      assertEquals((await cache.invalidateByTag("products")).status, "queued");
      assertEquals((await cache.getMany(keys)).size, 0, "nothing old is served");
      for (const key of found) assertEquals(await cache.set(key, 2, { tags: ["products"], ttl: "1h" }), true, key);
      const again = await cache.getMany(found);
      assertEquals(again.size, found.length);
      // What is on healthy nodes is done at once.
      assertEquals((await cache.invalidate(found[0]!)).status, "done");
    });

    await t.step("what waits is done when the node is back", async () => {
      await node.restart();
      await cluster.agrees();
      await until(() => redis.cache.stats().queued === 0, "the invalidations are replayed");
      await until(async () => (await redis.health()).status === "ok", "all is well");
    });
  },
});

Deno.test({
  name: "A slot that moves costs nobody but itself, and says why",
  ignore: !RedisCluster.possible,
  fn: async (t) => {
    await using cluster = await RedisCluster.start();
    await using opened = await openOnCluster(cluster, OPTIONS);
    const { redis } = opened;
    const session = await redis.sessions.create("ada", {});
    const tag = `{shop:${session.handle.slice(0, 2)}}`;
    const from = await cluster.ownerOf(tag);
    const to = cluster.nodes.find((node) => node !== from)!;
    const { elsewhere } = await sessionsOn(cluster, redis, from);
    const inSlot = (user: { handle: string }) => `{shop:${user.handle.slice(0, 2)}}` === tag;
    for (let i = 0; i < 20; i++) await redis.cache.set(`key:${i}`, i, { ttl: "1h" });

    await cluster.beginMove(tag, to);
    const slot = hashSlot(tag);
    const keys = await from.cli("CLUSTER", "GETKEYSINSLOT", slot, 1000) as string[];
    // One key at a time, as `redis-cli --cluster reshard` does.
    const one = keys.find((key) => key.endsWith(session.handle))!;
    await from.cli("MIGRATE", "127.0.0.1", to.port, one, 0, 5000);

    await t.step("of new sessions only those of the slot are refused, with the reason", async () => {
      const made = await Promise.allSettled(
        Array.from({ length: 160 }, (_, i) => redis.sessions.create(`new${i}`, {})),
      );
      const failed = made.flatMap((end) => end.status === "rejected" ? [end.reason] : []);
      assert(failed.length <= 160 / BUCKETS * 2.5, `${failed.length} of 160 failed`);
      for (const error of failed) {
        assert(error instanceof UnavailableError);
        assertEquals(error.reason, "refused");
        assertEquals(error.code, "TRYAGAIN");
        assertMatch(error.message, /the keys are moving to another node/);
      }
      for (const end of made) if (end.status === "fulfilled") assert(!inSlot(end.value) || failed.length === 0);
      for (const id of elsewhere) assert(await redis.sessions.get(id));
      const { failures } = redis.metrics()[0]!;
      assertEquals([failures["timeout"], failures["circuit-open"], failures["connection"]], [
        undefined,
        undefined,
        undefined,
      ]);
    });

    await t.step("clear() is done or queued, and so is every other invalidation", async () => {
      const { cache } = redis;
      for (const made of [cache.clear(), cache.invalidateByTag("a"), cache.invalidateByPattern("key:*")]) {
        assert(["done", "queued"].includes((await made).status));
      }
      for (let i = 0; i < 20; i++) assertEquals(await cache.get(`key:${i}`), undefined);
      await redis.sessions.destroyAll("ada").catch((error) => assert(error instanceof UnavailableError, String(error)));
      await redis.rateLimit.check("API", "198.51.100.7");
    });

    await t.step("it comes back with the end of the move", async () => {
      await cluster.endMove(tag, to);
      await redis.sessions.create("ada", {});
      await until(() => redis.cache.stats().queued === 0, "what waited is done");
      assertEquals((await redis.cache.invalidateByTag("a")).status, "done");
    });
  },
});

Deno.test({
  name: "A replica that takes over is followed, and so is the old primary as a replica",
  ignore: !RedisCluster.possible,
  fn: async () => {
    await using cluster = await RedisCluster.start(3, { replicas: 1 });
    await using opened = await openOnCluster(cluster, OPTIONS);
    const { redis } = opened;
    const [first] = cluster.nodes;
    await redis.cache.set("a", 1, { tags: ["t"] });
    assertEquals((await redis.cache.invalidateByTag("t")).status, "done");
    await first!.kill();
    const others = cluster.nodes.slice(1);
    await until(async () => {
      const infos = await Promise.all(others.map((node) => node.cli("CLUSTER", "INFO")));
      return infos.every((info) => String(info).includes("cluster_state:ok")) &&
        String(await cluster.nodes[3]!.cli("ROLE")).startsWith("master");
    }, "the cluster has recovered");
    await until(async () => (await redis.cache.invalidateByTag("t")).status === "done", "invalidations are done");
    for (const user of USERS) await redis.sessions.create(user, {});
    // The old primary comes back as a replica.
    await first!.restart();
    await until(async () => String(await first!.cli("ROLE")).startsWith("slave"), "it follows");
    for (const user of USERS) await redis.sessions.create(user, {});
    assertEquals((await redis.cache.invalidateByTag("t")).status, "done");
  },
});
