import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "../../src/connect/larder.ts";
import { ALGORITHM_NAMES } from "../../src/rate_limit/algorithms/registry.ts";
import { commandCounts } from "../support/open_cache.ts";
import { until } from "../support/until.ts";
import { commandsOf, DeployedRedis, possible } from "./deployed_redis.ts";

const SRC = new URL("../../src/", import.meta.url);

/** What clients send by themselves, and what has no name in the source: it comes with the protocol. */
const OF_CLIENTS = [
  ...["auth", "client|setname", "ping", "publish", "subscribe", "unsubscribe"],
  ...["psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe"],
];

/** Commands that are several, by their first argument. */
const CONTAINERS: ReadonlySet<string> = new Set(["XGROUP", "XINFO"]);

/** Sends what its user asks for, which the ACL of the app is not made for. */
const OF_USERS = "db_redis_commands.ts";

/** The sources, as far as they can be read. */
async function* sources(folder: URL): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts") && name !== OF_USERS) yield await Deno.readTextFile(new URL(name, folder));
  }
}

/** The commands that scripts run and that are sent. */
async function commandsInSource(): Promise<Set<string>> {
  const found = new Set(OF_CLIENTS);
  for await (const text of sources(SRC)) {
    for (
      const [, name, next] of text.matchAll(/\b(?:redis\.p?call|call|ask|own|try)\(\s*'([A-Za-z]+)'(?:, '([A-Z]+)')?/g)
    ) {
      found.add(`${name}${CONTAINERS.has(name!) ? `|${next}` : ""}`.toLowerCase());
    }
    for (const [, name, args] of text.matchAll(/\bbatch\.send\(\s*"([A-Z]+)", \[([^\]]*)/g)) {
      const subcommand = name === "CLUSTER" ? `|${/^"([A-Z]+)"/.exec(args!)![1]}` : "";
      found.add(`${name}${subcommand}`.toLowerCase());
    }
    for (const [, name] of text.matchAll(/\bname: "([A-Z]+)",\n/g)) found.add(name!.toLowerCase());
  }
  return found;
}

Deno.test("The ACL of the app lists the commands that Larder uses, and no others", async () => {
  assertEquals([...await commandsOf("app")].sort(), [...await commandsInSource()].sort());
});

Deno.test("The ACL of the default user, as which Redis replays its AOF, has what the app may write", async () => {
  assertEquals(await commandsOf("default"), await commandsOf("app"));
});

Deno.test("docs/managed.md lists the commands that Larder needs and the Lua libraries that its scripts use", async () => {
  const document = await Deno.readTextFile(new URL("../../docs/managed.md", import.meta.url));
  const listed = /^## What Larder needs\n\n```text\n([^`]*)```\n/m.exec(document)![1]!;
  assertEquals(
    listed.split(/\s+/).filter(Boolean).map((name) => name.toLowerCase()).sort(),
    [
      ...await commandsOf("app"),
    ].sort(),
  );
  const used = new Set<string>();
  for await (const text of sources(SRC)) {
    for (const [, name] of text.matchAll(/\b(cjson|cmsgpack|bit|struct)\.[a-z]+\(/g)) used.add(name!);
  }
  const libraries = /^Lua libraries: (.*)\.$/m.exec(document)![1]!;
  assertEquals(libraries.split(", ").map((name) => name.replaceAll("`", "")), [...used].sort());
});

Deno.test({
  name: "The ACL of the app lets all services work",
  ignore: !possible,
  async fn(t) {
    await using redis = await DeployedRedis.start();
    for (const buckets of [1, 3]) {
      await t.step(`with ${buckets} buckets`, async () => {
        await using larder = await connect({ ...redis.options, namespace: "larder", buckets, cache: { local: true } });
        await useCache(larder.cache);
        await useCache(larder.cache.namespace("v2"));
        await useSessions(larder.sessions);
        await useLimits(larder.rateLimit);
        await useLocks(larder.locks);
        await useChannels(larder.pubsub);
        await useStreams(larder.streams);
        const health = await larder.health();
        assertEquals([health.status, health.redis[0]!.memory?.policy], ["ok", "volatile-lfu"]);
        await until(async () => (await commandCounts(redis.server)).subscribe, "the cache listens");
        // The pattern of all channels is heard instead.
        const told = (await redis.refused()).filter((one) => !one.includes(" larder:ch:news:* "));
        assertEquals(told, []);
      });
    }
  },
});

type Larder = Awaited<ReturnType<typeof connect>>;

async function useCache(
  cache: Pick<Larder["cache"], keyof Larder["cache"] & keyof ReturnType<Larder["cache"]["namespace"]>>,
) {
  await cache.set("a", 1, { ttl: "1m", tags: ["t"] });
  await cache.set("b", 2, { ttl: 0 });
  await cache.setMany([["c", 3], ["d", "x".repeat(3000)]], { ttl: "1h", tags: ["t", "u"] });
  await cache.getOrSet("e", () => 5, { ttl: "1s", staleWhileRevalidate: "1h" });
  await cache.getOrSet("gone", (context) => context.skip(0));
  await cache.getMany(["a", "b", "nothing"]);
  await cache.touch("a", "2m");
  await cache.touch("b", 0);
  await cache.has("a");
  await cache.ttl("a");
  await cache.lookup("a");
  await cache.warm([["w", 1]]);
  for await (const _ of cache.inspect("*"));
  await until(async () => (await cache.get("a")) === 1, "a is there");
  await cache.delete("c");
  await cache.invalidate("d");
  await cache.invalidateByTag("t", { mode: "stale" });
  await cache.invalidateByTag(["t", "u"]);
  assertEquals((await cache.invalidateByPattern("*")).status, "done");
  assertEquals((await cache.clear()).status, "done");
  assertEquals(cache.stats().errors, 0);
}

async function useSessions(sessions: Larder["sessions"]) {
  const { id } = await sessions.create("ada", { theme: "dark", old: 1 }, { tags: ["org:7"], ttl: 0, absoluteTtl: 0 });
  const visitor = await sessions.create(null, {}, { ttl: "1m" });
  assertEquals((await sessions.get(id))?.userId, "ada");
  await sessions.update(id, { theme: "light", old: undefined });
  await sessions.update(id, (data) => ({ count: Object.keys(data).length }));
  assert(await sessions.touch(id));
  const next = await sessions.regenerate(id);
  await sessions.regenerate(visitor.id, { userId: "bob" });
  assertEquals((await sessions.list("ada")).length, 1);
  assertEquals(await sessions.destroy(next!.id), true);
  await sessions.create("ada", {}, { tags: ["org:7"] });
  await sessions.destroyByTag("org:7");
  await sessions.create("ada", {});
  await sessions.destroyAll("ada");
  const durability = { replicas: 1, timeout: "1ms" };
  assertEquals((await sessions.create("ada", {}, { durability })).replicated, false);
  assertEquals(await sessions.destroyAll("ada", { durability }), { destroyed: 1, replicated: false });
}

async function useLimits(limits: Larder["rateLimit"]) {
  for (const algorithm of ALGORITHM_NAMES) {
    const named = limits.define("WALK", { limit: 5, window: "1m", algorithm, onUnavailable: "closed" });
    assertEquals((await named.check("WALK", `x:${algorithm}`)).source, "redis");
    await named.checkAll([["WALK", `y:${algorithm}`], ["API", "z"]]);
    await named.peek("WALK", `x:${algorithm}`);
    const reservation = await named.reserve("WALK", `x:${algorithm}`);
    await reservation.refund();
    await named.penalize("WALK", `x:${algorithm}`, 3);
    assertEquals(await named.reset("WALK", `x:${algorithm}`), true);
  }
  assertEquals((await limits.check("API", "y", { durability: { replicas: 1, timeout: "1ms" } })).replicated, false);
}

async function useChannels(pubsub: Larder["pubsub"]) {
  await using messages = pubsub.channel<number>("news").subscribe();
  await messages.ready;
  assertEquals(await pubsub.channel<number>("news").publish(7), 1);
  assertEquals((await messages.next()).value, { value: 7 });
  await using all = pubsub.pattern<number>("news:*").subscribe();
  await using sharded = pubsub.channel<number>("room", { sharded: true }).subscribe();
  await Promise.all([all.ready, sharded.ready]);
  await pubsub.channel<number>("news:1").publish(8);
  await pubsub.channel<number>("room", { sharded: true }).publish(9);
  assertEquals((await all.next()).value, { channel: "news:1", value: 8 });
  assertEquals((await sharded.next()).value, { value: 9 });
}

async function useStreams(streams: Larder["streams"]) {
  const jobs = streams.stream<number>("jobs", { maxLength: 1000 });
  await jobs.add(1, { key: "k", id: "first" });
  await jobs.add(2, { key: "k" });
  const loop = jobs.consume("g", { lease: "300ms" });
  const { value: one } = await loop.next();
  assertEquals(await one!.retry("once more", { delay: 0 }), true);
  const { value: again } = await loop.next();
  assertEquals([await again!.deadLetter("enough"), (await jobs.pending("g")).length], [true, 1]);
  await loop.return(); // what is left goes to another
  const seen = Promise.withResolvers<number>();
  await using _worker = jobs.consume("g", {}, ({ value }) => seen.resolve(value));
  assertEquals(await seen.promise, 2);
  for await (const { id } of jobs.deadLetters.list()) await jobs.deadLetters.putBack(id);
  await jobs.deadLetters.remove(["1-1"]);
  for await (const { value } of jobs.read({ follow: true })) if (value === 1) break;
  assertEquals((await jobs.info()).groups.length, 1);
  await jobs.trim();
  await jobs.trim({ maxLength: 1 });
}

async function useLocks(locks: Larder["locks"]) {
  assertEquals(await locks.withLock("report", { ttl: "5s" }, (lock) => lock.held), true);
  await using one = await locks.acquire("one", { ttl: "5s", wait: "5s" });
  assertEquals([one.held, await locks.tryAcquire("one", { ttl: "5s" })], [true, undefined]);
  const slots = locks.semaphore("slots", { permits: 2, ttl: "5s" });
  await using _permit = await slots.acquire();
  assertEquals((await locks.once("nightly", { every: "1h" }, () => "done")).ran, true);
  const pay = () => locks.idempotent("payment", {}, () => ({ value: 7, keep: new Uint8Array([7]) }));
  assertEquals([(await pay()).state, (await pay()).state], ["ran", "kept"]);
  const durability = { replicas: 1, timeout: "1ms" };
  assertEquals(await locks.withLock("safe", { durability }, ({ replicated }) => replicated), false);
}

Deno.test({
  name: "The ACL of the app refuses everything else",
  ignore: !possible,
  async fn(t) {
    await using redis = await DeployedRedis.start();
    const wanted = {
      "what destroys": [
        "FLUSHALL",
        "FLUSHDB",
        "SHUTDOWN",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "SWAPDB 0 1",
        "RESTORE {larder}:c:a 0 x",
      ],
      "what administers": [
        "CONFIG GET *",
        "CONFIG SET maxmemory 1",
        "ACL LIST",
        "CLIENT LIST",
        "CLIENT KILL 1",
        "BGSAVE",
        "REPLICAOF NO ONE",
        "MODULE LIST",
      ],
      "what spies": [
        "KEYS *",
        "MONITOR",
        "SLOWLOG GET",
        "PSUBSCRIBE *",
        "PUBSUB CHANNELS",
        "RANDOMKEY",
        "DUMP {larder}:c:a",
      ],
      "foreign keys": [
        "GET foreign",
        "SET larder:x 1",
        "GET {larderx}:c:a",
        "GET {other}:c:a",
        "MGET {larder}:c:a foreign",
        "RENAME {larder}:a foreign",
        "SELECT 1",
      ],
      "foreign channels": [
        ...["SUBSCRIBE other", "SUBSCRIBE larderx:bell", "PUBLISH other x", "SSUBSCRIBE other", "SPUBLISH other x"],
        ...["PSUBSCRIBE l*", "PSUBSCRIBE larder*", "PSUBSCRIBE larder:l*"],
      ],
    };
    for (const [name, commands] of Object.entries(wanted)) {
      await t.step(name, async () => {
        for (const command of commands) {
          const [reply] = await redis.asApp(command.split(" "));
          assertStringIncludes(String(reply), "NOPERM", command);
        }
      });
    }

    await t.step("the same from within a script", async () => {
      for (const call of ["'GET', 'foreign'", "'FLUSHALL'", "'PUBLISH', 'other', 'x'", "'KEYS', '*'"]) {
        const [reply] = await redis.asApp(["EVAL", `return redis.call(${call})`, "0"]);
        assert(reply instanceof Error, call);
        assertMatch(reply.message, /^NOPERM|ACL failure|The user executing the script can't/, call);
      }
      const [reply] = await redis.asApp(["EVAL", "return 1", "1", "foreign"]);
      assertStringIncludes(String(reply), "NOPERM");
    });

    await t.step("the operator sees figures", async () => {
      const commands =
        "INFO, DBSIZE, SLOWLOG GET, LATENCY LATEST, MEMORY STATS, MEMORY DOCTOR, ACL LOG, CLIENT LIST, " +
        "LASTSAVE, CONFIG GET maxmemory";
      for (const command of commands.split(", ")) await redis.server.cli(...command.split(" "));
    });

    await t.step("the operator ends scripts that go on for ever", async () => {
      for (const kind of ["SCRIPT", "FUNCTION"]) {
        const said = await redis.server.cli(kind, "KILL").then(() => "nothing", String);
        assertStringIncludes(said, "NOTBUSY", kind);
      }
    });

    await t.step("the operator sees no data", async () => {
      for (
        const command of [
          ["GET", "{larder}:c:a"],
          ["KEYS", "*"],
          ["CONFIG", "SET", "maxmemory", "1"],
          ["ACL", "LIST"],
          [
            "SCRIPT",
            "FLUSH",
          ],
          ["FUNCTION", "FLUSH"],
          ["EVAL", "return 1", "0"],
        ]
      ) {
        const refused = await redis.server.cli(...command).then(() => "nothing", String);
        assertStringIncludes(refused, "NOPERM", command.join(" "));
      }
    });
  },
});
