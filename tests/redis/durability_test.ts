import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient } from "redis";
import { Redis } from "ioredis";
import { connect } from "../../mod.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../src/redis/adapters/from_node_redis.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import { RedisSessionStore } from "../../src/sessions/redis/store.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { DEAD_CLIENT } from "../support/dead_client.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { AT_ONCE, replicaOf } from "../support/replica.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;
const durability = { replicas: 1, timeout: "20s" };
const soon = { replicas: 1, timeout: "300ms" };

Deno.test({
  name: "durability tells of sessions and limits whether replicas have what was written",
  ignore,
  async fn(t) {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using replica = await replicaOf(server);
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "safe", commandTimeout: "5s", on: log.on });
    await redis.ready({ timeout: "20s" });
    const { sessions, rateLimit } = redis;

    await t.step("a login, a change, a new id and each kind of end", async () => {
      const session = await sessions.create("ada", { n: 1 }, { durability, tags: ["org:7"] });
      assertEquals(session.replicated, true);
      assertEquals(await replica.cli("EXISTS", `{safe}:s:${session.handle}`), 1);
      assertEquals((await sessions.update(session.id, { n: 2 }, { durability }))?.replicated, true);
      assertEquals((await sessions.update(session.id, ({ n }) => ({ n }), { durability }))?.replicated, true);
      const next = await sessions.regenerate(session.id, { durability });
      assertEquals(next?.replicated, true);
      const moved = await sessions.regenerate(next!.id, { userId: "eve", durability });
      assertEquals(moved?.replicated, true);
      assertEquals(await sessions.updateAll("eve", { n: 3 }, { durability }), { updated: 1, replicated: true });
      assertEquals(await sessions.destroy(moved!.id, { durability }), { destroyed: true, replicated: true });
      assertEquals(await replica.cli("EXISTS", `{safe}:s:${moved!.handle}`), 0);
      assertEquals(await sessions.destroy("made up", { durability }), { destroyed: false, replicated: false });
      await sessions.create("ada", {}, { tags: ["org:7"] });
      assertEquals(await sessions.destroyAll("ada", { durability }), { destroyed: 1, replicated: true });
      await sessions.create("ada", {}, { tags: ["org:7"] });
      assertEquals(await sessions.destroyByTag("org:7", { durability }), { destroyed: 1, replicated: true });
    });

    await t.step("a check, several, a reservation and a penalty", async () => {
      const check = await rateLimit.check("AUTH", "ada", { durability });
      assertEquals([check.allowed, check.replicated, check.results[0]?.replicated], [true, true, true]);
      assertEquals(await replica.cli("EXISTS", "{safe}:re:AUTH:ada"), 1);
      const both = await rateLimit.checkAll([["AUTH", "ada"], ["API", "ada"]], { durability });
      assertEquals(both.results.map(({ replicated }) => replicated), [true, true]);
      const reservation = await rateLimit.reserve("AUTH", "ada", { durability });
      assertEquals(reservation.replicated, true);
      assertEquals((await rateLimit.penalize("AUTH", "ada", 5, { durability })).replicated, true);
      const refused = await rateLimit.check("AUTH", "ada", { durability });
      assertEquals([refused.allowed, refused.replicated], [false, false]);
      const all = await Promise.all(
        Array.from({ length: 50 }, (_, i) => rateLimit.check("API", `${i}`, { durability })),
      );
      assert(all.every(({ replicated }) => replicated));
    });

    await t.step("who does not ask for it is told nothing", async () => {
      const session = await sessions.create("ada", {});
      assert(!("replicated" in session) && !("replicated" in await rateLimit.check("API", "ada")));
      assertEquals(await sessions.destroy(session.id), true);
      assertEquals(log.events.filter(({ type }) => type === "replicas.missed"), []);
    });

    await t.step("one WAIT for all of a tick, and reads wait for none", async () => {
      const waits = async () =>
        Number(/cmdstat_wait:calls=(\d+)/.exec(String(await server.cli("INFO", "commandstats")))![1]);
      const before = await waits();
      const many = await Promise.all(
        Array.from({ length: 100 }, (_, i) => sessions.create(`user${i}`, {}, { durability })),
      );
      assert(many.every(({ replicated }) => replicated));
      assertLess(await waits() - before, 50);
      await replica.pause();
      const since = performance.now();
      const login = sessions.create("ada", {}, { durability: { replicas: 1, timeout: "1s" } });
      for (let i = 0; i < 20; i++) assertEquals((await sessions.get(many[i]!.id))?.userId, `user${i}`);
      assertLess(performance.now() - since, 900);
      assertEquals((await login).replicated, false);
      const [destroyed, check] = await Promise.all([
        sessions.destroyAll("user1", { durability: soon }),
        rateLimit.check("AUTH", "eve", { durability: soon }),
      ]);
      assertEquals([destroyed, check.replicated], [{ destroyed: 1, replicated: false }, false]);
      assertEquals(await sessions.get(many[1]!.id), undefined);
      const missed = log.events.filter(({ type }) => type === "replicas.missed");
      assertEquals(missed.map((event) => "operation" in event && event.operation).sort(), [
        "count rate limit",
        "create session",
        "destroy sessions",
      ]);
      await replica.resume();
      await until(async () => (await sessions.create("ada", {}, { durability: soon })).replicated, "it is back");
    });

    await t.step("a connection for it that is lost is made anew", async () => {
      await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      const again = () => sessions.create("ada", {}, { durability: soon }).catch(() => undefined);
      await until(async () => (await again())?.replicated, "it is replicated again");
    });

    await t.step("more replicas than there are, and an end of the wait", async () => {
      const more = { replicas: 2, timeout: "50ms" };
      assertEquals((await sessions.create("ada", {}, { durability: more })).replicated, false);
      const ends = new AbortController();
      const waits = sessions.create("zoe", {}, { durability: { replicas: 2, timeout: "1m" }, signal: ends.signal });
      waits.catch(() => {});
      await until(async () => (await sessions.list("zoe")).length === 1, "it is written");
      ends.abort();
      await assertRejects(() => waits, DOMException, "The signal has been aborted");
      assertEquals((await sessions.list("zoe")).length, 1);
    });
    await until(async () => (await server.cli("KEYS", "{safe}:w:*") as string[]).length === 0, "no mark is left");
  },
});

Deno.test({
  name: "durability of connect() holds for all sessions and limits, over each client that can wait",
  ignore,
  async fn(t) {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using replica = await replicaOf(server);
    const everywhere = { sessions: { durability }, rateLimit: { durability }, commandTimeout: "5s", on: () => {} };
    const ioredis = new Redis(server.url, { maxRetriesPerRequest: 0 });
    const nodeRedis = createClient({ url: server.url });
    nodeRedis.on("error", () => {});
    await nodeRedis.connect();
    const targets = {
      url: { url: server.url },
      ioredis: { client: fromIoredis(ioredis) },
      "node-redis": { client: fromNodeRedis(nodeRedis) },
    };
    for (const [name, target] of Object.entries(targets)) {
      await t.step(name, async () => {
        const namespace = name.replace("-", "");
        await using redis = await connect({ ...target, ...everywhere, namespace });
        await redis.ready({ timeout: "20s" });
        const session = await redis.sessions.create("ada", {});
        assertEquals(session.replicated, true);
        assertEquals((await redis.sessions.regenerate(session.id))?.replicated, true);
        assertEquals(await redis.sessions.destroyAll("ada"), 1);
        assertEquals((await redis.rateLimit.check("AUTH", "ada")).replicated, true);
        assertEquals(await redis.locks.withLock("x", { durability }, (lock) => lock.replicated), true);
        const handler = redis.sessions.withSession(async (_request, session) => {
          const { replicated } = await session.create("ada", {});
          return Response.json([replicated, await session.destroy()]);
        });
        assertEquals(await (await handler(new Request("https://localhost/"))).json(), [true, true]);
        assertEquals(await replica.cli("KEYS", `{${namespace}}:s:*`), []);
      });
    }
    ioredis.disconnect();
    await nodeRedis.close();
  },
});

Deno.test({
  name: "durability is not fooled by a server that took over: it is false where the write is not",
  ignore,
  async fn() {
    await using server = await RedisServer.start({ config: AT_ONCE });
    await using other = await RedisServer.start({ config: AT_ONCE });
    await using _replica = await replicaOf(other);
    const clients = await Promise.all([server, other].map(async ({ hostname, port }) => {
      const client = new WireClient({ hostname, port }, { connectTimeout: 5000 });
      await client.start();
      return client;
    }));
    // The connection for the waits leads to a primary with a replica, which never heard of the write.
    const [first, second] = clients as [WireClient, WireClient];
    const client: RedisClient = Object.create(first, {
      apart: { value: () => Promise.resolve(second) },
      pipeline: { value: first.pipeline.bind(first) },
      onChange: { value: first.onChange.bind(first) },
      close: { value: first.close.bind(first) },
      connected: { get: () => first.connected },
      generation: { get: () => first.generation },
      inFlight: { get: () => first.inFlight },
      congested: { get: () => first.congested },
      movedAt: { get: () => first.movedAt },
      name: { get: () => first.name },
    });
    const batch = new Batch(client, { commandTimeout: 5000 });
    const sessions = new Sessions(new RedisSessionStore(batch, { namespace: "safe" }), { durability: soon });
    const session = await sessions.create("ada", {});
    assertEquals([session.userId, session.replicated], ["ada", false]);
    await batch.close();
  },
});

Deno.test({
  name: "what was replicated is there after kill -9 of the primary and a failover",
  ignore,
  async fn() {
    await using server = await RedisServer.start({ config: AT_ONCE });
    // What is written takes a while to the replica: at any time something is on its way.
    await using line = TcpProxy.start(server);
    await using replica = await replicaOf(line);
    line.delay = 20;
    const everywhere = { sessions: { durability: soon }, rateLimit: { durability: soon } };
    const redis = await connect({
      url: server.url,
      namespace: "safe",
      commandTimeout: "5s",
      ...everywhere,
      on: () => {},
    });
    await redis.ready({ timeout: "20s" });
    const begun: { id: string; replicated: boolean }[] = [];
    const ended: { id: string; replicated: boolean }[] = [];
    const checks: { id: string; replicated: boolean }[] = [];
    const old = await Promise.all(
      Array.from({ length: 400 }, (_, i) => redis.sessions.create(`old${i}`, {}, { durability })),
    );
    let killed = false;
    const users = Array.from({ length: 8 }, async (_, user) => {
      for (let i = 0; !killed; i++) {
        try {
          const { id, replicated } = await redis.sessions.create(`user${user}`, {});
          begun.push({ id, replicated: replicated! });
          const last = old.pop();
          if (last) ended.push({ id: last.id, ...await redis.sessions.destroy(last.id, { durability: soon }) });
          const { replicated: counted } = await redis.rateLimit.check("API", `${user}:${i}`);
          checks.push({ id: `${user}:${i}`, replicated: counted! });
        } catch {
          // It ends.
        }
      }
    });
    await until(() => checks.filter(({ replicated }) => replicated).length > 20, "some were replicated");
    line.freeze(); // the last of it is lost
    const last = await redis.sessions.create("last", {});
    begun.push({ id: last.id, replicated: last.replicated! });
    await server.kill();
    killed = true;
    await Promise.all(users);
    await redis.close();
    await replica.cli("REPLICAOF", "NO", "ONE");

    await using after = await connect({ url: replica.url, namespace: "safe", commandTimeout: "5s", on: () => {} });
    await after.ready({ timeout: "20s" });
    let lost = 0;
    for (const { id, replicated } of begun) {
      const there = await after.sessions.get(id) !== undefined;
      if (replicated) assert(there, "a session that was replicated is lost");
      if (!there) lost++;
    }
    for (const { id, replicated } of ended) {
      if (replicated) assertEquals(await after.sessions.get(id), undefined, "a session that was ended is back");
    }
    for (const { id, replicated } of checks) {
      if (replicated) assertEquals((await after.rateLimit.peek("API", id)).remaining, 999, "a count is lost");
    }
    assertGreater(begun.filter(({ replicated }) => replicated).length, 5);
    assertGreater(lost, 0, "nothing was lost: this has shown nothing");
  },
});

Deno.test("durability is false on the embedded store", async () => {
  const log = new EventLog();
  await using redis = await connect({
    url: "memory:",
    sessions: { durability: soon },
    rateLimit: { durability: soon },
    on: log.on,
  });
  const session = await redis.sessions.create("ada", {});
  assertEquals(session.replicated, false);
  assertEquals(await redis.sessions.destroy(session.id, { durability: soon }), { destroyed: true, replicated: false });
  assertEquals((await redis.rateLimit.check("AUTH", "ada")).replicated, false);
  assertEquals(log.events.filter(({ type }) => type === "replicas.missed"), []);
});

Deno.test("durability that makes no sense is refused, as is a client that cannot wait for replicas", async () => {
  for (
    const wrong of [
      {},
      { replicas: 0 },
      { replicas: 1.5 },
      { replicas: 101 },
      { replicas: "1" },
      5,
      null,
      {
        replicas: 1,
        timeout: 0,
      },
      { replicas: 1, timeout: "2m" },
      { replicas: 1, wait: 5 },
    ]
  ) {
    const durability = wrong as never;
    await using redis = await connect({ url: "memory:", on: () => {} });
    for (
      const work of [
        () => connect({ url: "memory:", sessions: { durability } }),
        () => connect({ url: "memory:", rateLimit: { durability } }),
        async () => await new Sessions(new MemorySessionStore(), { durability }).list("ada"),
        () => redis.sessions.create("ada", {}, { durability }),
        () => redis.sessions.destroyAll("ada", { durability }),
        () => redis.rateLimit.check("AUTH", "ada", { durability }),
        () => redis.rateLimit.penalize("AUTH", "ada", 1, { durability }),
      ]
    ) {
      const error = await assertRejects(work, Error);
      assertStringIncludes(error.message, "wanted", `${work} with ${JSON.stringify(wrong)}`);
    }
    assertEquals(await redis.sessions.list("ada"), []);
  }
  const client = { ...DEAD_CLIENT, name: "other" };
  for (const options of [{ sessions: { durability: soon } }, { rateLimit: { durability: soon } }]) {
    const error = await assertRejects(() => connect({ client, ...options, on: () => {} }), TypeError);
    assertStringIncludes(error.message, 'or a client that can open another connection, got a client "other"');
  }
  await using redis = await connect({ client, on: () => {} });
  await assertRejects(
    () => redis.sessions.create("ada", {}, { durability: soon }),
    TypeError,
    "wanted a Redis by its URL",
  );
});
