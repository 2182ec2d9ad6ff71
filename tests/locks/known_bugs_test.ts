/**
 * What users of other libraries have reported, each as a test on both stores: the sources are in README.md.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { connect } from "../../src/connect/larder.ts";
import { UnavailableError } from "../../src/errors.ts";
import { LockLostError } from "../../src/locks/mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { calmly } from "../support/calm.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { type LockWorld, memoryWorld, redisWorld } from "./stores.ts";

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const block = (milliseconds: number) => {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
};

function bug(name: string, check: (world: LockWorld) => Promise<void>): void {
  Deno.test(name, async (t) => {
    for (const open of [memoryWorld, redisWorld]) {
      await using world = await open();
      await t.step(world.name, async () => await check(world));
    }
  });
}

bug(
  "redis-semaphore #175: a lock that ran out, and another had meanwhile, does not come back in silence",
  async (world) => {
    const [a, b] = await Promise.all([world.open(), world.open()]);
    const lock = await a.acquire("x", { ttl: "400ms" });
    block(500);
    const other = await b.acquire("x", { wait: "30s" });
    await other.release();
    await until(() => lock.signal.aborted, "the first holder is told");
    assert(lock.signal.reason instanceof LockLostError);
    assertEquals([lock.held, await lock.release()], [false, false]);
  },
);

bug("redis-semaphore #205: a release while an extension is under way loses no lock", async (world) => {
  const events: LarderEvent[] = [];
  const locks = await world.open((event) => events.push(event));
  const end = performance.now() + 1500;
  while (performance.now() < end) {
    const lock = await locks.acquire("x", { ttl: "120ms" });
    await sleep(38 + Math.random() * 6); // it is extended at 40 ms
    await lock.release();
  }
  // A busy machine may lose one by time, which is told as that.
  assertEquals(events.filter((event) => event.type === "lock.lost" && event.reason === "gone"), []);
  assertEquals(await world.left(), 0);
});

bug("redis-semaphore #24, node-redlock #283: a lock that is lost ends no process", async (world) => {
  const locks = await world.open();
  let unhandled = 0;
  const count = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled++;
  };
  addEventListener("unhandledrejection", count);
  const lock = await locks.acquire("x", { ttl: "150ms" });
  block(400);
  await until(() => lock.signal.aborted, "it is lost");
  await lock.release();
  await sleep(20);
  removeEventListener("unhandledrejection", count);
  assertEquals(unhandled, 0);
});

bug("node-redlock #309: after a lock was lost, its job need not wait for the release", async (world) => {
  const locks = await world.open();
  const error = await assertRejects(() =>
    locks.withLock("x", { ttl: "200ms" }, async ({ signal, held }) => {
      assert(held);
      block(400);
      await until(() => signal.aborted, "it is lost");
      signal.throwIfAborted();
    }), LockLostError);
  assertEquals(error.lock, "x");
});

bug("node-redlock #369: the error of a job is not hidden by that of the release", async (world) => {
  const locks = await world.open();
  await assertRejects(
    () =>
      locks.withLock("x", { ttl: "200ms" }, () => {
        block(400);
        throw new RangeError("no paper");
      }),
    RangeError,
    "no paper",
  );
});

bug(
  "node-redlock #169, #73: a job that takes many times the ttl ends, and held the lock all the time",
  async (world) => {
    const [a, b] = await Promise.all([world.open(), world.open()]);
    await calmly(async (attempt) => {
      let others = 0;
      const held = await a.withLock(`x${attempt}`, { ttl: "600ms" }, async (lock) => {
        for (let i = 0; i < 20; i++) {
          if (await b.tryAcquire(`x${attempt}`)) others++;
          await sleep(100);
        }
        return lock.held;
      });
      assertEquals([held, others], [true, 0]);
    });
  },
);

bug("Redisson #7272: no extension outlives the release", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  for (let i = 0; i < 30; i++) {
    const controller = new AbortController();
    const lock = a.acquire("x", { ttl: "120ms", wait: "10s", signal: controller.signal }).catch(() => undefined);
    if (i % 2) controller.abort();
    await (await lock)?.release();
  }
  await sleep(200);
  await (await b.acquire("x", { wait: "5s" })).release();
  assertEquals([await world.left(), a.stats().held], [0, 0]);
});

bug("laravel #26213, #20709: who comes late does not give up the lock of another", async (world) => {
  const [a, b, c] = await Promise.all([world.open(), world.open(), world.open()]);
  const late = await a.acquire("x", { ttl: "200ms" });
  block(400);
  const lock = await b.acquire("x", { wait: "30s" });
  assertEquals(await late.release(), false);
  assertEquals([lock.held, await c.tryAcquire("x")], [true, undefined]);
  assertGreater(lock.token, late.token);
  await lock.release();
});

Deno.test("laravel #31166, #57455: every key of a lock ends by itself, and none is that of an entry", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "shop", commandTimeout: "5s" });
  await redis.cache.set("x", "a value", { ttl: "1h" });
  await using _lock = await redis.locks.acquire("x");
  await using _permit = await redis.locks.semaphore("x", { permits: 2 }).acquire();
  const waits = redis.locks.acquire("x", { wait: "60s" }).catch(() => {});
  await until(async () => (await server.cli("KEYS", "*:lockq:*") as string[]).length === 1, "one waits");
  assertEquals(await redis.cache.get("x"), "a value");
  await redis.cache.clear();
  await redis.cache.invalidateByPattern("*");
  assertEquals(await redis.locks.tryAcquire("x"), undefined);
  const keys = await server.cli("KEYS", "*:lock*") as string[];
  assertEquals(keys.length, 3);
  for (const key of keys) assertGreater(Number(await server.cli("PTTL", key)), 0, key);
  await redis.close();
  await waits;
});

Deno.test("sesamecare/redlock #6: a lock by the name of a key that is there is free", async () => {
  await using server = await RedisServer.start();
  for (const key of ["report", "shop:report", "{shop}:report"]) await server.cli("SET", key, "there");
  await using redis = await connect({ url: server.url, namespace: "shop", commandTimeout: "5s" });
  assertEquals(await redis.locks.withLock("report", { wait: 0 }, ({ held }) => held), true);
  assertEquals(await server.cli("MGET", "report", "shop:report", "{shop}:report"), ["there", "there", "there"]);
});

Deno.test("redlock-rb #76: a lock that was given after its caller had given up is free again", async () => {
  await using server = await RedisServer.start();
  await using proxy = TcpProxy.start(server);
  const options = { namespace: "shop", on: () => {} };
  await using hasty = await connect({ ...options, url: proxy.url, commandTimeout: "150ms" });
  await using other = await connect({ ...options, url: server.url, commandTimeout: "5s" });
  await hasty.locks.withLock("warm", () => {});
  proxy.muted = true; // what it asks for is done, and it is not told
  await assertRejects(() => hasty.locks.acquire("x", { ttl: "10m" }), UnavailableError);
  const held = async () => (await server.cli("KEYS", "*:lock:l:x") as string[]).length;
  assertEquals(await held(), 1);
  proxy.muted = false;
  proxy.cut();
  await (await other.locks.acquire("x", { wait: "60s" })).release();
});

bug("node-redlock #11: an extension gives the lock to nobody who waits", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = await a.acquire("x", { ttl: "600ms" });
  const waits = b.acquire("x", { ttl: "600ms", wait: "60s" });
  await sleep(1500); // it was extended several times
  assertEquals([lock.held, b.stats().waiting, b.stats().held], [true, 1, 0]);
  await lock.release();
  const next = await waits;
  assertGreater(next.token, lock.token);
  await sleep(900);
  assertEquals([next.held, await next.release()], [true, true]);
});

bug("dv/redis-semaphore #57: a block that throws gives its lock up, also without a function around", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  await assertRejects(
    async () => {
      await using _lock = await a.acquire("x");
      throw new Error("no paper");
    },
    Error,
    "no paper",
  );
  await (await b.acquire("x", { wait: 0 })).release();
});

Deno.test("sidekiq-unique-jobs #546, #592: a holder that was killed holds nobody up for longer than its ttl", async () => {
  await using world = await redisWorld();
  const file = await Deno.makeTempFile();
  await using worker = DenoProcess.start(import.meta.resolve("./worker.ts"), world.server!.url, "hold", file);
  const token = await worker.receive<number>(); // its ttl is a second
  await worker.kill();
  const locks = await world.open();
  const lock = await locks.acquire("file", { wait: "60s" });
  assertGreater(lock.token, token);
  assertEquals(await lock.release(), true);
  assertEquals(await world.left(), 0);
  await Deno.remove(file);
});

bug("redis-semaphore #20: nothing keeps a process alive but those who wait, and close() ends that", async (world) => {
  const locks = await world.open();
  await locks.acquire("x", { ttl: "1h" });
  await locks[Symbol.asyncDispose](); // the sanitizers find a timer that is left
  assertEquals(await world.left(), 0);
});
