import { assertEquals } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import { openOnHarness } from "./contract/cache_tools.ts";
import { type Case, type Harness, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What every way of asking says of one entry. */
type State = "fresh" | "stale" | "none";

/** Fresh for 10 s, then stale for 10 s, then a fallback for 10 s. */
const OPTIONS = { ttl: 10, staleWhileRevalidate: 10, staleIfError: 20, tags: ["t"] };

/** Milliseconds after the write at which each window is looked at. */
const WINDOWS = { "fresh": 0, "stale while revalidating": 12_000, "stale if error": 22_000, "gone": 32_000 };

const INVALIDATIONS: Record<string, (cache: Cache) => Promise<unknown>> = {
  "nothing": () => Promise.resolve(),
  "invalidate()": (cache) => cache.invalidate("key"),
  "invalidateByTag(), hard": (cache) => cache.invalidateByTag("t"),
  "invalidateByTag(), stale": (cache) => cache.invalidateByTag("t", { mode: "stale" }),
  "invalidateByTag() of another": (cache) => cache.invalidateByTag("other"),
  "invalidateByPattern()": (cache) => cache.invalidateByPattern("k*"),
  "clear()": (cache) => cache.clear(),
};

/** What the table says: a row for each invalidation, a column for each window. */
const TABLE: Record<string, readonly State[]> = {
  "nothing": ["fresh", "stale", "stale", "none"],
  "invalidate()": ["none", "none", "none", "none"],
  "invalidateByTag(), hard": ["none", "none", "none", "none"],
  "invalidateByTag(), stale": ["stale", "stale", "stale", "none"],
  "invalidateByTag() of another": ["fresh", "stale", "stale", "none"],
  "invalidateByPattern()": ["none", "none", "none", "none"],
  "clear()": ["none", "none", "none", "none"],
};

/** Asks in every way that there is. */
async function ask(cache: Cache): Promise<Record<string, unknown>> {
  const lookup = await cache.lookup("key");
  const inspected = [];
  for await (const entry of cache.inspect()) inspected.push(entry);
  return {
    get: await cache.get("key"),
    getMany: (await cache.getMany(["key"])).get("key"),
    has: await cache.has("key"),
    ttl: (await cache.ttl("key") ?? 0) > 0,
    lookup: [lookup.status, lookup.value, lookup.ttl > 0, lookup.tags],
    inspect: inspected.map(({ key, ttl, tags }) => [key, ttl > 0, tags]),
  };
}

/** What they answer for an entry in a state. */
function answers(state: State): Record<string, unknown> {
  const fresh = state === "fresh";
  const none = state === "none";
  return {
    get: fresh ? "value" : undefined,
    getMany: fresh ? "value" : undefined,
    has: fresh,
    ttl: fresh,
    lookup: none ? ["miss", undefined, false, []] : [fresh ? "hit" : "stale", "value", fresh, ["t"]],
    inspect: none ? [] : [["key", fresh, ["t"]]],
  };
}

const states: Record<string, Case> = {};
const copied: Record<string, Case> = {};
for (const [invalidation, row] of Object.entries(TABLE)) {
  for (const [i, [window, after]] of Object.entries(WINDOWS).entries()) {
    const state = row[i]!;
    const touches = state !== "none" && invalidation !== "invalidateByTag(), stale";
    const run = async (harness: Harness, local: boolean) => {
      const { cache } = await openOnHarness(harness, { local });
      await cache.set("key", "value", OPTIONS);
      await harness.advance(after);
      await INVALIDATIONS[invalidation]!(cache);
      assertEquals(await ask(cache), answers(state));
      assertEquals(await ask((await openOnHarness(harness, { local })).cache), answers(state), "in another process");
      assertEquals(await cache.touch("key", 10), touches, "touch()");
      assertEquals(await ask(cache), answers(touches ? "fresh" : state), "after touch()");
      assertEquals(
        await cache.getOrSet("key", () => "loaded", OPTIONS),
        {
          fresh: "value",
          stale: touches ? "value" : window === "stale if error" ? "loaded" : "value",
          none: "loaded",
        }[state],
        "getOrSet()",
      );
    };
    const name = `${window}, after ${invalidation}: ${state}`;
    states[name] = (harness) => run(harness, false);
    // Copies go by the clock of the process, which stays where it is.
    if (after === 0) copied[name] = (harness) => run(harness, true);
  }
}

Deno.test("One entry is in one state for get, has, ttl, lookup, inspect and touch: embedded store", async (t) => {
  await runCases(t, states, () => new MemoryHarness());
});

Deno.test("One entry is in one state for get, has, ttl, lookup, inspect and touch: Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, states, () => new RedisHarness(server));
});

Deno.test("One entry is in one state for get, has, ttl, lookup, inspect and touch: Redis, several buckets", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, states, () => new RedisHarness(server, { buckets: 4 }));
});

Deno.test("One entry is in one state for get, has, ttl, lookup, inspect and touch: Redis and copies here", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, copied, () => new RedisHarness(server));
});
