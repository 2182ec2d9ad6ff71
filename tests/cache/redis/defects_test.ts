import { assert, assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { RedisServer } from "../../support/redis_server.ts";
import { Gate, openOnHarness, pause, Source } from "../contract/cache_tools.ts";
import { RedisHarness } from "../contract/harness.ts";

/** What the server does in a moment: the number of calls by command. */
async function callsDuring(server: RedisServer, run: () => Promise<unknown>): Promise<Record<string, number>> {
  await server.cli("CONFIG", "RESETSTAT");
  await run();
  const text = await server.cli("INFO", "commandstats") as string;
  const calls: Record<string, number> = {};
  for (const [, name, count] of text.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)) calls[name!] = Number(count);
  return calls;
}

Deno.test("bentocache: a read with many tags takes a command for each", async (t) => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const { cache } = await openOnHarness(harness);
  const many = Array.from({ length: 20 }, (_, i) => `tag ${i}`);
  const keys = Array.from({ length: 64 }, (_, i) => `key ${i}`);
  await cache.setMany(keys.map((key) => [key, 1] as const), { tags: ["t", "u", "v"] });
  await cache.set("many", 1, { tags: many });
  await cache.get("many");
  const scripts = ({ evalsha, eval: whole }: Record<string, number>) => (evalsha ?? 0) + (whole ?? 0);

  /** Once a second, a script checks which run of the server it is. */
  const withoutCheck = async (run: () => Promise<unknown>): Promise<Record<string, number>> => {
    for (let i = 1;; i++) {
      await cache.get("many");
      const calls = await callsDuring(server, run);
      if (scripts(calls) === 0 || i === 5) return calls;
    }
  };

  await t.step("one read of an entry with 20 tags is one command, and two for the records", async () => {
    const calls = await withoutCheck(() => cache.get("many"));
    assertEquals([scripts(calls), calls["mget"], calls["zmscore"], calls["time"]], [0, 1, 1, 1]);
  });

  await t.step("so are 64 reads of one tick", async () => {
    const calls = await withoutCheck(() => Promise.all(keys.map((key) => cache.get(key))));
    assertEquals([scripts(calls), calls["mget"], calls["zmscore"], calls["time"]], [0, 1, 1, 1]);
    const loads = await withoutCheck(() => Promise.all(keys.map((key) => cache.getOrSet(key, () => 2))));
    assertEquals([scripts(loads), loads["mget"], loads["set"] ?? 0], [0, 1, 0]);
  });

  await t.step("a process that knows nothing yet of the tags asks once", async () => {
    await cache.invalidateByTag("other");
    const other = await openOnHarness(harness);
    const reads = () => Promise.all([...keys, "many"].map((key) => other.cache.get(key)));
    assertEquals(scripts(await callsDuring(server, reads)), 1);
    assertEquals((await withoutCheck(reads))["mget"], 1);
  });

  await t.step("a hit writes nothing", async () => {
    const calls = await callsDuring(server, () => Promise.all([cache.get("many"), cache.getOrSet("many", () => 2)]));
    for (const name of ["set", "setrange", "zadd", "del", "unlink", "pexpire"]) assertEquals(calls[name] ?? 0, 0, name);
  });

  await t.step("an invalidation of a tag is one script call however many entries have it", async () => {
    const calls = await callsDuring(server, () => cache.invalidateByTag("t"));
    assertEquals([scripts(calls), calls["zadd"], calls["unlink"] ?? 0], [1, 1, 0]);
    assertEquals((await cache.getMany(keys)).size, 0);
  });
});

Deno.test("bentocache: records of invalidations that are lost make old values valid again", async (t) => {
  await using server = await RedisServer.start();
  const losses: Record<string, (harness: RedisHarness) => Promise<unknown>> = {
    "the ledger is evicted": (harness) => server.cli("DEL", `{${harness.namespace}}:ledger`),
    "Redis is flushed": () => server.cli("FLUSHALL"),
  };
  for (const [name, lose] of Object.entries(losses)) {
    await t.step(name, async () => {
      await using harness = new RedisHarness(server);
      const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
      await one.cache.set("a", "old", { tags: ["t"] });
      await one.cache.set("b", "other", { tags: ["u"] });
      assertEquals(await two.cache.get("a"), "old");
      const gate = new Gate<string>();
      const loading = two.cache.getOrSet("c", gate.load, { tags: ["t"] });
      await gate.started;
      await one.cache.invalidateByTag("t");
      await lose(harness);
      assertEquals([await two.cache.get("a"), await two.cache.get("b")], [undefined, undefined]);
      gate.open("old");
      await loading;
      assertEquals(await one.cache.get("c"), undefined);
      assertEquals(two.events.count("cache.epoch"), 1);
      await one.cache.set("a", "new", { tags: ["t"] });
      assertEquals(await two.cache.get("a"), "new");
    });
  }
});

Deno.test("bentocache and FusionCache: with clocks apart, an invalidation is lost or lasts too long", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisHarness(server);
  const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
  const now = Date.now;
  for (const [mine, yours] of [[-3_600_000, 0], [3_600_000, 0], [-20, 20], [20, -20]] as const) {
    const at = async <T>(shift: number, run: () => Promise<T>): Promise<T> => {
      using _clock = stub(Date, "now", () => now() + shift);
      return await run();
    };
    const options = { tags: ["t"], ttl: 60 };
    await at(mine, () => one.cache.set("a", "old", options));
    assertEquals(await at(yours, () => two.cache.get("a")), "old");
    const gate = new Gate<string>();
    const loading = at(yours, async () => {
      const load = two.cache.getOrSet("b", gate.load, options);
      await gate.started;
      return { load };
    });
    const { load } = await loading;
    await at(mine, () => one.cache.invalidateByTag("t"));
    gate.open("old");
    await load;
    for (const { cache } of [one, two]) {
      assertEquals([await cache.get("a"), await cache.get("b")], [undefined, undefined]);
    }
    await at(yours, () => two.cache.set("a", "new", options));
    assertEquals(await at(mine, () => one.cache.get("a")), "new");
    assert((await at(mine, () => one.cache.ttl("a")))! > 55);
  }
});

Deno.test("cacheable: what is kept of invalidations grows without end", async (t) => {
  await using server = await RedisServer.start();

  await t.step("records older than any entry can be are forgotten", async () => {
    await using harness = new RedisHarness(server);
    const { cache } = await openOnHarness(harness);
    const size = async () => Number(await server.cli("ZCARD", `{${harness.namespace}}:ledger`));
    await cache.set("a", 1, { ttl: "50ms" });
    await cache.invalidateByTag(Array.from({ length: 500 }, (_, i) => `${i}`));
    assert(await size() >= 500);
    await pause(80);
    await cache.invalidateByTag("x");
    assert(await size() < 20, `${await size()} records`);
  });

  await t.step("at most 100,000 are kept, and what is older than those is a miss", async () => {
    await using harness = new RedisHarness(server);
    const [one, two] = [await openOnHarness(harness), await openOnHarness(harness)];
    await one.cache.set("old", 1, { tags: ["t"] });
    const source = new Source();
    await two.cache.getOrSet("b", source.load);
    for (let i = 0; i < 101_000; i += 1000) {
      await one.store.invalidateTags(Array.from({ length: 1000 }, (_, j) => `${i + j}`), "hard");
    }
    await one.cache.set("new", 1, { tags: ["t"] });
    assert(Number(await server.cli("ZCARD", `{${harness.namespace}}:ledger`)) <= 100_000);
    for (const { cache } of [one, two]) assertEquals([await cache.get("old"), await cache.get("new")], [undefined, 1]);
  });
});
