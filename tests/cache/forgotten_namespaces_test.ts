import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import { collectGarbage } from "../../bench/collect_garbage.ts";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import { RECENT_NAMESPACES, RecentNames } from "../../src/util/recent_names.ts";
import { sized } from "../support/effort.ts";
import { openCache } from "../support/open_cache.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

/** Whether garbage is collected when it is asked for: an older Deno cannot be told to. */
async function collects(): Promise<boolean> {
  const ref = new WeakRef({});
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  return ref.deref() === undefined;
}

/** Bytes in use when all that can go has gone. */
async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collectGarbage();
  }
  return Deno.memoryUsage().heapUsed;
}

const NAMES = sized(1500, 40_000);

Deno.test("Namespaces that nobody uses any more cost nothing, embedded", async () => {
  await using cache = new Cache(new MemoryStore());
  const use = async (from: number) => {
    for (let i = from; i < from + NAMES; i++) assertEquals(await cache.namespace(`n${i}`).get("key"), undefined);
  };
  await use(0);
  const before = await heap();
  await use(NAMES);
  if (await collects()) assertLess((await heap() - before) / NAMES, 500, "bytes a name");
});

Deno.test("Namespaces that nobody uses any more cost nothing, on Redis, and their channels are closed", async () => {
  await using server = await RedisServer.start();
  await using opened = await openCache(server, { local: { maxEntries: 10 } });
  const { cache } = opened;
  const held = cache.namespace("held");
  await held.set("key", 1);
  const use = async (from: number) => {
    for (let i = from; i < from + NAMES; i += 100) {
      const names = Array.from({ length: 100 }, (_, j) => `n${i + j}`);
      await Promise.all(names.map((name) => cache.namespace(name).get("key")));
    }
  };
  const channels = async () => (await server.cli("PUBSUB", "CHANNELS", "*:bell*") as string[]).length;
  await use(0);
  const before = await heap();
  await use(NAMES);
  assertStrictEquals(cache.namespace("held"), held, "who holds one has the only one");
  assertEquals(await held.get("key"), 1);
  if (!await collects()) return;
  assertLess((await heap() - before) / NAMES, 1000, "bytes a name");
  await until(async () => {
    await heap();
    return await channels() < 3 * RECENT_NAMESPACES;
  }, "channels are closed");
});

Deno.test("What is under way in a namespace that nobody holds ends as it should", async () => {
  await using server = await RedisServer.start();
  await using opened = await openCache(server);
  const { cache } = opened;
  const { promise, resolve } = Promise.withResolvers<number>();
  const loaded = cache.namespace("loads").getOrSet("key", () => promise);
  for (let i = 0; i <= RECENT_NAMESPACES; i++) cache.namespace(`n${i}`);
  await heap();
  resolve(7);
  assertEquals(await loaded, 7);
  assertEquals(await cache.namespace("loads").get("key"), 7, "it was stored");
});

Deno.test("RecentNames keeps those that were asked for last, those that are held, and those that it is told to keep", async () => {
  const made: string[] = [];
  const names = new RecentNames<{ name: string }>(2, ({ name }) => name === "full");
  const get = (name: string) =>
    names.get(name, () => {
      made.push(name);
      return { name };
    });
  const held = get("held");
  for (const name of ["full", "a", "b", "c", "b", "held", "full"]) get(name);
  assertStrictEquals(get("held"), held);
  assertEquals(made, ["held", "full", "a", "b", "c"]);
  assertEquals([...names].map(([name]) => name).sort().filter((name) => name !== "a" && name !== "c"), [
    "b",
    "full",
    "held",
  ]);
  if (!await collects()) return;
  await heap();
  assertEquals(names.peek("a"), undefined, "nobody holds it");
  assert(names.peek("full"), "it is kept");
  assertStrictEquals(names.peek("held"), held);
});
