import { assert, assertEquals, assertGreater } from "@std/assert";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";

const BUCKETS = 16;

const OPTIONS = { namespace: "limits", buckets: BUCKETS, rateLimit: { timeout: "10s" } };

Deno.test({
  name: "RateLimiter counts on all nodes of a cluster",
  ignore: !RedisCluster.possible,
  fn: async (t) => {
    await using cluster = await RedisCluster.start();
    await using one = await openOnCluster(cluster, OPTIONS);
    await using two = await openOnCluster(cluster, OPTIONS);
    const limiters = [one.redis.rateLimit, two.redis.rateLimit];

    await t.step("each identity has its limit, whichever process asks, on whichever node", async () => {
      const ids = Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`);
      const results = await Promise.all(
        limiters.flatMap((limiter) => ids.flatMap((id) => [1, 2, 3, 4, 5].map(() => limiter.check("AUTH", id)))),
      );
      assert(results.every(({ source }) => source === "redis"));
      assertEquals(results.filter(({ allowed }) => allowed).length, 60 * 5);
      for (const size of await cluster.each("DBSIZE")) assertGreater(Number(size), 5);
    });

    await t.step("one hot key at once: exactly the limit passes", async () => {
      const results = await Promise.all(
        limiters.flatMap((limiter) => Array.from({ length: 500 }, () => limiter.check("DEFAULT", "hot"))),
      );
      assertEquals(results.filter(({ allowed }) => allowed).length, 100);
    });

    await t.step("checkAll() of one identity is one step on one node", async () => {
      const all = await Promise.all(
        limiters.flatMap((limiter) =>
          Array.from({ length: 30 }, () => limiter.checkAll([["AUTH", "together"], ["DEFAULT", "together"]]))
        ),
      );
      assertEquals(all.filter(({ allowed }) => allowed).length, 5);
      assertEquals((await limiters[0]!.peek("DEFAULT", "together")).remaining, 95);
    });

    await t.step("checkAll() of identities on different nodes is all or nothing, too", async () => {
      const users = Array.from({ length: 10 }, (_, i) => `user:${i}`);
      const entries = [["AUTH", "apart"], ...users.map((id) => ["API", id])] as ["API" | "AUTH", string][];
      const passed: boolean[] = [];
      for (let i = 0; i < 8; i++) passed.push((await limiters[i % 2]!.checkAll(entries)).allowed);
      assertEquals(passed, [true, true, true, true, true, false, false, false]);
      for (const id of users) assertEquals((await limiters[0]!.peek("API", id)).remaining, 995, id);
      const refused = await limiters[1]!.checkAll(entries);
      assertEquals(refused.results.map(({ remaining }) => remaining), [0, ...users.map(() => 995)]);
    });

    await t.step("what is reserved is taken back where it is", async () => {
      for (let i = 0; i < 20; i++) {
        const attempt = await limiters[0]!.reserve("AUTH", `back:${i}`);
        assertEquals(await attempt.refund(), true);
        assertEquals((await limiters[1]!.peek("AUTH", `back:${i}`)).remaining, 5);
      }
    });

    await t.step("what the nodes have forgotten of the script is sent again", async () => {
      await cluster.each("SCRIPT", "FLUSH");
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, i) => limiters[0]!.check("API", `flushed:${i}`)),
      );
      assert(results.every(({ source, remaining }) => source === "redis" && remaining === 999));
    });
  },
});
