/**
 * Limits on a Redis that is healthy, but far away, or asked for very much at once by a process that is busy.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { connect, type ConnectOptions, type Larder } from "../../mod.ts";
import { calmly } from "../support/calm.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";

interface Opened extends AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly redis: Larder;
  readonly log: EventLog;
}

/** One whose server is so many milliseconds away, there and back. */
async function open(distance: number, options: ConnectOptions = {}): Promise<Opened> {
  const server = await RedisServer.start();
  const proxy = TcpProxy.start(server);
  proxy.delay = distance / 2;
  const log = new EventLog();
  const redis = await connect({ url: proxy.url, namespace: "deadlines", on: log.on, ...options });
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

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function beBusy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

for (const distance of [50, 70, 120]) {
  Deno.test(`RateLimiter decides AUTH by a Redis that is ${distance} ms away, from the first call on`, () =>
    calmly(async () => {
      await using opened = await open(distance);
      const { rateLimit } = opened.redis;
      for (let i = 0; i < 4; i++) {
        const checks = Array.from({ length: 6 }, () => rateLimit.check("AUTH", `one-${i}`));
        const results = await Promise.all(checks);
        assertEquals(results.filter(({ allowed }) => allowed).length, 5);
        assert(results.every(({ source }) => source === "redis"));
      }
      // As requests come: each at a time of its own, most of them while another is under way.
      const scattered = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
        await pause(i * 13);
        return await rateLimit.check("AUTH", `scattered-${i}`);
      }));
      assertEquals(scattered.filter(({ source }) => source !== "redis").length, 0);
      const { redis: [server], deadlines } = await opened.redis.health();
      assertGreaterOrEqual(server!.roundTrip!, distance - 1);
      assertGreaterOrEqual(deadlines!.limits, Math.min(500, Math.max(100, 3 * distance - 3)));
      assertLessOrEqual(deadlines!.limits, 500);
    }));
}

Deno.test("RateLimiter follows a Redis that moves away while it is in use, and one that comes back", () =>
  calmly(async () => {
    await using opened = await open(0);
    const { proxy, redis } = opened;
    await until(async () => (await redis.rateLimit.check("AUTH", "warm")).source === "redis", "Redis decides");
    proxy.delay = 60;
    let refused = 0;
    for (let i = 0; i < 12; i++) {
      if ((await redis.rateLimit.check("AUTH", `far-${i}`)).source !== "redis") refused++;
    }
    assertLessOrEqual(refused, 2);
    proxy.delay = 0;
    await until(async () => {
      await redis.rateLimit.check("STATIC", "near");
      return (await redis.health()).deadlines!.limits === 100;
    }, "the deadline is the short one again");
  }));

Deno.test("RateLimiter waits as long as it was told, however far away Redis is", () =>
  calmly(async () => {
    await using opened = await open(120, { rateLimit: { timeout: "60ms" } });
    const { redis } = opened;
    await redis.ready({ timeout: "30s" });
    assertEquals((await redis.rateLimit.check("AUTH", "a")).source, "policy");
    assertEquals((await redis.health()).deadlines, { commands: 500, limits: 60 });
  }));

for (const checks of [3000, 10_000]) {
  Deno.test(`RateLimiter decides ${checks} checks of one tick exactly`, async (t) => {
    await using opened = await open(0, {
      rateLimit: { presets: { CLOSED: { limit: 2500, window: "1h", onUnavailable: "closed" } } },
    });
    const { redis, log } = opened;
    const check = redis.rateLimit.check.bind(redis.rateLimit) as (
      name: string,
      id: string,
    ) => ReturnType<typeof redis.rateLimit.check>;
    const decide = (id: string, name: "STATIC" | "CLOSED", limit: number, work: () => unknown) =>
      calmly(async (attempt) => {
        await until(async () => (await check("STATIC", "before")).source !== "policy", "Redis decides");
        const told = log.of("limit.degraded").length;
        const all = Promise.all(Array.from({ length: checks }, () => check(name, `${id} ${attempt}`)));
        await work();
        const results = await all;
        assertEquals(results.filter(({ degraded }) => degraded).length, 0);
        assertEquals(results.filter(({ allowed }) => allowed).length, limit);
        assertEquals(log.of("limit.degraded").length, told);
      });
    for (const [name, limit] of [["STATIC", 1000], ["CLOSED", 2500]] as const) {
      await t.step(`${name}: when nothing else goes on`, () => decide("calm", name, limit, () => {}));
      await t.step(`${name}: while the process is busy at once`, () => decide("busy", name, limit, () => beBusy(150)));
      await t.step(
        `${name}: while the process is busy again and again`,
        () =>
          decide("very busy", name, limit, async () => {
            for (let i = 0; i < 3; i++) {
              await pause(5);
              beBusy(100 + 50 * i);
            }
          }),
      );
    }
  });
}
