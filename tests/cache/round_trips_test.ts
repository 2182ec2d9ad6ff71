import { assert, assertEquals } from "@std/assert";
import { connect, type Larder } from "../../src/connect/larder.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import type { RedisCommand, RedisReply } from "../../src/redis/client.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const ignore = !RedisServer.controllable;

/** A client that counts its writes. */
class CountingClient extends WireClient {
  writes = 0;

  override pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    this.writes++;
    return super.pipeline(commands);
  }
}

/**
 * What some work cost: writes of this process, and calls of commands that no script calls, as the server counts them.
 */
interface Cost {
  writes: number;
  evalsha?: number;
  [command: string]: number | undefined;
}

class Bench implements AsyncDisposable {
  readonly server: RedisServer;
  readonly redis: Larder;
  readonly #client: CountingClient;

  private constructor(server: RedisServer, redis: Larder, client: CountingClient) {
    this.server = server;
    this.redis = redis;
    this.#client = client;
  }

  static async start(): Promise<Bench> {
    const server = await RedisServer.start();
    const client = new CountingClient({ hostname: server.hostname, port: server.port }, { heartbeat: 60_000 });
    await client.start();
    const redis = await connect({ client, namespace: "test" });
    // A process tells the others of itself a second after its start, which is a script too.
    await until(async () => await server.cli("ZCARD", "{test}:p") === 1, "it has told of itself");
    return new Bench(server, redis, client);
  }

  async cost(work: () => Promise<unknown>): Promise<Cost> {
    await this.server.cli("CONFIG", "RESETSTAT");
    const before = this.#client.writes;
    await work();
    const cost: Cost = { writes: this.#client.writes - before };
    const stats = String(await this.server.cli("INFO", "commandstats"));
    // In the order of their names.
    for (const [, name, calls] of [...stats.matchAll(STATS)].sort(([, a], [, b]) => a! < b! ? -1 : 1)) {
      cost[name!] = Number(calls);
    }
    return cost;
  }

  /** Some work, which may be done again, costs so much and no more. */
  async costs(expected: Cost, work: () => Promise<unknown>): Promise<void> {
    for (let i = 1;; i++) {
      await this.redis.cache.get("warm");
      const cost = await this.cost(work);
      if (i === TRIES || JSON.stringify(cost) === JSON.stringify(expected)) return assertEquals(cost, expected);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis.close();
    await this.#client.close();
    await this.server[Symbol.asyncDispose]();
  }
}

/** What no script calls. */
const STATS = /^cmdstat_(evalsha|eval|scan|get|mget):calls=(\d+)/gm;
/** How often some work is tried: once a second, a script checks which run of the server it is. */
const TRIES = 5;
const keys = Array.from({ length: 64 }, (_, i) => `key:${i}`);
const tags = (count: number): string[] => Array.from({ length: count }, (_, i) => `tag:${i}`);

Deno.test({
  name: "Cache reads of one tick are one write without a script, however many, and however many tags",
  ignore,
  fn: async (t) => {
    await using bench = await Bench.start();
    const { cache } = bench.redis;
    for (const key of keys) await cache.set(key, key, { ttl: 60, tags: tags(3) });
    await cache.set("tagged", "value", { ttl: 60, tags: tags(20) });
    await cache.get("tagged"); // this process knows the ledger
    const hit = { writes: 1, mget: 1 };
    const readAll = async () => assertEquals(await Promise.all(keys.map((key) => cache.get(key))), keys);
    const readTagged = async () => assertEquals(await cache.get("tagged"), "value");

    await t.step("64 gets of entries with three tags", () => bench.costs(hit, readAll));

    await t.step("one get of an entry with 20 tags", () => bench.costs(hit, readTagged));

    await t.step("getMany() of 64 keys", async () => {
      await bench.costs(hit, async () => assertEquals([...(await cache.getMany(keys)).values()], keys));
    });

    await t.step("64 hits of getOrSet(), has(), ttl(), lookup() and get() mixed", async () => {
      const read = (key: string, i: number): Promise<unknown> =>
        i % 5 === 0
          ? cache.getOrSet(key, () => "loaded")
          : i % 5 === 1
          ? cache.has(key)
          : i % 5 === 2
          ? cache.lookup(key)
          : i % 5 === 3
          ? cache.ttl(key)
          : cache.get(key);
      await bench.costs(hit, () => Promise.all(keys.map(read)));
    });

    await t.step(
      "64 callers of one key",
      () => bench.costs(hit, () => Promise.all(keys.map(() => cache.get("tagged")))),
    );

    await t.step("64 callers that read ten times each, in step", async () => {
      const caller = async (key: string) => {
        for (let round = 0; round < 10; round++) await cache.get(key);
      };
      await bench.costs({ writes: 10, mget: 10 }, () => Promise.all(keys.map(caller)));
    });

    await t.step(
      "of entries that are older than invalidations of other tags, once they have been heard of",
      async () => {
        await using other = await connect({ url: bench.server.url, namespace: "test" });
        for (let i = 0; i < 50; i++) await other.cache.invalidateByTag(`other:${i}`);
        await bench.costs(hit, readAll);
        await bench.costs(hit, readTagged);
      },
    );

    await t.step(
      "a process that has seen nothing yet asks a script for what was invalidated, in the same write",
      async () => {
        await using other = await connect({ url: bench.server.url, namespace: "test" });
        const cost = await bench.cost(async () => {
          assertEquals(await Promise.all(keys.map((key) => other.cache.get(key))), keys);
        });
        assertEquals(cost.evalsha, 1);
      },
    );
  },
});

Deno.test({
  name: "Cache reads ask a script once for what was invalidated, however many they are",
  ignore,
  fn: async () => {
    await using bench = await Bench.start();
    await using other = await connect({ url: bench.server.url, namespace: "test" });
    const { cache } = bench.redis;
    for (const key of keys) await cache.set(key, key, { ttl: 60, tags: tags(3) });
    const readAll = () => Promise.all(keys.map((key) => cache.get(key)));
    await readAll();
    const rounds = 40;
    const start = performance.now();
    const cost = await bench.cost(async () => {
      for (let i = 0; i < rounds; i++) {
        await other.cache.invalidateByTag(`other:${i}`);
        // Some are on their way while it is asked, and others come later.
        await Promise.all([readAll(), Promise.resolve().then(readAll), readAll().then(readAll)]);
      }
    });
    // One script invalidates and one tells; each process checks the server's run once a second.
    const checks = 4 + 2 * Math.ceil((performance.now() - start) / 1000);
    assert(
      cost.evalsha! + (cost.eval ?? 0) <= 2 * rounds + checks,
      `${cost.evalsha} scripts for ${rounds} invalidations`,
    );
  },
});

Deno.test({
  name: "Cache writes and invalidations of one tick are one write each",
  ignore,
  fn: async (t) => {
    await using bench = await Bench.start();
    const { cache } = bench.redis;
    await cache.set("warm", 1, { ttl: 60, tags: tags(1) });
    await cache.get("warm");
    await cache.invalidateByTag("warm");
    await cache.invalidate("warm");

    await t.step("setMany() of 64 values", async () => {
      const write = () => cache.setMany(new Map(keys.map((key) => [key, key])), { ttl: 60, tags: tags(3) });
      // On a busy machine, others get their turn after some of them.
      await bench.costs({ writes: 1, evalsha: 1 }, async () => assertEquals(await write(), true));
      assertEquals((await cache.getMany(keys)).size, 64);
    });

    await t.step("64 set() and a get() after them in the same tick, which sees them", async () => {
      const work = () => Promise.all([...keys.map((key) => cache.set(key, 7, { ttl: 60 })), cache.get("key:63")]);
      await bench.costs({ writes: 1, evalsha: 1, mget: 1 }, async () => assertEquals((await work()).at(-1), 7));
    });

    await t.step("invalidateMany() of 64 keys is one script call", async () => {
      const invalidate = async () => assertEquals((await cache.invalidateMany(keys)).removed, 64);
      assertEquals(await bench.cost(invalidate), { writes: 1, evalsha: 1 });
    });

    await t.step("invalidateByTag() of 64 tags is one script call", async () => {
      assertEquals(await bench.cost(() => cache.invalidateByTag(tags(64))), { writes: 1, evalsha: 1 });
    });

    await t.step("a cold getOrSet() is two: a read that is granted the lease, and the write", async () => {
      const cost = await bench.cost(() => cache.getOrSet("cold", () => 1, { ttl: 60, tags: tags(20) }));
      assertEquals(cost, { writes: 2, evalsha: 2 });
    });

    await t.step("1,000 callers on one cold key are two", async () => {
      let loads = 0;
      const load = () => ++loads;
      const callers = Array.from({ length: 1000 }, () => 0);
      const cost = await bench.cost(() => Promise.all(callers.map(() => cache.getOrSet("colder", load, { ttl: 60 }))));
      assertEquals([cost, loads], [{ writes: 2, evalsha: 2 }, 1]);
    });
  },
});
