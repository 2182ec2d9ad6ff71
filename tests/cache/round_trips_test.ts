import { assertEquals } from "@std/assert";
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

/** What some work cost: writes of this process, and calls of commands that no script calls, as the server counts them. */
interface Cost {
  writes: number;
  [command: string]: number;
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
    for (const [, name, calls] of String(await this.server.cli("INFO", "commandstats")).matchAll(STATS)) {
      cost[name!] = Number(calls);
    }
    return cost;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis.close();
    await this.#client.close();
    await this.server[Symbol.asyncDispose]();
  }
}

const STATS = /^cmdstat_(evalsha|eval|scan|get):calls=(\d+)/gm;
const keys = Array.from({ length: 64 }, (_, i) => `key:${i}`);
const tags = (count: number): string[] => Array.from({ length: count }, (_, i) => `tag:${i}`);

Deno.test({
  name: "Cache reads of one tick are one script call, however many, and however many tags",
  ignore,
  fn: async (t) => {
    await using bench = await Bench.start();
    const { cache } = bench.redis;
    for (const key of keys) await cache.set(key, key, { ttl: 60, tags: tags(3) });
    await cache.set("tagged", "value", { ttl: 60, tags: tags(20) });
    await cache.get("tagged"); // the server knows the script, and this process the ledger

    await t.step("64 gets of entries with three tags", async () => {
      const read = () => Promise.all(keys.map((key) => cache.get(key)));
      assertEquals(await bench.cost(async () => assertEquals(await read(), keys)), { writes: 1, evalsha: 1 });
    });

    await t.step("one get of an entry with 20 tags", async () => {
      const read = async () => assertEquals(await cache.get("tagged"), "value");
      assertEquals(await bench.cost(read), { writes: 1, evalsha: 1 });
    });

    await t.step("getMany() of 64 keys", async () => {
      const read = async () => assertEquals([...(await cache.getMany(keys)).values()], keys);
      assertEquals(await bench.cost(read), { writes: 1, evalsha: 1 });
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
      assertEquals(await bench.cost(() => Promise.all(keys.map(read))), { writes: 1, evalsha: 1 });
    });

    await t.step("64 callers of one key", async () => {
      const read = () => Promise.all(keys.map(() => cache.get("tagged")));
      assertEquals(await bench.cost(read), { writes: 1, evalsha: 1 });
    });

    await t.step("64 callers that read ten times each, in step", async () => {
      const caller = async (key: string) => {
        for (let round = 0; round < 10; round++) await cache.get(key);
      };
      assertEquals(await bench.cost(() => Promise.all(keys.map(caller))), { writes: 10, evalsha: 10 });
    });

    await t.step("after invalidations of other tags, which come with the reply", async () => {
      await using other = await connect({ url: bench.server.url, namespace: "test" });
      for (let i = 0; i < 50; i++) await other.cache.invalidateByTag(`other:${i}`);
      const read = () => Promise.all(keys.map((key) => cache.get(key)));
      assertEquals(await bench.cost(async () => assertEquals(await read(), keys)), { writes: 1, evalsha: 1 });
    });

    await t.step("a process that has seen nothing yet", async () => {
      await using other = await connect({ url: bench.server.url, namespace: "test" });
      const cost = await bench.cost(async () => {
        assertEquals(await Promise.all(keys.map((key) => other.cache.get(key))), keys);
      });
      assertEquals(cost.evalsha, 1);
    });
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
      assertEquals(await bench.cost(async () => assertEquals(await write(), true)), { writes: 1, evalsha: 1 });
      assertEquals((await cache.getMany(keys)).size, 64);
    });

    await t.step("64 set() and a get() after them in the same tick, which sees them", async () => {
      const work = () => Promise.all([...keys.map((key) => cache.set(key, 7, { ttl: 60 })), cache.get("key:63")]);
      const cost = await bench.cost(async () => assertEquals((await work()).at(-1), 7));
      assertEquals(cost, { writes: 1, evalsha: 2 });
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
