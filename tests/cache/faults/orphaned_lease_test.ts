import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { connect } from "../../../src/connect/larder.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
/** A lease lasts 10 s; whoever has to wait for one that nobody holds takes far longer than this. */
const SOON = 3000;

Deno.test({
  name: "Cache gives a lease back whose grant was lost with the connection",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const log = new EventLog();
    await using redis = await connect({ url: proxy.url, namespace: "test", on: log.on });
    await using other = await connect({ url: server.url, namespace: "test" });
    await redis.cache.get("warm");
    proxy.delay = 30;
    const loaded = redis.cache.getOrSet("key", () => "by itself", { ttl: 60 });
    await until(() => server.cli("EXISTS", "{test}:c:key").then((count) => count === 1), "the lease is granted");
    proxy.cut();
    proxy.delay = 0;
    assertEquals(await loaded, "by itself"); // without a lease, so it is not kept
    await log.have("redis.connected", 2);
    const start = performance.now();
    const waiting = other.cache.getOrSet("key", () => "by the other", { ttl: 60 });
    await redis.cache.get("something else");
    assertEquals(await waiting, "by the other");
    assertLess(performance.now() - start, SOON);
    assertEquals(await redis.cache.get("key"), "by the other");
  },
});

Deno.test({
  name: "Cache gives a lease back that was granted to a caller who no longer waits",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using redis = await connect({ url: proxy.url, namespace: "test" });
    await using other = await connect({ url: server.url, namespace: "test" });
    await redis.cache.get("warm");
    proxy.delay = 30;
    const controller = new AbortController();
    const aborted = redis.cache.getOrSet("key", () => "never", { ttl: 60, signal: controller.signal });
    const refused = assertRejects(() => aborted, Error, "gone");
    await until(() => server.cli("EXISTS", "{test}:c:key").then((count) => count === 1), "the lease is granted");
    controller.abort(new Error("gone"));
    await refused;
    proxy.delay = 0;
    const start = performance.now();
    assertEquals(await other.cache.getOrSet("key", () => "by the other", { ttl: 60 }), "by the other");
    assertLess(performance.now() - start, SOON);
  },
});

Deno.test({
  name: "Cache keeps the lease of a caller who waits on when another that shares its read does not",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, namespace: "test" });
    const controller = new AbortController();
    const aborted = redis.cache.getOrSet("key", () => "never", { ttl: 60, signal: controller.signal });
    const patient = redis.cache.getOrSet("key", () => "loaded", { ttl: 60 });
    const refused = assertRejects(() => aborted, Error, "gone");
    controller.abort(new Error("gone"));
    await refused;
    assertEquals(await patient, "loaded");
    assertEquals(await redis.cache.get("key"), "loaded"); // it was stored
  },
});
