import { assert, assertEquals, assertLess } from "@std/assert";
import { namespaceOf, openCache, type OpenedCache } from "../../support/open_cache.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

/** A ledger that somebody else writes to. */
class Ledger {
  readonly key: string;
  readonly #server: RedisServer;

  constructor(server: RedisServer) {
    this.#server = server;
    this.key = `{${namespaceOf(server)}}:ledger`;
  }

  async score(member: string): Promise<number> {
    return Number(await this.#server.cli("ZSCORE", this.key, member));
  }

  /** Adds so many members, which `score` and `name` say in Lua by their number `i`. */
  async fill(count: number, score: string, name: string): Promise<void> {
    const lua = `for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
      redis.call('ZADD', KEYS[1], string.format('%.0f', ${score}), ${name}) end`;
    for (let i = 1; i <= count; i += 10_000) {
      await this.#server.cli("EVAL", lua, 1, this.key, i, Math.min(count, i + 9999));
    }
  }

  /** The clock of now, in microseconds. */
  async now(): Promise<number> {
    const [seconds, micros] = await this.#server.cli("TIME") as string[];
    return Number(seconds) * 1e6 + Number(micros);
  }
}

/** A cache that works: what is set is there, and what is invalidated is not. */
async function assertWorks(opened: OpenedCache, other: OpenedCache): Promise<void> {
  const { cache } = opened;
  for (
    const invalidate of [
      () => other.cache.invalidateByTag("t"),
      () => other.cache.invalidateByPattern("wor*"),
      () => other.cache.invalidate("works"),
      () => other.cache.clear(),
    ]
  ) {
    assert(await cache.set("works", 1, { tags: ["t"] }), "set() stores");
    assertEquals(await other.cache.get("works"), 1, "what was set is there");
    assertEquals((await invalidate()).status, "done", "an invalidation is done");
    assertEquals(await cache.get("works"), undefined, "what was invalidated is not there");
    assertEquals(await cache.getOrSet("works", () => 2, { tags: ["t"] }), 2);
    assertEquals(await other.cache.get("works"), 2, "what a loader gave is stored");
  }
}

Deno.test({
  name: "A ledger that somebody else has written to is born anew, and nothing that was cached before is served",
  ignore,
  fn: async (t) => {
    const wrong: Record<string, (server: RedisServer, ledger: Ledger) => Promise<unknown>> = {};
    const types: Record<string, string[]> = {
      "a string": ["SET", "KEY", "text"],
      "a list": ["RPUSH", "KEY", "a"],
      "a hash": ["HSET", "KEY", "e", "1"],
      "a set": ["SADD", "KEY", "e", "k"],
      "a stream": ["XADD", "KEY", "*", "a", "b"],
      "a HyperLogLog": ["PFADD", "KEY", "a"],
      "a sorted set of something else": ["ZADD", "KEY", "1", "a"],
    };
    for (const [name, command] of Object.entries(types)) {
      wrong[name] = async (server, { key }) => {
        await server.cli("DEL", key);
        await server.cli(...command.map((word) => word === "KEY" ? key : word));
      };
    }
    const marks: [string, string][] = [
      ["e", "0"],
      ["e", "1"],
      ["e", "-inf"],
      ["e", "inf"],
      ["e", "-1e300"],
      ["k", "-inf"],
      ["k", "-1e300"],
      ["k", "inf"],
      ["k", "0"],
      ["i", "-inf"],
      ["i", "-4e15"],
      ["i", "5"],
      ["f", "-inf"],
      ["f", "-4e15"],
      ["f", "5"],
      ["l", "5"],
    ];
    for (const [member, score] of marks) {
      wrong[`the mark "${member}" at ${score}`] = (server, { key }) => server.cli("ZADD", key, score, member);
    }
    for (const score of ["inf", "-inf", "4e15", "1e300", "-5", "0"]) {
      for (const kind of ["h:", "s:"]) {
        wrong[`a record ${kind} at ${score}`] = (server, { key }) => server.cli("ZADD", key, score, `${kind}t`);
      }
    }
    wrong["a pattern later than the clock"] = async (server, ledger) => {
      await server.cli("ZADD", ledger.key, "-8e15", "p:*");
      await server.cli("ZADD", ledger.key, -await ledger.now() - 1e6, "i", -await ledger.now() - 2e6, "k");
    };
    wrong["an older copy of it"] = async (server, { key }) => {
      await server.cli("COPY", key + "-older", key, "REPLACE");
    };
    for (const [name, write] of Object.entries(wrong)) {
      await t.step(name, async () => {
        await using server = await RedisServer.start();
        const ledger = new Ledger(server);
        await using opened = await openCache(server);
        await using other = await openCache(server);
        await opened.cache.set("old", 1, { tags: ["t"] });
        await server.cli("COPY", ledger.key, `${ledger.key}-older`);
        await other.cache.invalidateByTag("t");
        assertEquals(await opened.cache.get("old"), undefined);
        await write(server, ledger);
        assertEquals(await opened.cache.get("old"), undefined, "what was invalidated is not served");
        assertEquals(await other.cache.get("old"), undefined, "what was invalidated is not served");
        await opened.cache.getOrSet("first", () => 1, { tags: ["t"] }); // what it finds then may be lost
        await assertWorks(opened, other);
        assertEquals(opened.log.of("cache.error"), []);
        // From then on it is a ledger as any other.
        const epoch = await ledger.score("e");
        await opened.cache.set("new", 1, { tags: ["u"] });
        await other.cache.invalidateByTag("t");
        assertEquals(await opened.cache.get("new"), 1);
        assertEquals(await ledger.score("e"), epoch);
      });
    }
  },
});

Deno.test({
  name: "A ledger with far too many records costs a read once, and is born anew",
  ignore,
  fn: async (t) => {
    const many: Record<string, [count: number, score: string, name: string]> = {
      "30,000 patterns": [30_000, "-4503599627370496 - NOW + 1000000 + i", "'p:*' .. i .. '*'"],
      "70,000 patterns": [70_000, "-4503599627370496 - NOW + 1000000 + i", "'p:*' .. i .. '*'"],
      "300,000 tags": [300_000, "NOW - 1000000 - i", "'h:' .. i"],
      "300,000 of something else": [300_000, "-i", "'x' .. i"],
    };
    for (const [name, [count, score, member]] of Object.entries(many)) {
      await t.step(name, async () => {
        await using server = await RedisServer.start();
        const ledger = new Ledger(server);
        await using opened = await openCache(server);
        await using other = await openCache(server);
        await opened.cache.set("a", 1, { tags: ["t"] });
        await ledger.fill(count, score.replace("NOW", String(await ledger.now())), member);
        const at = await ledger.now();
        await server.cli("ZADD", ledger.key, -at, "k", -at, "i");
        const read = await opened.cache.get("a");
        assert(read === undefined || read === 1);
        await other.cache.invalidateByTag("u");
        assertLess(Number(await server.cli("ZCARD", ledger.key)), 200_000, "records");
        await assertWorks(opened, other);
        await until(() => opened.log.of("cache.epoch").length > 0 || name.includes("tags"), "it is told");
      });
    }
  },
});

Deno.test({
  name: "A ledger with as many patterns as it may have tells all of them",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openCache(server);
    await using other = await openCache(server);
    for (let i = 0; i < 900; i++) await other.cache.set(`a${i}`, i);
    await Promise.all(Array.from({ length: 900 }, (_, i) => other.cache.invalidateByPattern(`a${i}`)));
    await other.cache.set("b", 1);
    const found = await opened.cache.getMany(Array.from({ length: 900 }, (_, i) => `a${i}`));
    assertEquals(found.size, 0);
    assertEquals(await opened.cache.get("b"), 1);
    assertEquals(opened.log.of("cache.epoch"), []);
  },
});

Deno.test({
  name: "namespaces() and inspect() give no name that somebody else has made of what is none",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openCache(server);
    await opened.cache.namespace("v2").set("key", 1);
    const namespace = namespaceOf(server);
    for (const name of ["x\x1b[31m", "a b", "c\r\nd", "..", "a..b", "\xff", "*", "x".repeat(500)]) {
      await server.cli("ZADD", `{${namespace}.${name}}:ledger`, 1, "e");
    }
    await opened.cache.set("key", 1);
    const copy = "redis.call('COPY', KEYS[1], KEYS[1] .. ARGV[1])";
    for (const name of ["\x1b[31m", "\r\nall is well", "\0"]) {
      await server.cli("EVAL", copy, 1, `{${namespace}}:c:key`, name);
    }
    for await (const { key } of opened.cache.inspect("*", { values: true })) assertEquals(key, "key");
    const names = await opened.cache.namespaces();
    assert(names.includes("v2"), names.join());
    for (const name of names) opened.cache.namespace(name); // throws for what is none
  },
});
