import { assertEquals, assertGreater } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import { openOnHarness } from "./contract/cache_tools.ts";
import { MemoryHarness } from "./contract/harness.ts";

const COUNT = 8000;
const KEYS = Array.from({ length: COUNT }, (_, i) => `key:${i}`);
const entries = (): Map<string, unknown> => new Map(KEYS.map((key, i) => [key, { i, text: "x".repeat(200) }]));
const OPTIONS = { ttl: 600, tags: ["t"] };

const calls: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  "setMany()": (cache) => cache.setMany(entries(), OPTIONS),
  "getMany()": async (cache) => (await cache.getMany(KEYS)).size === COUNT,
  "getOrSetMany() of what is there": async (cache) => (await cache.getOrSetMany(KEYS, () => new Map())).size === COUNT,
  "invalidateMany()": async (cache) => (await cache.invalidateMany(KEYS)).removed === COUNT,
  "getOrSetMany() of what is not there": async (cache) =>
    (await cache.getOrSetMany(KEYS, () => entries(), OPTIONS)).size === COUNT,
  "setMany() again": (cache) => cache.setMany(entries(), OPTIONS),
};

Deno.test("Big calls on the embedded store leave others their turn", async (t) => {
  await using harness = new MemoryHarness({ maxEntries: 2 * COUNT });
  const { cache } = await openOnHarness(harness);
  for (const [name, call] of Object.entries(calls)) {
    await t.step(name, async () => {
      let turns = 0;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const again = () => {
        turns++;
        timer = setTimeout(again, 0);
      };
      again();
      const done = await call(cache).finally(() => clearTimeout(timer));
      assertEquals(done, true);
      assertGreater(turns, 5);
    });
  }
});

Deno.test("Others find and change what they want of the embedded store while a big call goes on", async () => {
  await using harness = new MemoryHarness({ maxEntries: 2 * COUNT });
  const { cache } = await openOnHarness(harness);
  await cache.set("other", 1);
  let ended = false;
  const setting = cache.setMany(entries(), OPTIONS).finally(() => ended = true);
  assertEquals(await cache.get("other"), 1);
  assertEquals(await cache.set("other", 2), true);
  assertEquals(await cache.getOrSet("another", () => 3), 3);
  assertEquals([await cache.get("other"), ended], [2, false]);
  assertEquals(await setting, true);
});

Deno.test("A big call of which one value cannot be stored stores none", async () => {
  await using harness = new MemoryHarness({ maxEntries: 2 * COUNT });
  const { cache } = await openOnHarness(harness);
  const some = entries().set(KEYS.at(-1)!, () => {});
  const error = await cache.setMany(some, OPTIONS).catch((error) => error);
  assertEquals([error instanceof TypeError, (await cache.getMany(KEYS)).size], [true, 0]);
  assertEquals(await cache.set(KEYS[0]!, 1), true); // and nobody waits for it
});
