import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import { connect, type ConnectOptions, type Larder, UnavailableError } from "../../mod.ts";
import { TcpProxy } from "../support/proxy.ts";
import { calmly } from "../support/calm.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;
/** What a loaded machine may take beyond the deadline of 100 ms. */
const SLACK = 200;
const NAMES = ["AUTH", "API", "DEFAULT", "STATIC"] as const;

interface Opened extends AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly redis: Larder;
  readonly log: EventLog;
}

async function open(options: ConnectOptions = {}): Promise<Opened> {
  const server = await RedisServer.start();
  const proxy = TcpProxy.start(server);
  const log = new EventLog();
  const redis = await connect({ url: proxy.url, namespace: "faults", on: log.on, ...options });
  await redis.ready({ timeout: "10s" });
  // The first calls of a process may take longer than the deadline.
  for (const name of NAMES) {
    await until(async () => (await redis.rateLimit.check(name, "warm")).source === "redis", "Redis decides");
  }
  log.events.length = 0;
  return {
    server,
    proxy,
    redis,
    log,
    async [Symbol.asyncDispose]() {
      await redis.close();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/**
 * Every preset does what it says (where `reads` says that looks need no policy, those are not looked at), each call
 * within the deadline, one after the other and all at once.
 */
async function judge(opened: Opened, id: string, reads: boolean = false): Promise<void> {
  await calmly((attempt) => judgeOnce(opened, `${id}-${attempt}`, reads));
}

async function judgeOnce({ redis }: Opened, id: string, reads: boolean): Promise<void> {
  const { rateLimit } = redis;
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work;
    assertLess(performance.now() - start, 100 + SLACK);
    return result;
  };
  const auth = await timed(rateLimit.check("AUTH", id));
  assertEquals([auth.allowed, auth.degraded, auth.source, auth.limit], [false, true, "policy", 5]);
  assert(auth.retryAfter > 0);
  const response = auth.response();
  assertEquals(response.status, 503);
  assertEquals(response.headers.get("Retry-After"), "1");
  assertEquals(response.headers.get("RateLimit"), null);
  assertEquals(
    (await response.json()).type,
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
  );

  const still = await timed(rateLimit.check("STATIC", id));
  assertEquals([still.allowed, still.degraded, still.source, still.limit], [true, true, "policy", 1000]);
  for (const [name, share] of [["DEFAULT", 50], ["API", 500]] as const) {
    const first = await timed(rateLimit.check(name, id));
    assertEquals([first.allowed, first.degraded, first.source], [true, true, "local"]);
    assertEquals([first.limit, first.remaining], [share, share - 1]);
    const all = await timed(Promise.all(Array.from({ length: 600 }, () => rateLimit.check(name, id))));
    assertEquals(all.filter(({ allowed }) => allowed).length, share - 1);
    const refused = all.find(({ allowed }) => !allowed)!;
    assertEquals([refused.degraded, refused.source, refused.response().status], [true, "local", 429]);
  }
  // What is more than the share takes all of it.
  const large = await timed(rateLimit.check("API", `${id}-large`, { cost: 900 }));
  assertEquals([large.allowed, large.remaining, large.source], [true, 0, "local"]);
  // Two reasons at once: the caller has had enough, too.
  const both = await timed(rateLimit.checkAll([["API", `${id}-large`], ["AUTH", id]]));
  assertEquals([both.allowed, both.response().status], [false, 429]);
  assertEquals((await both.response().json())["violated-policies"], ["API", "AUTH"]);
  const closed = await timed(rateLimit.checkAll([["API", `${id}-all`], ["AUTH", `${id}-all`]]));
  assertEquals([closed.allowed, closed.name, closed.response().status], [false, "AUTH", 503]);
  if (!reads) assertEquals((await timed(rateLimit.peek("API", `${id}-all`))).remaining, 500);
  assertEquals((await timed(rateLimit.checkAll([["API", `${id}-all`], ["STATIC", id]]))).allowed, true);

  const attempt = await timed(rateLimit.reserve("API", `${id}-back`, { cost: 500 }));
  assertEquals([attempt.allowed, attempt.source], [true, "local"]);
  assertEquals(await timed(attempt.refund()), true);
  assertEquals((await timed(rateLimit.penalize("API", `${id}-back`, 7))).remaining, 493);
  if (reads) return;
  assertEquals(await timed(rateLimit.reset("API", `${id}-back`)), false);
  assertEquals((await timed(rateLimit.peek("API", `${id}-back`))).remaining, 500);
}

/** Without being told anything, Redis decides again. */
async function recovers({ redis, log }: Opened): Promise<void> {
  await until(async () => (await redis.rateLimit.check("STATIC", "probe")).source === "redis", "Redis decides again");
  assertEquals(log.of("limit.recovered").length, log.of("limit.degraded").length);
  const auth = await redis.rateLimit.check("AUTH", `after-${crypto.randomUUID()}`);
  assertEquals([auth.allowed, auth.degraded, auth.source, auth.remaining], [true, false, "redis", 4]);
}

Deno.test({
  name: "RateLimiter does what each preset says while Redis is dead, and is back with it",
  ignore,
  fn: async () => {
    await using opened = await open();
    await opened.server.kill();
    await judge(opened, "dead");
    await judge(opened, "dead as well");
    assertEquals(opened.log.of("limit.degraded").length, 1);
    await opened.server.restart({ flush: true });
    await recovers(opened);
  },
});

Deno.test({
  name: "RateLimiter does what each preset says while Redis hangs, and is back with it",
  ignore,
  fn: async () => {
    await using opened = await open();
    await opened.server.pause();
    await judge(opened, "hung");
    await judge(opened, "hung as well");
    await opened.server.resume();
    await recovers(opened);
  },
});

Deno.test("RateLimiter does what each preset says while Redis is slow, and is back with it", async () => {
  await using opened = await open();
  opened.proxy.delay = 300;
  await judge(opened, "slow");
  await judge(opened, "slow as well");
  opened.proxy.delay = 0;
  await recovers(opened);
});

Deno.test({
  name: "RateLimiter does what each preset says while Redis is full or a replica, and is back with it",
  ignore,
  fn: async (t) => {
    await using opened = await open();
    const { server } = opened;
    await t.step("full", async () => {
      await server.cli("CONFIG", "SET", "maxmemory", "1");
      await judge(opened, "full", true);
      // A look that works does not mean that it is over.
      assertEquals((await opened.redis.rateLimit.peek("STATIC", "full")).source, "redis");
      assertEquals(opened.log.of("limit.recovered"), []);
      await server.cli("CONFIG", "SET", "maxmemory", "0");
      await recovers(opened);
    });
    await t.step("a replica", async () => {
      await server.cli("REPLICAOF", "127.0.0.1", "1");
      await judge(opened, "replica", true);
      await server.cli("REPLICAOF", "NO", "ONE");
      await recovers(opened);
    });
    await t.step("a replica without data to serve", async () => {
      await server.cli("CONFIG", "SET", "replica-serve-stale-data", "no");
      await server.cli("REPLICAOF", "127.0.0.1", "1");
      await judge(opened, "masterdown");
      await server.cli("REPLICAOF", "NO", "ONE");
      await recovers(opened);
    });
  },
});

Deno.test({
  name: "RateLimiter stays degraded on a full Redis until a write succeeds, whatever else it answers",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { redis, server, log } = opened;
    const { rateLimit } = redis;
    for (let i = 0; i < 5; i++) await rateLimit.check("AUTH", "used up");
    const attempt = await rateLimit.reserve("API", "reserved");
    await server.cli("CONFIG", "SET", "maxmemory", "1");
    for (let i = 0; i < 20; i++) {
      assertEquals((await rateLimit.check("API", `full-${i}`)).source, "local");
      // All of these are answered, and none of them writes.
      assertEquals((await rateLimit.check("AUTH", "used up")).allowed, false);
      assertEquals((await rateLimit.check("AUTH", "used up", { cost: 2 })).source, "redis");
      assertEquals((await rateLimit.peek("API", "full")).source, "redis");
      await rateLimit.reset("API", "nobody");
      await rateLimit.checkAll([["AUTH", "used up"], ["API", "full"]]);
    }
    await attempt.refund();
    assertEquals([log.of("limit.degraded").length, log.of("limit.recovered").length], [1, 0]);
    await server.cli("CONFIG", "SET", "maxmemory", "0");
    assertEquals((await rateLimit.check("API", "full")).source, "redis");
    assertEquals([log.of("limit.degraded").length, log.of("limit.recovered").length], [1, 1]);
  },
});

Deno.test({
  name: "RateLimiter never sends a check twice",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { server, proxy, redis } = opened;
    const used = async (id: string) => {
      await until(async () => (await redis.rateLimit.peek("API", id)).source === "redis", "Redis decides again");
      return 1000 - (await redis.rateLimit.peek("API", id)).remaining;
    };
    // Taken up by the server after the callers have given up.
    await server.pause();
    const late = await Promise.all(Array.from({ length: 20 }, () => redis.rateLimit.check("API", "late")));
    assertEquals(late.filter(({ source }) => source === "local").length, 20);
    await server.resume();
    assertLessOrEqual(await used("late"), 20);
    // The connection is lost between the call and its reply.
    proxy.delay = 40;
    const lost = Promise.all(Array.from({ length: 20 }, () => redis.rateLimit.check("API", "lost")));
    await new Promise((resolve) => setTimeout(resolve, 60));
    proxy.cut();
    assertEquals((await lost).filter(({ source }) => source === "local").length, 20);
    proxy.delay = 0;
    const counted = await used("lost");
    assert(counted === 20 || counted === 0, `${counted}`);
    // The server has forgotten its scripts.
    await server.cli("SCRIPT", "FLUSH");
    const unknown = await Promise.all(Array.from({ length: 20 }, () => redis.rateLimit.check("API", "unknown")));
    assertEquals(unknown.filter(({ source }) => source === "redis").length, 20);
    assertEquals(await used("unknown"), 20);
  },
});

Deno.test({
  name: "RateLimiter does not keep callers waiting who come while Redis is known to hang",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { server, redis } = opened;
    await server.pause();
    for (let i = 0; i < 3; i++) await redis.rateLimit.check("STATIC", "a");
    // One of them may be the attempt that finds out whether it is back.
    const times: number[] = [];
    for (let i = 0; i < 200; i++) {
      const start = performance.now();
      await redis.rateLimit.check("STATIC", "a");
      times.push(performance.now() - start);
    }
    assertLess(times.filter((time) => time > 50).length, 5);
    await server.resume();
    await recovers(opened);
  },
});

Deno.test("RateLimiter does not wait for a Redis that is known to be slower than the deadline", async () => {
  await using opened = await open({ commandTimeout: "10s", rateLimit: { timeout: "100ms" } });
  const { proxy, redis } = opened;
  proxy.delay = 75;
  const start = performance.now();
  for (let i = 0; i < 30; i++) assertEquals((await redis.rateLimit.check("STATIC", "slow")).allowed, true);
  assertLess(performance.now() - start, 30 * 100 / 2);
  proxy.delay = 0;
  await recovers(opened);
});

Deno.test("RateLimiter does not take a process that is busy for a Redis that is away", async () => {
  await using opened = await open();
  const { redis } = opened;
  const busy = (milliseconds: number) => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  };
  for (const turns of ["microtask", "timer"] as const) {
    let decided = 0;
    for (let i = 0; i < 6; i++) {
      const check = redis.rateLimit.check("AUTH", `busy-${turns}-${i}`);
      // Before the write, and after it: the reply waits in the socket until somebody looks.
      await (turns === "microtask" ? undefined : new Promise((resolve) => setTimeout(resolve, 0)));
      busy(150);
      if ((await check).source === "redis") decided++;
    }
    // On a machine with too much to do Redis itself may be late, now and then.
    assertGreaterOrEqual(decided, 4, turns);
  }
});

Deno.test("RateLimiter does not wait when a signal says so, and does not send what it has not sent yet", async () => {
  await using opened = await open({ commandTimeout: "10s", rateLimit: { timeout: "10s" } });
  const { proxy, redis } = opened;
  proxy.delay = 200;
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = [
    redis.rateLimit.check("AUTH", "sent", controller),
    redis.rateLimit.checkAll([["AUTH", "sent"], ["API", "sent"]], controller),
  ];
  const ended = Promise.allSettled(waiting);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const start = performance.now();
  controller.abort(reason);
  assertEquals(await ended, [{ status: "rejected", reason }, { status: "rejected", reason }]);
  assertLess(performance.now() - start, 200);
  const early = new AbortController();
  const unsent = redis.rateLimit.check("AUTH", "unsent", early);
  const other = redis.rateLimit.check("AUTH", "other");
  early.abort(reason);
  assertEquals(await unsent.catch((error) => error), reason);
  assertEquals((await other).allowed, true);
  assertEquals((await redis.rateLimit.peek("AUTH", "unsent")).remaining, 5);
  assertEquals((await redis.rateLimit.peek("AUTH", "sent")).remaining, 3);
});

Deno.test("RateLimiter rejects the checks under way when it is closed, and decides nothing", async () => {
  await using opened = await open();
  const { proxy, redis } = opened;
  proxy.delay = 60;
  const checks = [
    redis.rateLimit.check("AUTH", "closing"),
    redis.rateLimit.check("STATIC", "closing"),
    redis.rateLimit.checkAll([["API", "closing"], ["DEFAULT", "closing"]]),
    redis.rateLimit.reset("AUTH", "closing"),
  ];
  const ended = Promise.allSettled(checks);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await redis.close();
  for (const end of await ended) {
    assertEquals(end.status, "rejected");
    assertEquals(end.status === "rejected" && end.reason instanceof UnavailableError && end.reason.reason, "closed");
  }
});

Deno.test("RateLimiter repairs what is no state of its own", async () => {
  await using opened = await open();
  const { server, redis } = opened;
  const limits = redis.rateLimit
    .define("G", { limit: 5, window: "1m", algorithm: "gcra" })
    .define("F", { limit: 5, window: "1m", algorithm: "fixed-window" });
  const keys = { AUTH: "re:AUTH", API: "rs:API", G: "rg:G", F: "rf:F" } as const;
  for (const [name, part] of Object.entries(keys) as [keyof typeof keys, string][]) {
    for (const [i, state] of ["", "x", "nan", "\0".repeat(16), "ab".repeat(40)].entries()) {
      const id = `damaged-${i}`;
      await server.cli("SET", `{faults}:${part}:${id}`, state);
      const result = await limits.check(name, id);
      assertEquals(result.source, "redis", `${name} ${i}`);
      assertLessOrEqual(result.resetAfter, result.window * 27 / 26 + 0.001);
      assert(Number(await server.cli("PTTL", `{faults}:${part}:${id}`)) !== -1 || !result.allowed, `${name} ${i}`);
    }
    await server.cli("LPUSH", `{faults}:${part}:list`, "x");
    assertEquals((await limits.check(name, "list")).allowed, true, name);
    assert(Number(await server.cli("PTTL", `{faults}:${part}:list`)) > 0);
  }
});
