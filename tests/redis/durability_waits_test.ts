import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { Batch } from "../../src/redis/batch.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { RedisSessionStore } from "../../src/sessions/redis/store.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { RedisServer } from "../support/redis_server.ts";
import { AT_ONCE, replicaOf } from "../support/replica.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;

Deno.test({
  name: "durability of one call does not wait for what another one wants",
  ignore,
  async fn(t) {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using replica = await replicaOf(server);
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "safe", commandTimeout: "5s", on: log.on });
    await redis.ready({ timeout: "20s" });
    const { sessions, rateLimit, locks } = redis;
    const durability = { replicas: 1, timeout: "20s" };
    assertEquals((await sessions.create("ada", {}, { durability })).replicated, true);

    await t.step("who wants one replica is told of it while others want more than there are", async () => {
      const ends = new AbortController();
      const many = sessions.create("eve", {}, { durability: { replicas: 2, timeout: "60s" }, signal: ends.signal });
      const ended = assertRejects(() => many, DOMException);
      const since = performance.now();
      assertEquals((await sessions.create("ada", {}, { durability })).replicated, true);
      assertEquals((await rateLimit.check("API", "ada", { durability })).replicated, true);
      assertEquals(await locks.withLock("x", { durability }, ({ replicated }) => replicated), true);
      assertLess(performance.now() - since, 10_000);
      ends.abort();
      await ended;
    });

    await t.step("of one tick as well", async () => {
      const [three, one] = await Promise.all([
        sessions.create("eve", {}, { durability: { replicas: 3, timeout: "400ms" } }),
        sessions.create("ada", {}, { durability }),
      ]);
      assertEquals([three.replicated, one.replicated], [false, true]);
    });

    await t.step("a replica that comes back after many rounds is in time", async () => {
      await replica.pause();
      const waits = sessions.create("ada", {}, { durability });
      const short = await sessions.create("eve", {}, { durability: { replicas: 1, timeout: "250ms" } });
      assertEquals(short.replicated, false);
      await replica.resume();
      assertEquals((await waits).replicated, true);
    });

    await t.step("a lock that replicas do not have is told of like all else", async () => {
      log.events.length = 0;
      await using lock = await locks.acquire("y", { durability: { replicas: 2, timeout: "10ms" } });
      assertEquals(lock.replicated, false);
      assert(log.events.some((event) => event.type === "replicas.missed" && event.operation === "acquire lock"));
    });
    const since = performance.now();
    await until(async () => (await server.cli("KEYS", "{safe}:w:*") as string[]).length === 0, "no mark is left");
    assertLess(performance.now() - since, 30_000); // nobody waits on for who has given up
  },
});

Deno.test({
  name: "durability says so where the server refuses to wait",
  ignore,
  async fn() {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using _replica = await replicaOf(server);
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-wait");
    const log = new EventLog();
    const login = { username: "app", password: "secret" };
    await using redis = await connect({ url: server.url, ...login, commandTimeout: "5s", on: log.on });
    const durability = { replicas: 1, timeout: "20s" };
    for (let i = 0; i < 3; i++) {
      assertEquals((await redis.sessions.create("ada", {}, { durability })).replicated, false);
    }
    const refused = log.events.filter((event) => event.type === "redis.refused");
    assertEquals(refused.map(({ operation, code }) => [operation, code]), [["wait for replicas", "NOPERM"]]);
    const { status, warnings } = await redis.health();
    assertEquals(status, "degraded");
    assertStringIncludes(warnings.join(), "cannot wait for replicas: NOPERM");
    await server.cli("ACL", "SETUSER", "app", "+wait");
    assertEquals((await redis.sessions.create("ada", {}, { durability })).replicated, true);
    assertEquals((await redis.health()).status, "ok");
  },
});

Deno.test("durability that makes no sense is refused whatever the session is", async () => {
  await using redis = await connect({ url: "memory:" });
  const { sessions } = redis;
  const durability = { replicas: 0 };
  for (const id of ["made up", (await sessions.create("ada", {})).id]) {
    await assertRejects(() => sessions.destroy(id, { durability }), RangeError, "replicas");
    await assertRejects(() => sessions.update(id, {}, { durability }), RangeError, "replicas");
    await assertRejects(() => sessions.regenerate(id, { durability }), RangeError, "replicas");
  }
});

Deno.test({
  name: "close() does not wait for a connection for durability that hangs in its handshake",
  ignore,
  async fn() {
    await using server = await RedisServer.start();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const hung: Deno.Conn[] = [];
    const accepting = (async () => {
      for await (const connection of listener) hung.push(connection); // says nothing, for ever
    })();
    const clients = await Promise.all([server.port, listener.addr.port].map((port) => {
      const client = new WireClient({ hostname: "127.0.0.1", port }, { connectTimeout: 60_000 });
      return port === server.port ? client.start().then(() => client) : client;
    }));
    const [first, second] = clients as [WireClient, WireClient];
    // Both go the same way, but the second one leads to nobody who answers.
    first.apart = (signal) => second.apart(signal);
    const batch = new Batch(first, { commandTimeout: 5000 });
    const store = new RedisSessionStore(batch, { namespace: "safe" });
    const sessions = new Sessions(store, { durability: { replicas: 1, timeout: "60s" } });
    const waits = sessions.create("ada", {});
    await until(() => hung.length > 0, "the connection hangs");
    const since = performance.now();
    await batch.close();
    assertEquals((await waits).replicated, false);
    assertLess(performance.now() - since, 30_000);
    await second.close();
    listener.close();
    await accepting;
    for (const connection of hung) connection.close();
  },
});
