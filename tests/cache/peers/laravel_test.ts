import { assert, assertEquals } from "@std/assert";
import { Gate, openOnHarness, Source } from "../contract/cache_tools.ts";
import { commandCounts } from "../../support/open_cache.ts";
import { until } from "../../support/until.ts";
import { behaviours, type Cases, type RedisCases } from "./peers.ts";

const FLEXIBLE = { ttl: 10, staleWhileRevalidate: 10 };

const cases: Cases = {
  "A value is fresh, then stale and refreshed once, then fresh again, then gone": async (harness) => {
    const [one, two] = [await openOnHarness(harness, FLEXIBLE), await openOnHarness(harness, FLEXIBLE)];
    const source = new Source();
    const read = ({ cache } = one) => cache.getOrSet("a", source.load);
    assertEquals([await read(), await read(), source.calls], [1, 1, 1]);
    await harness.advance(11_000);
    assertEquals(await read(), 1);
    await one.events.until("cache.load", 2);
    assertEquals([await read(two), source.calls], [2, 2]);
    await harness.advance(21_000);
    assertEquals([await one.cache.get("a"), await read(), source.calls], [undefined, 3, 3]);
  },

  "What another process refreshes, or has refreshed, is not refreshed again": async (harness) => {
    const [one, two] = [await openOnHarness(harness, FLEXIBLE), await openOnHarness(harness, FLEXIBLE)];
    await one.cache.set("a", 1);
    await harness.advance(11_000);
    const gate = new Gate<number>();
    assertEquals(await two.cache.getOrSet("a", gate.load), 1);
    await gate.started;
    const source = new Source();
    for (let i = 0; i < 3; i++) assertEquals(await one.cache.getOrSet("a", source.load), 1);
    gate.open(2);
    await two.events.until("cache.load", 1);
    assertEquals([await one.cache.getOrSet("a", source.load), source.calls], [2, 0]);
  },
};

const redisCases: RedisCases = {
  "An entry is one key, whatever its tags and windows, and leaves nothing behind": async (harness, server) => {
    const { cache } = await openOnHarness(harness);
    const keys = async () => (await server.cli("KEYS", `*${harness.namespace}*`) as string[]).length;
    await cache.set("a", 1, { ttl: 10, staleWhileRevalidate: 60, staleIfError: 600, tags: ["t", "u", "v"] });
    await cache.getOrSet("b", () => 2, { ttl: 10, tags: ["t", "w"] });
    assertEquals(await keys(), 3); // and the ledger
    await cache.invalidateByTag(["t", "v"]);
    await cache.invalidateMany(["a", "b"]);
    assertEquals(await keys(), 1);
  },

  "A tag of 2,000 entries is invalidated by one command, and takes one record": async (harness, server) => {
    const { cache } = await openOnHarness(harness);
    const names = Array.from({ length: 2000 }, (_, i) => `${i}`);
    await cache.setMany(new Map(names.map((name) => [name, 1])), { tags: ["t", "u"] });
    const records = () => server.cli("ZCARD", `{${harness.namespace}}:ledger`);
    const before = Number(await records());
    const commands = async () => {
      const { evalsha = 0, eval: sent = 0, scan = 0, unlink = 0 } = await commandCounts(server);
      return [evalsha + sent, scan, unlink];
    };
    const [scripts, ...walks] = await commands();
    await cache.invalidateByTag("t");
    assertEquals(await commands(), [scripts! + 1, ...walks]);
    // The tag, and that there is a newest invalidation.
    assertEquals(Number(await records()), before + 2);
    assertEquals((await cache.getMany(names)).size, 0);
  },

  "Records of invalidations go when nothing as old can be left": async (harness, server) => {
    const { cache } = await openOnHarness(harness, { ttl: "20ms" });
    await cache.set("a", 1, { tags: ["t"] });
    await cache.invalidateByTag(Array.from({ length: 1000 }, (_, i) => `${i}`));
    const records = async () => Number(await server.cli("ZCARD", `{${harness.namespace}}:ledger`));
    assert(await records() > 1000);
    await until(async () => {
      await cache.invalidateByTag("t");
      return await records() < 20;
    }, "old records are gone");
    await cache.set("a", 2, { tags: ["t"], ttl: 60 });
    await cache.invalidateByTag("t");
    assertEquals(await cache.get("a"), undefined);
  },
};

behaviours("Laravel", cases, redisCases);
