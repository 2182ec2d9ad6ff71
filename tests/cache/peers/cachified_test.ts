import { assertEquals } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import { MemoryStore } from "../../../src/cache/memory_store.ts";
import { ManualClock } from "../../../src/testing/manual_clock.ts";

Deno.test("Cache.getOrSetMany() gives nothing for what the loader does not find, rather than an older value", async () => {
  const clock = new ManualClock();
  await using cache = new Cache(new MemoryStore({ now: clock.now }), { ttl: 60, staleIfError: "1h" });
  await cache.setMany({ gone: "old", here: "old" });
  clock.advance(61);
  assertEquals(await cache.getOrSetMany(["gone", "here"], () => ({ here: "new" })), new Map([["here", "new"]]));
});
