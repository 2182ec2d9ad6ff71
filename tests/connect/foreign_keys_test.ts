import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { connect, type Larder, type LarderEvent } from "../../mod.ts";
import { connectionReport } from "../../src/connect/connection_report.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EFFORT } from "../support/effort.ts";

/** What somebody else may have put under a key, as commands of it. */
const TYPES: Record<string, (key: string) => readonly (string | number)[]> = {
  "a string": (key) => ["SET", key, "foreign"],
  "an empty string": (key) => ["SET", key, ""],
  "a long string": (key) => ["SET", key, "x".repeat(EFFORT * 300_000)],
  "a list": (key) => ["RPUSH", key, "a", "b"],
  "a hash": (key) => ["HSET", key, "m", "b", "u", "c"],
  "a set": (key) => ["SADD", key, "a", "b"],
  "a sorted set": (key) => ["ZADD", key, "inf", "a", 2, "b", "-inf", "c"],
  "a stream": (key) => ["XADD", key, "*", "a", "b"],
};

type App = Larder<{ session: Record<string, unknown>; limit: string }>;

/** A key of ours, and what has to work whatever is under it. */
interface Kind {
  /** Makes the key, and tells its name behind the namespace. */
  key(app: App): string | Promise<string>;
  /** What the app does; what it asserts has to hold at the first and at any further time. */
  works(app: App): Promise<void>;
  /** The types that are ours: nothing is said of them. */
  readonly ours: readonly string[];
  /** Whether somebody else's type is told as such. */
  readonly told?: boolean;
}

const STRINGS = ["a string", "an empty string", "a long string"];
const request = () => new Request("http://localhost/page");

async function limits(app: App, name: string): Promise<void> {
  await app.rateLimit.reset(name, "ip");
  const results = [];
  for (let i = 0; i < 3; i++) results.push(await app.rateLimit.check(name, "ip", { cost: 2 }));
  assertEquals(results.map(({ allowed, source }) => [allowed, source]), [
    [true, "redis"],
    [true, "redis"],
    [false, "redis"],
  ]);
}

/** A key of limits, with what is checked before it is reset. */
const limit = (name: string, letter: string): Kind => ({
  ours: STRINGS,
  key: () => `r${letter}:${name}:ip`,
  async works(app) {
    const { allowed, source } = await app.rateLimit.check(name, "ip");
    assertEquals([allowed, source], [true, "redis"], "what makes no sense counts for nothing");
    await limits(app, name);
    await app.rateLimit.reset(name, "ip");
  },
});

/** All that is done with sessions. */
async function sessionsWork({ sessions }: App): Promise<void> {
  const { id } = await sessions.create("ada", { theme: "dark" }, { tags: ["org"] });
  assertEquals((await sessions.get(id))?.userId, "ada");
  assertEquals((await sessions.update(id, { theme: "light" }))?.data, { theme: "light" });
  assert(await sessions.touch(id), "touch() finds it");
  const renewed = await sessions.regenerate(id);
  assert(renewed, "regenerate() finds it");
  assertGreater((await sessions.list("ada")).length, 0);
  assertGreater(await sessions.updateAll("ada", { theme: "blue" }), 0);
  assertGreater(await sessions.destroyByTag("org"), 0);
  assertEquals(await sessions.get(renewed.id), undefined, "a tag was revoked");
  const next = await sessions.create("ada", {}, { tags: ["org"] });
  assertGreater(await sessions.destroyAll("ada"), 0);
  assertEquals(await sessions.get(next.id), undefined, "a user was revoked");
  const last = await sessions.create("ada", {});
  assert(await sessions.get(last.id), "a login after that lives");
  assert(await sessions.destroy(last.id), "it is ended");
}

const session = (name: string): Kind => ({
  ours: ["a sorted set"],
  told: true,
  async key(app) {
    await app.sessions.create("ada", {}, { tags: ["org"] });
    return name;
  },
  works: sessionsWork,
});

/** What has to work with a lock, or a semaphore of two. */
const lock = (kind: "l" | "s", key = "lock"): Kind => ({
  ours: [key === "lock" ? "a hash" : "a sorted set"],
  told: true,
  key: () => `${key}:${kind}:name`,
  async works({ locks }) {
    const semaphore = locks.semaphore("name", { permits: 2, wait: "10s" });
    const acquire = () => kind === "l" ? locks.acquire("name", { wait: "10s" }) : semaphore.acquire();
    const held = [await acquire()];
    if (kind === "s") held.push(await acquire());
    const next = acquire(); // stands in line
    assertEquals(await (kind === "l" ? locks.tryAcquire("name") : semaphore.tryAcquire()), undefined);
    assert(await held[0]!.release(), "it was held");
    const last = await next;
    assert(last.held && last.token > held.at(-1)!.token, "it is held, with a higher number");
    for (const one of [...held.slice(1), last]) assert(await one.release(), "it was held");
  },
});

const KINDS: Record<string, Kind> = {
  "an entry": {
    ours: [],
    key: () => "c:key",
    async works({ cache }) {
      await cache.get("key");
      for await (const { key } of cache.inspect("*", { values: true })) assertEquals(key, "key");
      assertEquals(await cache.getOrSet("key", () => 7), 7);
      assertEquals(await cache.get("key"), 7, "what was loaded is stored");
      assert(await cache.set("key", 8), "set() stores");
      assertEquals(await cache.get("key"), 8);
      assert(await cache.delete("key"), "delete() finds it");
    },
  },
  "the ledger of the cache": {
    ours: ["a sorted set"],
    key: () => "ledger",
    async works({ cache }) {
      assertEquals((await cache.invalidateByTag("t")).status, "done");
      assert(await cache.set("key", 8, { tags: ["t"] }), "set() stores");
      assertEquals(await cache.get("key"), 8);
      assertEquals((await cache.invalidateByTag("t")).status, "done");
      assertEquals(await cache.get("key"), undefined, "what was invalidated is not there");
    },
  },
  "a stored response": {
    ours: [],
    async key(app) {
      await cacheResponse(app, { ttl: "5m" })(request(), () => new Response("page"));
      return "c:http:localhost/page v2";
    },
    async works(app) {
      const serve = cacheResponse(app, { ttl: "5m" });
      for (const outcome of ["MISS", "HIT"]) {
        const response = await serve(request(), () => new Response("page"));
        assertEquals([response.status, await response.text()], [200, "page"]);
        assertEquals(response.headers.get("x-cache"), outcome);
      }
      await app.cache.invalidateByPattern("http*");
    },
  },
  "a session": {
    ours: ["a hash"],
    async key(app) {
      const { id, handle } = await app.sessions.create("ada", {});
      token = id;
      return `s:${handle}`;
    },
    async works(app) {
      assertEquals(await app.sessions.get(token), undefined);
      assertEquals(await app.sessions.update(token, { a: 1 }), undefined);
      assertEquals(await app.sessions.touch(token), false);
      assertEquals(await app.sessions.regenerate(token), undefined);
      await app.sessions.updateAll("ada", { a: 1 });
      await sessionsWork(app);
    },
  },
  "the ledger of sessions": session("sl"),
  "the sessions of a user": session("su:ada"),
  "the sessions with a tag": session("st:org"),
  "what became of a session": {
    ours: ["a sorted set"],
    async key(app) {
      const { id, handle } = await app.sessions.create("ada", {});
      await app.sessions.regenerate(id);
      token = id;
      return `sr:${handle}:sl`;
    },
    async works(app) {
      const session = app.sessions.forRequest(
        new Request("http://localhost/", { headers: { cookie: `__Host-session=${token}` } }),
      );
      assertEquals(await session.get(), undefined);
      await session.settle();
      await sessionsWork(app);
    },
  },
  "an exact limit": limit("EXACT", "e"),
  "a sliding window": limit("SLIDING", "s"),
  "a fixed window": limit("FIXED", "f"),
  "a limit of gcra": limit("GCRA", "g"),
  "a lock": lock("l"),
  "the line of a lock": lock("l", "lockq"),
  "a semaphore": lock("s"),
  "the line of a semaphore": lock("s", "lockq"),
  "the lock of a job": {
    ours: ["a hash"],
    told: true,
    key: () => "lock:o:job",
    async works({ locks }) {
      await locks.once("job", { every: "1h" }, () => 1);
      assertEquals((await locks.once("job", { every: "1h" }, () => 1)).ran, false, "it ran a moment ago");
    },
  },
  "the last run of a job": {
    ours: STRINGS,
    key: () => "lockr:o:job",
    async works({ locks }) {
      await locks.once("job", { every: "1h" }, () => 1);
      assertEquals((await locks.once("job", { every: "1h" }, () => 1)).ran, false, "it ran a moment ago");
    },
  },
  "the processes": {
    ours: ["a sorted set"],
    told: true,
    key: () => "p",
    async works(app) {
      const { status, warnings } = await app.health();
      assertEquals([status, warnings], ["ok", []]);
    },
  },
};
let token = "";

const PRESETS = {
  EXACT: { limit: 5, window: "1m", algorithm: "exact" },
  SLIDING: { limit: 5, window: "1m", algorithm: "sliding-window" },
  FIXED: { limit: 5, window: "1m", algorithm: "fixed-window" },
  GCRA: { limit: 5, window: "1h", burst: 5, algorithm: "gcra" },
} as const;

for (const [name, { key, works, ours, told = false }] of Object.entries(KINDS)) {
  Deno.test(`What somebody else has put in the place of ${name} stops nothing`, async () => {
    await using server = await RedisServer.start();
    for (const [type, command] of Object.entries(TYPES)) {
      const events: LarderEvent[] = [];
      const lines: string[] = [];
      const report = connectionReport((line) => lines.push(line));
      const namespace = `ns-${type.replaceAll(" ", "-")}`;
      await using app = await connect({
        url: server.url,
        namespace,
        commandTimeout: "10s",
        rateLimit: { timeout: "10s", presets: PRESETS },
        on(event) {
          events.push(event);
          report(event);
        },
      }) as unknown as App;
      const at = `{${namespace}}:${await key(app)}`;
      await server.cli("DEL", at);
      await server.cli(...command(at).map(String) as [string, ...string[]]);
      for (let i = 0; i < 2; i++) await works(app);
      const { status } = await app.health();
      assertEquals(status, "ok", `${name} is ${type}`);
      if (!told || ours.includes(type)) continue;
      const refused = events.flatMap((event) => event.type === "redis.refused" ? [event.code] : []);
      assertEquals(refused, ["WRONGTYPE"], `${name} is ${type}`);
      assertEquals(lines.length, 1, lines.join("\n"));
      assert(lines[0]!.includes("Somebody else uses keys of this namespace"), lines[0]);
    }
  });
}

Deno.test("Indexes, ledgers and limits of enormous size hold nothing up", async () => {
  await using server = await RedisServer.start();
  await using app = await connect({
    url: server.url,
    namespace: "ns",
    commandTimeout: "20s",
    rateLimit: { timeout: "20s", presets: PRESETS },
    on: () => {},
  }) as unknown as App;
  const count = EFFORT * 20_000;
  const lua = `for i = 1, tonumber(ARGV[1]) do redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3] .. i) end`;
  for (const [key, score, name] of [["su:ada", 9e12, "x"], ["st:org", 9e12, "x"], ["sl", 1, "u:"], ["p", 9e15, "x:"]]) {
    await server.cli("EVAL", lua, 1, `{ns}:${key}`, count, score!, name!);
  }
  await sessionsWork(app);
  assertEquals((await app.health()).status, "ok");
  assertLess(Number(await server.cli("ZCARD", "{ns}:p")), 1001);
  for (const [name, letter] of [["EXACT", "e"], ["SLIDING", "s"], ["FIXED", "f"], ["GCRA", "g"]]) {
    await app.rateLimit.check(name!, "ip");
    const key = `{ns}:r${letter}:${name}:ip`;
    await server.cli(
      "EVAL",
      "redis.call('APPEND', KEYS[1], string.rep('\\1', tonumber(ARGV[1])))",
      1,
      key,
      EFFORT * 300_000,
    );
    await app.rateLimit.check(name!, "ip");
    assertLess(Number(await server.cli("STRLEN", key)), 100, `${name} is born anew`);
  }
});

Deno.test("A ledger of sessions from another time shuts nobody out", async () => {
  await using server = await RedisServer.start();
  await using app = await connect({ url: server.url, namespace: "ns", commandTimeout: "10s", on: () => {} });
  const { sessions } = app as unknown as App;
  for (const member of ["k", "n", "x", "u:ada", "t:org"]) {
    for (const score of ["inf", "-inf", "1e300", "-1e300", "-1e17", "1e17", "-1"]) {
      await sessions.create("ada", {}, { tags: ["org"] });
      await server.cli("ZADD", "{ns}:sl", score, member);
      const before = await sessions.create("ada", {}, { tags: ["org"] });
      assert(await sessions.get(before.id), `a login lives where ${member} is ${score}`);
      await sessions.destroyAll("ada");
      await sessions.destroyByTag("org");
      assertEquals(await sessions.get(before.id), undefined, `it ends where ${member} is ${score}`);
      const after = await sessions.create("ada", {}, { tags: ["org"] });
      assert(await sessions.get(after.id), `a login lives afterwards where ${member} is ${score}`);
    }
  }
});

Deno.test("A job runs although its last run is said to be no time, or one to come", async () => {
  await using server = await RedisServer.start();
  await using app = await connect({ url: server.url, namespace: "ns", commandTimeout: "10s", on: () => {} });
  for (const last of ["soon", "nan", "inf", "-inf", "1e300", "9".repeat(30), "9102444800000000", "4102444800000"]) {
    for (const missed of ["run", "skip"] as const) {
      await server.cli("SET", "{ns}:lockr:o:job", last);
      const { ran } = await app.locks.once("job", { every: "1h", missed }, () => 1);
      assertEquals(ran, true, `${last}, ${missed}`);
    }
  }
});

Deno.test("What somebody else has put in the place of one lock ends no other, and no fencing number jumps", async () => {
  await using server = await RedisServer.start();
  await using app = await connect({ url: server.url, namespace: "ns", commandTimeout: "10s", on: () => {} });
  const { locks } = app;
  const [mine, theirs] = [
    await locks.acquire("mine", { ttl: "600ms" }),
    await locks.acquire("theirs", { ttl: "600ms" }),
  ];
  await server.cli("DEL", "{ns}:lock:l:theirs");
  await server.cli("SET", "{ns}:lock:l:theirs", "x");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assertEquals([mine.held, theirs.held], [true, false]);
  const far = Date.now() * 1000 + 1e18;
  for (
    const value of ["x", "", `9${"0".repeat(20)} 5 a`, `${Date.now() + 1e9} 5 a`, `${Date.now() + 5000} ${far} a|1|1`]
  ) {
    await server.cli("HSET", "{ns}:lock:l:mine", "a", value);
    await server.cli("ZADD", "{ns}:lockq:l:mine", "-inf", "x", "inf", `a|1|${"9".repeat(20)}`);
    assertEquals(await locks.tryAcquire("mine"), undefined, "who holds it does so still");
    assertEquals(await server.cli("HGET", "{ns}:lock:l:mine", "a"), null, value);
  }
  await mine.release();
  const next = await locks.acquire("mine", { wait: "5s" });
  assert(next.token > mine.token && next.token < far / 2, "a number near the clock");
  await next.release();
});
