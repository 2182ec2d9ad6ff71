import { assert, assertGreater } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import { MemoryStore } from "../../../src/cache/memory_store.ts";
import { RedisStore } from "../../../src/cache/redis/store.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { Connections } from "./systems.ts";

/** By how many milliseconds two clocks may differ, rounding included. */
const CLOCKS = 3;
/** Milliseconds of freshness, and beyond. */
const LIVES = [100, 200].flatMap((ttl) => [0, 100].flatMap((swr) => [0, 200].map((sie) => [ttl, swr, sie] as const)));

/**
 * Looks at entries with short lives until all are gone, while time passes by itself. A look is judged where it is
 * certain which state it has to find, whenever between its call and its answer it took place.
 */
async function watchTimesPass(cache: Cache): Promise<Record<string, number>> {
  const judged: Record<string, number> = { hit: 0, stale: 0, miss: 0 };
  const gone = LIVES.map(async ([ttl, staleWhileRevalidate, staleIfError], i) => {
    const lives = { ttl, staleWhileRevalidate, staleIfError };
    const seconds = Object.fromEntries(Object.entries(lives).map(([name, ms]) => [name, ms / 1000]));
    const served = ttl + Math.max(staleWhileRevalidate, staleIfError);
    const before = performance.now();
    assert(await cache.set(`${i}`, i, seconds));
    const after = performance.now();
    for (let status = ""; status !== "miss";) {
      const asked = performance.now();
      ({ status } = await cache.lookup(`${i}`));
      const [least, most] = [asked - after - CLOCKS, performance.now() - before + CLOCKS];
      const expected = most < ttl ? "hit" : least > served ? "miss" : least > ttl && most < served ? "stale" : "";
      if (expected) judged[expected]!++;
      assert(!expected || status === expected, `${status} after ${least} to ${most} ms of ${JSON.stringify(lives)}`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  });
  await Promise.all(gone);
  return judged;
}

Deno.test("Cache lets values become stale and expire as time passes by itself", async (t) => {
  await using server = await RedisServer.start();
  await using connections = await Connections.open(server);
  const redis = new RedisStore(connections.batches[0]!, { namespace: `soak-${crypto.randomUUID()}` });
  const stores = { memory: new MemoryStore(), redis };
  for (const [name, store] of Object.entries(stores)) {
    await t.step(name, async () => {
      await using cache = new Cache(store);
      const judged = await watchTimesPass(cache);
      assertGreater(judged.hit!, 0);
      assertGreater(judged.stale!, 0);
    });
  }
});
