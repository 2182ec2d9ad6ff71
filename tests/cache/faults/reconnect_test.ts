import { assert, assertEquals } from "@std/assert";
import { UnavailableError } from "../../../src/errors.ts";
import { connect } from "../../../src/connect/larder.ts";
import { calmly } from "../../support/calm.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

Deno.test({
  name: "Larder sends nothing twice when a connection is lost after Redis ran a command",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const log = new EventLog();
    await using redis = await connect({ url: proxy.url, namespace: "test", commandTimeout: "5s", on: log.on });
    for (let round = 1; round <= 3; round++) {
      proxy.muted = true;
      const out = redis.client.sendCommand("INCR", ["counter"]);
      const waiting = redis.client.sendCommand("INCR", ["counter"]);
      const both = Promise.allSettled([out, waiting]);
      // They have run, and their replies never arrive.
      await until(async () => await server.cli("GET", "counter") === String(2 * round), "the commands have run");
      proxy.muted = false;
      proxy.cut();
      for (const outcome of await both) {
        assert(outcome.status === "rejected" && outcome.reason instanceof UnavailableError);
        assertEquals(outcome.reason.reason, "connection");
      }
      await log.have("redis.connected", 1 + round);
      assertEquals(await redis.client.sendCommand("GET", ["counter"]), String(2 * round));
    }
  },
});

Deno.test({
  name: "Cache mends a connection that is cut again and again under load, without an answer that is wrong",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const log = new EventLog();
    await using redis = await connect({ url: proxy.url, namespace: "test", on: log.on });
    const { cache } = redis;
    let ended = false;
    let hits = 0;
    const callers = Array.from({ length: 32 }, async (_, caller) => {
      for (let i = 0; !ended; i++) {
        const key = `key:${caller}:${i % 10}`;
        if (i % 5 === 0) await cache.set(key, key, { ttl: 60, tags: [`tag:${caller}`] });
        const value = i % 2 === 0 ? await cache.get(key) : await cache.getOrSet(key, () => key, { ttl: 60 });
        if (value !== undefined) {
          assertEquals(value, key); // nobody is given what another has asked for
          hits++;
        }
        const echoed = await redis.client.sendCommand("ECHO", [key]).catch((error) => {
          assert(error instanceof UnavailableError, Deno.inspect(error));
          return key;
        });
        assertEquals(echoed, key);
      }
    });
    for (let cut = 0; cut < 8; cut++) {
      const before = hits;
      await log.have("redis.connected", cut + 1);
      await until(() => hits > before + 100, "there are hits again");
      proxy.cut();
    }
    await log.have("redis.connected", 9);
    ended = true;
    await Promise.all(callers);
    // Each loss leads to one new connection, and no old one stays open.
    const open = async (type: string) =>
      String(await server.cli("CLIENT", "LIST", "TYPE", type)).split("\n").length - 1;
    // The second is the one that asks. Somebody may have had to wait for a loader, for which a subscription is made.
    await until(async () => await open("normal") === 2 && await open("pubsub") <= 1, "one connection is open");
    assertEquals(await cache.set("last", 1, { ttl: 60 }), true);
    assertEquals(await cache.get("last"), 1);
  },
});

Deno.test({
  name: "Cache.set() that failed hides what was there before, also after the connection is mended",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using redis = await connect({ url: proxy.url, namespace: "test" });
    await redis.cache.set("key", "before", { ttl: 60 });
    proxy.delay = 50;
    const set = redis.cache.set("key", "after", { ttl: 60 });
    await redis.cache.get("other").then(() => {}, () => {}); // it is on its way, or just ran
    proxy.cut();
    proxy.delay = 0;
    const stored = await set;
    await redis.ready({ timeout: "60s" });
    assertEquals(await redis.cache.get("key"), stored ? "after" : undefined);
  },
});

Deno.test({
  name: "Cache.set() that arrives late has no effect: what was invalidated since stays so",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const log = new EventLog();
    await using redis = await connect({ url: proxy.url, namespace: "test", commandTimeout: "100ms", on: log.on });
    await using other = await connect({ url: server.url, namespace: "test" });
    /**
     * Sets while the network holds what is sent, invalidates over another connection, and waits until the first
     * arrives.
     */
    const late = async () => {
      const connections = proxy.accepted;
      proxy.delay = 800;
      assertEquals(await redis.cache.set("key", "late", { ttl: 60 }), false);
      proxy.delay = 0;
      await until(() => proxy.accepted > connections, "it has given the connection up");
      assertEquals((await other.cache.invalidate("key")).status, "done");
      await server.cli("CONFIG", "RESETSTAT");
      const ran = () =>
        server.cli("INFO", "commandstats").then((text) => /cmdstat_eval(sha)?:calls=/.test(String(text)));
      await until(ran, "the write has arrived after all");
      assertEquals(await other.cache.get("key"), undefined);
      await redis.ready({ timeout: "60s" });
      assertEquals(await redis.cache.get("key"), undefined);
    };
    await t.step("a process that has read before", async () => {
      await redis.cache.get("key");
      await late();
    });
    await t.step("and writes work as before", () =>
      calmly(async () => {
        assertEquals(await redis.cache.set("key", "new", { ttl: 60 }), true);
        assertEquals([await redis.cache.get("key"), await other.cache.get("key")], ["new", "new"]);
      }));
    await t.step("a process that never reads", async () => {
      await using writer = await connect({ url: server.url, namespace: "test" });
      assertEquals(await writer.cache.set("written", 1, { ttl: 60 }), true);
      assertEquals(await writer.cache.set("written", 2, { ttl: 60 }), true);
      assertEquals(await other.cache.get("written"), 2);
    });
  },
});

Deno.test({
  name: "Cache gives nobody a value that was loaded before another process invalidated it, when Redis does not answer",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    // Long enough for the first read on a machine that is busy: what is loaded without its answer, those who come later
    // wait for before one of them loads anew.
    await using cut = await connect({ url: proxy.url, namespace: "test", commandTimeout: "2s" });
    await using other = await connect({ url: server.url, namespace: "test" });
    let source = "old";
    let loads = 0;
    const { promise: slow, resolve: finish } = Promise.withResolvers<void>();
    const load = async () => {
      loads++;
      const value = source;
      await slow;
      return value;
    };
    const early = cut.cache.getOrSet("key", load);
    await until(() => loads === 1, "it loads");
    source = "new";
    assertEquals((await other.cache.invalidate("key")).status, "done");
    proxy.freeze();
    // These begin after the invalidation was acknowledged. They cannot know of it.
    const late = Array.from({ length: 50 }, () => cut.cache.getOrSet("key", load));
    await until(() => loads > 1, "somebody loads anew");
    // This one comes while that runs; what is loaded for it began later still.
    const later = cut.cache.getOrSet("key", load);
    await until(() => cut.cache.stats().misses === 52, "all wait");
    finish();
    assertEquals(await early, "old");
    assertEquals(new Set(await Promise.all([...late, later])), new Set(["new"]));
    assert(loads <= 3, `one load serves all that came before it began: ${loads}`);
    proxy.thaw();
  },
});

Deno.test({
  name: "RawCommands.sendCommand() waits for a new connection within its deadline, and ends at it",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, namespace: "test", commandTimeout: "5s" });
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    // Whether it was written before the loss was seen, or waits: what comes next is answered.
    await redis.client.sendCommand("PING").catch((error) => assertEquals(error.reason, "connection"));
    assertEquals(await redis.client.sendCommand("ECHO", ["after the loss"]), "after the loss");
  },
});
