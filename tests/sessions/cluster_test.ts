import { assert, assertEquals } from "@std/assert";
import { hashSlot } from "../../src/redis/cluster/hash_slot.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { until } from "../support/until.ts";

const BUCKETS = 16;

Deno.test({
  name: "Sessions on a Redis Cluster",
  ignore: !RedisCluster.possible,
  fn: async (t) => {
    await using cluster = await RedisCluster.start();
    const namespace = "shop";
    const options = { namespace, buckets: BUCKETS, sessions: { maxPerUser: 20 } };
    await using first = await openOnCluster(cluster, options);
    await using second = await openOnCluster(cluster, options);
    const [one, two] = [first.redis.sessions, second.redis.sessions];
    const users = Array.from({ length: 60 }, (_, i) => `user${i}`);
    // Of sessions: what the process holds else is none of theirs.
    const keys = async () => (await cluster.each("KEYS", "{shop:*}:s*")).flat() as string[];

    await t.step("tokens name the bucket of their user, and all of a user is in one slot", async () => {
      const all = await Promise.all(users.flatMap((user) => [one.create(user, { user }), two.create(user, { user })]));
      for (const [i, session] of all.entries()) {
        assert(/^\d\d\.[\w-]{43}$/.test(session.id), "a slot tag and 256 bits");
        assertEquals(session.id.slice(0, 3), all[i ^ 1]!.id.slice(0, 3));
        assertEquals(session.id.slice(0, 3), session.handle.slice(0, 3));
      }
      const read = await Promise.all(all.map(({ id }) => two.get(id)));
      assertEquals(read.map((session) => session?.data.user), users.flatMap((user) => [user, user]));
      const slots = new Set((await keys()).map((key) => hashSlot(key)));
      assertEquals(slots.size, BUCKETS);
      const counts = await cluster.each("DBSIZE");
      assert(counts.every((count) => Number(count) > 0), `keys per node: ${counts}`);
      for (const user of users) assertEquals((await one.list(user)).length, 2);
    });

    await t.step("a token or a handle of another bucket is none", async () => {
      const { id, handle } = await one.create("ada", {});
      for (const place of ["15.", "16.", "99.", "7.", ""]) {
        if (id.startsWith(place) && place !== "") continue;
        assertEquals(await one.get(place + id.slice(3)), undefined);
        assertEquals(await one.destroy({ handle: place + handle.slice(3) }), false);
      }
      assert(await one.destroy({ handle }));
    });

    await t.step("update, regenerate, destroy and destroyAll work in their slots", async () => {
      await Promise.all(users.map(async (user) => {
        const session = await one.create(user, { n: 1 });
        assertEquals((await two.update(session.id, ({ n }) => ({ n: n as number + 1 })))?.data, { n: 2 });
        const renewed = await two.regenerate(session.id);
        assertEquals(await one.get(session.id), undefined);
        assertEquals(await one.destroyAll(user, { except: renewed! }), 2);
        assertEquals((await two.list(user)).map(({ handle }) => handle), [renewed!.handle]);
        assertEquals(await two.destroy(renewed!.id), true);
      }));
      assertEquals((await keys()).filter((key) => !key.endsWith(":sl")), []);
    });

    await t.step("a visitor who logs in moves to the slot of the user", async () => {
      for (let i = 0; i < 20; i++) {
        const visitor = await one.create(null, { basket: [i], gone: 1 }, { tags: ["visitors"] });
        const user = await two.regenerate(visitor.id, { userId: "ada", data: { gone: undefined, more: 2 } });
        assertEquals([user?.userId, user?.data, user?.tags], ["ada", { basket: [i], more: 2 }, ["visitors"]]);
        assertEquals(await one.get(visitor.id), undefined);
        assertEquals((await one.get(user!.id))?.data, { basket: [i], more: 2 });
      }
      assertEquals((await one.list("ada")).length, 20);
    });

    await t.step("destroyByTag() reaches all slots", async () => {
      const all = await Promise.all(users.map((user) => one.create(user, {}, { tags: ["org"] })));
      assertEquals(await two.destroyByTag("org"), users.length);
      for (const { id } of all) assertEquals(await one.get(id), undefined);
      assertEquals((await one.list("ada")).length, 20);
    });

    await t.step("a slot that moves takes its sessions along", async () => {
      const session = await one.create("ada", { n: 1 });
      const key = (await keys()).find((name) => name.endsWith(session.handle))!;
      const from = await cluster.ownerOf(key);
      const to = cluster.nodes.find((node) => node !== from)!;
      await cluster.beginMove(key, to);
      await cluster.endMove(key, to);
      await until(async () => (await one.get(session.id).catch(() => undefined)) !== undefined, "it is found again");
      assertEquals((await two.get(session.id))?.data, { n: 1 });
      assert(await two.destroyAll("ada") > 0);
      assertEquals(await one.get(session.id), undefined);
    });
  },
});
