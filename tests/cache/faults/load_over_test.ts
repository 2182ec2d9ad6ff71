import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { connect } from "../../../src/connect/larder.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
/** A lease lasts 10 s; whoever has to wait for one that nobody holds takes far longer than this. */
const SOON = 5000;

/** What a call gives, and how many milliseconds it took. */
async function timed<T>(call: () => Promise<T>): Promise<[T, number]> {
  const began = performance.now();
  const value = await call();
  return [value, performance.now() - began];
}

Deno.test({
  name: "Cache gives a lease back when a full server takes the lease and not the value",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start({ config: { "maxmemory-policy": "noeviction" } });
    for (const local of [false, true]) {
      for (const older of [false, true]) {
        await t.step(`local: ${local}, ${older ? "with" : "without"} an older value`, async () => {
          await server.cli("CONFIG", "SET", "maxmemory", 0);
          const namespace = `full-${local}-${older}`;
          const options = {
            url: server.url,
            namespace,
            commandTimeout: "5s",
            cache: { local, ttl: "10ms", staleIfError: 60 },
          };
          await using one = await connect(options);
          await using two = await connect(options);
          if (older) {
            await one.cache.set("key", "older");
            await new Promise((resolve) => setTimeout(resolve, 30));
          }
          for (const { cache } of [one, two]) await cache.get("warm");
          let loads = 0;
          const load = async () => {
            loads++;
            if (loads > 1) return "loaded";
            // The lease is granted while there is room, and there is none for the value.
            const used = Number(/used_memory:(\d+)/.exec(String(await server.cli("INFO", "memory")))![1]);
            await server.cli("CONFIG", "SET", "maxmemory", used - 100_000);
            return "x".repeat(10_000);
          };
          assertEquals((await one.cache.getOrSet("key", load)).length, 10_000);
          for (const { cache } of [one, one, two]) {
            const [value, took] = await timed(() => cache.getOrSet("key", load));
            assertLess(took, SOON);
            assertEquals(["loaded", "older"].includes(value), true);
          }
          await server.cli("CONFIG", "SET", "maxmemory", 0);
          await new Promise((resolve) => setTimeout(resolve, older ? 1100 : 0)); // the pause of a loader that failed
          const [value, took] = await timed(() => two.cache.getOrSet("key", () => "room again"));
          assertEquals(value, "room again");
          assertLess(took, SOON);
        });
      }
    }
  },
});

Deno.test({
  name:
    "Cache holds nobody up whose connection is cut during a load, in the same process or another, whatever way it ends",
  ignore,
  fn: async (t) => {
    const ends = {
      value: () => "loaded",
      undefined: () => undefined,
      throw: () => {
        throw new Error("no");
      },
    };
    for (const [name, end] of Object.entries(ends)) {
      await t.step(name, async () => {
        await using server = await RedisServer.start();
        await using proxy = TcpProxy.start(server);
        const log = new EventLog();
        await using cut = await connect({ url: proxy.url, namespace: "test", on: log.on });
        await using other = await connect({ url: server.url, namespace: "test" });
        await cut.cache.get("warm");
        const gate = Promise.withResolvers<void>();
        const first = cut.cache.getOrSet<unknown>("key", async () => {
          await gate.promise;
          return end();
        }).catch(() => {});
        await until(() => server.cli("EXISTS", "{test}:c:key").then((count) => count === 1), "the lease is granted");
        proxy.cut();
        gate.resolve();
        await first;
        await log.have("redis.connected", 2);
        const calls = await Promise.all(
          [cut, other].map(({ cache }) => timed(() => cache.getOrSet("key", () => "again"))),
        );
        for (const [value, took] of calls) {
          assertEquals(["again", "loaded"].includes(value), true);
          assertLess(took, SOON);
        }
      });
    }
  },
});

Deno.test({
  name: "A process that is cut off while it is granted a lease keeps others waiting for a moment only",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using gone = await connect({ url: proxy.url, namespace: "test" });
    await using other = await connect({ url: server.url, namespace: "test" });
    await gone.cache.get("warm");
    proxy.delay = 100;
    const call = gone.cache.getOrSet("key", () => "by itself", { ttl: 60 });
    await until(() => server.cli("EXISTS", "{test}:c:key").then((count) => count === 1), "the lease is granted");
    proxy.freeze(); // for good: it never hears that it holds the lease, nor can it say anything
    const [value, took] = await timed(() => other.cache.getOrSet("key", () => "by the other", { ttl: 60 }));
    assertEquals(value, "by the other");
    assertLess(took, SOON);
    assertEquals(await call, "by itself");
  },
});

Deno.test({
  name: "A loader that lives keeps its lease",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using one = await connect({ url: server.url, namespace: "test" });
    await using two = await connect({ url: server.url, namespace: "test" });
    let loads = 0;
    const load = async () => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, 4000));
      return "slow";
    };
    const [[value, took], other] = await Promise.all([
      timed(() => one.cache.getOrSet("key", load)),
      two.cache.getOrSet("key", load),
    ]);
    assertEquals([value, other, loads], ["slow", "slow", 1]);
    assertGreater(took, 3900);
  },
});
