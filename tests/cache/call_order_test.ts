/**
 * A process finds its own writes and invalidations in the order of its calls, however big they are: whatever is called
 * behind a call that takes several turns comes to the same as if that had been awaited.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import type { CacheOptions } from "../../src/cache/options.ts";
import { openOnHarness } from "./contract/cache_tools.ts";
import { type Harness, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { sized } from "../support/effort.ts";
import { RedisServer } from "../support/redis_server.ts";

/** More than go to the server in one call, and than are worked on in one turn. */
const MANY = sized(700, 1200);
const KEYS = Array.from({ length: MANY }, (_, i) => `key:${i}`);
/** What is looked at: the first goes out at once, the last long after. */
const LOOKED_AT = [KEYS[0]!, KEYS.at(-1)!];
const OPTIONS = { ttl: 600, staleWhileRevalidate: 600, tags: ["t"] };
const TEXT = "x".repeat(200);
const MANY_TAGS = [...Array.from({ length: MANY }, (_, i) => `tag:${i}`), "t"];

type Work = (cache: Cache) => Promise<unknown>;

const all = (value: string) => new Map(KEYS.map((key) => [key, value + TEXT]));
const each = (work: (key: string) => Promise<unknown>) => Promise.all(LOOKED_AT.map(work));

/** Calls that take several turns. */
const firsts: Readonly<Record<string, Work>> = {
  "many set()": (cache) => Promise.all(KEYS.map((key) => cache.set(key, `set${TEXT}`, OPTIONS))),
  "setMany()": (cache) => cache.setMany(all("many"), OPTIONS),
  "many touch()": (cache) => Promise.all(KEYS.map((key) => cache.touch(key, 300))),
  "invalidateMany()": (cache) => cache.invalidateMany(KEYS),
  "invalidateByTag()": (cache) => cache.invalidateByTag(MANY_TAGS),
  "invalidateByTag() as stale": (cache) => cache.invalidateByTag(MANY_TAGS, { mode: "stale" }),
  "invalidateByPattern()": (cache) => cache.invalidateByPattern("key:*"),
  "clear()": (cache) => cache.clear(),
  "getOrSetMany()": (cache) => cache.getOrSetMany(KEYS, () => all("loaded"), OPTIONS),
};

/** Calls that come behind them. */
const seconds: Readonly<Record<string, Work>> = {
  "get()": (cache) => each((key) => cache.get(key)),
  "getMany()": async (cache) => [...await cache.getMany(LOOKED_AT)],
  "getOrSet()": (cache) => each((key) => cache.getOrSet(key, () => "loaded", OPTIONS)),
  "set()": (cache) => each((key) => cache.set(key, "second", OPTIONS)),
  "setMany()": (cache) => cache.setMany(all("second"), OPTIONS),
  "touch()": (cache) => each((key) => cache.touch(key, 5000)),
  "invalidate()": (cache) => each((key) => cache.invalidate(key)),
  "invalidateMany()": (cache) => cache.invalidateMany(KEYS),
  "invalidateByTag()": (cache) => cache.invalidateByTag("t"),
  "invalidateByTag() as stale": (cache) => cache.invalidateByTag("t", { mode: "stale" }),
  "invalidateByPattern()": (cache) => cache.invalidateByPattern("key:*9"),
  "clear()": (cache) => cache.clear(),
};

/** What is loaded may be stored before or behind an invalidation that is called meanwhile: both are new. */
const EITHER =
  /getOrSet.*behind.*(invalid|clear)|(get|touch).*\(\) behind getOrSetMany|(invalidate|clear).*behind getOrSetMany/;
/** Until an invalidation of many tags is acknowledged, a read may find what it has not come to yet. */
const OPEN = /(get|getMany|getOrSet)\(\) behind (invalidateByTag|getOrSetMany)/;

async function state(cache: Cache): Promise<unknown> {
  return await Promise.all(LOOKED_AT.map(async (key) => {
    const { status, value, ttl } = await cache.lookup<string>(key);
    return [status, value?.slice(0, 6), ttl > 1000];
  }));
}

async function run(first: Work, second: Work, awaited: boolean, open: () => Harness, options: CacheOptions) {
  await using harness = open();
  const [one, other] = [await openOnHarness(harness, options), await openOnHarness(harness)];
  await one.cache.setMany(all("old"), { ...OPTIONS, tags: ["t", "old"] });
  await one.cache.getMany(LOOKED_AT); // copies, where there are any
  const firstDone = first(one.cache);
  if (awaited) await firstDone;
  const found = await second(one.cache);
  await firstDone;
  return { found, own: await state(one.cache), others: await state(other.cache) };
}

/** Tries the pairs of calls; unless `TEST_EFFORT` is 10, one of so many, in which each call comes. */
async function tryAll(
  t: Deno.TestContext,
  open: () => Harness,
  options: CacheOptions = {},
  { which = /./, oneOf = 1 }: { which?: RegExp; oneOf?: number } = {},
): Promise<void> {
  const every = sized(oneOf, 1);
  for (const [i, [firstName, first]] of Object.entries(firsts).entries()) {
    for (const [j, [secondName, second]] of Object.entries(seconds).entries()) {
      const name = `${secondName} behind ${firstName}`;
      if ((i + j) % every !== 0 || EITHER.test(name) || !which.test(name)) continue;
      await t.step(name, async () => {
        const wanted = await run(first, second, true, open, options);
        const got = await run(first, second, false, open, options);
        assertEquals([got.own, got.others], [wanted.own, wanted.others]);
        if (/^get/.test(secondName) && !OPEN.test(name)) assertEquals(got.found, wanted.found);
      });
    }
  }
}

Deno.test("The embedded store does what is called in the order of the calls", async (t) => {
  await tryAll(t, () => new MemoryHarness(), {}, { oneOf: 2 });
});

Deno.test("Redis does what is called in the order of the calls", async (t) => {
  await using server = await RedisServer.start();
  await tryAll(t, () => new RedisHarness(server), {}, { oneOf: 4 });
});

Deno.test("Redis with copies does what is called in the order of the calls", async (t) => {
  await using server = await RedisServer.start();
  await tryAll(t, () => new RedisHarness(server), { local: true }, { oneOf: 6 });
});

Deno.test("Redis with several buckets does what is called in the order of the calls", async (t) => {
  await using server = await RedisServer.start();
  await tryAll(t, () => new RedisHarness(server, { buckets: 3 }), {}, {
    which: /^set.*behind (set|invalid)/,
    oneOf: 2,
  });
});

Deno.test("What is compressed comes in the order of the calls", async (t) => {
  await using server = await RedisServer.start();
  for (const open of [() => new MemoryHarness(), () => new RedisHarness(server)]) {
    for (const [name, second] of Object.entries(seconds)) {
      await t.step(`${name} on ${open().kind}`, async () => {
        const first: Work = (cache) => each((key) => cache.set(key, "compressed".repeat(1000), OPTIONS));
        const options = { compress: true };
        assertEquals(await run(first, second, false, open, options), await run(first, second, true, open, options));
      });
    }
  }
});
