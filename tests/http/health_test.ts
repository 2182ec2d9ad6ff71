import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { connect } from "../../mod.ts";
import { type ConnectionInfo, healthHandler, type HealthHandlerOptions } from "../../src/http/mod.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const ignore = !RedisServer.controllable;
const HERE: ConnectionInfo = { remoteAddr: { hostname: "127.0.0.1" } };

Deno.test("Larder.health() tells how the embedded store is", async () => {
  const redis = await connect({ url: "memory:" });
  await redis.cache.set("a", 1);
  await redis.cache.get("a");
  const { status, store, redis: servers, warnings, cache, process } = await redis.health();
  assertEquals([status, store, servers, warnings, cache.hits], ["ok", "memory", [], [], 1]);
  assertGreater(process.rss, 0);
  await redis.close();
  const closed = await redis.health();
  assertEquals([closed.status, closed.closed], ["down", true]);
});

Deno.test({
  name: "Larder.health() tells how Redis is, and when its memory is nearly full",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using redis = await connect({ url: server.url });
    await redis.cache.set("a", "x".repeat(100_000));
    await redis.health(); // what it is asked by is known to it from here on, and takes memory
    const before = await redis.health();
    assertEquals([before.status, before.warnings], ["ok", []]);
    const [first] = before.redis;
    assertEquals(
      [first!.role, first!.client, first!.answers, first!.connected, first!.circuit, first!.replication],
      ["all", "larder", true, true, "closed", "master"],
    );
    assert(/^\d+\.\d+\.\d+$/.test(first!.version!));
    assertLess(first!.latency!, 10_000);
    assertEquals([first!.keys! >= 1, first!.clients!.connected >= 1, first!.memory!.max], [true, true, 0]);
    await server.cli("CONFIG", "SET", "maxmemory", Math.round(first!.memory!.used * 1.05));
    const after = await redis.health();
    assertGreater(after.redis[0]!.memory!.usage!, 0.8);
    assertEquals(after.status, "ok");
    assert(/^Redis uses \d+ % of maxmemory \(noeviction\)$/.test(after.warnings[0]!), after.warnings[0]);
    await server.cli("CONFIG", "SET", "maxmemory", 0);
  },
});

Deno.test({
  name: "Larder.health() is degraded while Redis is away or hangs, and ok again by itself",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using redis = await connect({ url: server.url, commandTimeout: "200ms" });
    assertEquals((await redis.health()).status, "ok");
    await server.kill();
    const away = await redis.health();
    assertEquals([away.status, away.redis[0]!.answers, away.redis[0]!.latency], ["degraded", false, undefined]);
    assert(away.warnings[0]!.startsWith("Redis does not answer ("), away.warnings[0]);
    await server.restart();
    await until(async () => (await redis.health()).status === "ok", "Redis is back");
    await server.pause();
    const began = performance.now();
    assertEquals((await redis.health()).status, "degraded");
    assertLess(performance.now() - began, 5000);
    await server.resume();
    await until(async () => (await redis.health()).status === "ok", "Redis goes on");
  },
});

Deno.test({
  name: "Larder.health() is degraded where Redis takes no writes",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using redis = await connect({ url: server.url });
    await server.cli("REPLICAOF", "127.0.0.1", "1");
    const { status, warnings } = await redis.health();
    assertEquals([status, warnings], ["degraded", ["Redis takes no writes"]]);
  },
});

Deno.test({
  name: "Larder.health() does without the right to ask for figures",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-info");
    await using redis = await connect({ url: server.url, username: "app", password: "secret" });
    const { status, redis: servers } = await redis.health();
    assertEquals([status, servers[0]!.answers, servers[0]!.version], ["ok", true, undefined]);
    assert(!JSON.stringify(await redis.health()).includes("secret"));
  },
});

Deno.test({
  name: "Larder.health() does not say of a server that refuses everything that it does not answer",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
    await using redis = await connect({ url: server.url, username: "app", password: "secret", on: () => {} });
    await redis.ready();
    await server.cli("ACL", "SETUSER", "app", "-@all");
    const { status, warnings } = await redis.health();
    assertEquals(status, "degraded");
    assert(warnings[0]!.startsWith("Redis answers with an error: NOPERM "), warnings[0]);
  },
});

Deno.test("Larder.health() is down while Redis has never answered", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using redis = await connect({ url: `redis://127.0.0.1:${port}`, commandTimeout: "50ms" });
  assertEquals((await redis.health()).status, "down");
  // That is no reason to restart the process, but one to send no requests here.
  const handler = healthHandler(redis);
  const statuses = ["/health", "/health?ready"].map(async (path) =>
    (await handler(new Request(`http://localhost${path}`))).status
  );
  assertEquals(await Promise.all(statuses), [200, 503]);
});

async function ask(
  request: Request,
  info?: ConnectionInfo,
  options?: HealthHandlerOptions,
): Promise<[number, string[], string | null]> {
  await using redis = await connect({ url: "memory:" });
  const response = await healthHandler(redis, options)(request, info);
  const text = await response.text();
  return [response.status, text === "" ? [] : Object.keys(JSON.parse(text)), response.headers.get("cache-control")];
}

Deno.test("healthHandler() tells details to this machine and to who has the token only", async (t) => {
  const url = "http://localhost/health";
  const bearer = (token: string) => new Request(url, { headers: { authorization: `Bearer ${token}` } });
  const cases: [string, Request, ConnectionInfo | undefined, boolean][] = [
    ["anybody", new Request(url), { remoteAddr: { hostname: "192.0.2.1" } }, false],
    ["nobody knows who", new Request(url), undefined, false],
    ["this machine", new Request(url), HERE, true],
    ["this machine, IPv6", new Request(url), { remoteAddr: { hostname: "::1" } }, true],
    ["a proxy on this machine", new Request(url, { headers: { "x-forwarded-for": "192.0.2.1" } }), HERE, false],
    ["a proxy on this machine that tells the name", new Request("http://shop.example/health"), HERE, false],
    ["one that tells the scheme", new Request(url, { headers: { "x-forwarded-proto": "https" } }), HERE, false],
    [
      "one that tells who asks in its own way",
      new Request(url, { headers: { "cf-connecting-ip": "1.2.3.4" } }),
      HERE,
      false,
    ],
    ["this machine, by its address", new Request("http://127.0.0.1:3000/health"), HERE, true],
    ["this machine, by its other address", new Request("http://[::1]:3000/health"), HERE, true],
    ["the token", bearer("s3cret"), { remoteAddr: { hostname: "192.0.2.1" } }, true],
    ["another token", bearer("s3cre7"), { remoteAddr: { hostname: "192.0.2.1" } }, false],
    ["a name that looks like this machine", new Request(url), { remoteAddr: { hostname: "127.0.0.1.example" } }, false],
  ];
  for (const [who, request, info, details] of cases) {
    await t.step(who, async () => {
      const [status, keys, caching] = await ask(request, info, { token: "s3cret" });
      assertEquals([status, keys.length > 1, caching], [200, details, "no-store"]);
      assert(keys.includes("status"));
    });
  }
});

Deno.test("healthHandler() answers HEAD without a body and refuses other methods", async () => {
  const url = "http://localhost/health";
  assertEquals(await ask(new Request(url, { method: "HEAD" }), HERE), [200, [], "no-store"]);
  assertEquals((await ask(new Request(url, { method: "POST" }), HERE))[0], 405);
});

Deno.test("healthHandler() says that a closed Larder is of no use", async () => {
  const redis = await connect({ url: "memory:" });
  await redis.close();
  assertEquals((await healthHandler(redis)(new Request("http://localhost/"))).status, 503);
});

Deno.test({
  name: "healthHandler() asks Redis once for all who ask at about the same time",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using redis = await connect({ url: server.url });
    const handler = healthHandler(redis, { maxAge: "1h" });
    await server.cli("CONFIG", "RESETSTAT");
    await Promise.all(Array.from({ length: 100 }, () => handler(new Request("http://localhost/health"))));
    const stats = String(await server.cli("INFO", "commandstats"));
    assertEquals(/cmdstat_info:calls=(\d+)/.exec(stats)?.[1], "1");
  },
});
