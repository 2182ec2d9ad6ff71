import { assert, assertEquals, assertGreater, assertLessOrEqual, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { Locks } from "../../src/locks/locks.ts";
import { LockLostError } from "../../src/locks/mod.ts";
import { RedisLockStore } from "../../src/locks/redis/store.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { redisWorld } from "./stores.ts";

const scripts = async (server: { cli(...command: string[]): Promise<unknown> }): Promise<number> => {
  const stats = String(await server.cli("INFO", "commandstats"));
  return [...stats.matchAll(/cmdstat_(?:evalsha|eval):calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
};

Deno.test("1,000 who wait for one lock are served in order, and none of them asks before it is told", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const server = world.server!;
  const lock = await a.acquire("x");
  const first = b.withLock("x", { wait: "300s" }, () => {});
  await until(async () => Number(await server.cli("ZCARD", "{locks}:lockq:l:x")) === 1, "b listens, and is in line");
  const served: number[] = [];
  const waits = Array.from({ length: 1000 }, (_, i) => b.withLock("x", { wait: "300s" }, () => void served.push(i)));
  await until(async () => Number(await server.cli("ZCARD", "{locks}:lockq:l:x")) === 1001, "all are in line");
  const before = await scripts(server);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assertLessOrEqual(await scripts(server) - before, 2, "nobody asks"); // what others than locks do
  await lock.release();
  await first;
  await Promise.all(waits);
  assertEquals(served, Array.from({ length: 1000 }, (_, i) => i));
  assertEquals(await world.left(), 0);
});

Deno.test("a lock and its release are two round trips, which all of a tick share", async () => {
  await using world = await redisWorld();
  const locks = await world.open();
  await (await locks.acquire("warm")).release();
  const before = await scripts(world.server!);
  const held = await Promise.all(Array.from({ length: 50 }, (_, i) => locks.acquire(`n${i}`)));
  await Promise.all(held.map((lock) => lock.release()));
  assertLessOrEqual(await scripts(world.server!) - before, 102);
});

Deno.test("who waits for a holder that died is served when its time is over, though nobody tells", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  // As one that was killed: it holds the lock, and no timer of it runs.
  const token = (await a.withLock("x", (lock) => lock.token)) + 1;
  await world.server!.cli(
    "EVAL",
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) redis.call('PEXPIRE', KEYS[1], 700)",
    1,
    "{locks}:lock:l:x",
    "dead|1|700",
    `${Date.now() + 700} ${token} dead|1|700`,
  );
  const lock = await b.acquire("x", { wait: "30s" });
  assertGreater(lock.token, token);
  await lock.release();
  assertEquals(await world.left(), 0);
});

Deno.test("one in line that died does not hold the others up", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = await a.acquire("x");
  await world.server!.cli("ZADD", "{locks}:lockq:l:x", 1, "dead|1|30000");
  await world.server!.cli("PEXPIRE", "{locks}:lockq:l:x", 60_000);
  const waits = b.acquire("x", { wait: "30s" });
  await until(async () => Number(await world.server!.cli("ZCARD", "{locks}:lockq:l:x")) === 2, "b is in line");
  const since = performance.now();
  await lock.release();
  const next = await waits;
  assertLessOrEqual(performance.now() - since, 10_000);
  await next.release();
});

Deno.test("SCRIPT FLUSH changes nothing; after FLUSHALL the holder is told, and the number grows", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const server = world.server!;
  const lock = await a.acquire("x", { ttl: "1s" });
  await server.cli("SCRIPT", "FLUSH");
  assertEquals(await b.tryAcquire("x"), undefined);
  await server.cli("FLUSHALL");
  await until(() => lock.signal.aborted, "the holder is told");
  assert(lock.signal.reason instanceof LockLostError && lock.signal.reason.reason === "gone");
  assertEquals([lock.held, await lock.release()], [false, false]);
  const next = await b.acquire("x");
  assertGreater(next.token, lock.token);
  await next.release();
});

Deno.test("after a restart without persistence the number grows, and who waited is served", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = await a.acquire("x", { ttl: "2s" });
  const waits = b.acquire("x", { wait: "120s" });
  await until(() => b.stats().waiting === 1, "b waits");
  await (world.server as RedisServer).restart({ flush: true });
  const next = await waits;
  assertGreater(next.token, lock.token);
  await until(() => lock.signal.aborted, "the holder is told");
  assertEquals(lock.held, false);
  await next.release();
  await lock.release();
});

Deno.test("a full server refuses locks, and takes extensions and releases", async () => {
  await using world = await redisWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const server = world.server!;
  const lock = await a.acquire("x", { ttl: "1s" });
  const waits = b.acquire("x", { wait: "120s" });
  await until(async () => Number(await server.cli("ZCARD", "{locks}:lockq:l:x")) === 1, "b is in line");
  await server.cli("CONFIG", "SET", "maxmemory", 1);
  const error = await assertRejects(() => b.acquire("y"), UnavailableError);
  assertEquals([error.reason, error.code], ["refused", "OOM"]);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assertEquals([lock.held, lock.signal.aborted], [true, false]);
  assertEquals(await lock.release(), true);
  await server.cli("CONFIG", "SET", "maxmemory", 0);
  await (await waits).release();
});

Deno.test("a server whose clock was set back or forward gives numbers that grow", async () => {
  await using world = await redisWorld();
  const { hostname, port } = world.server!;
  const client = new WireClient({ hostname, port });
  const batch = new Batch(client, { commandTimeout: 10_000 });
  await client.start();
  let now = 1_900_000_000_000_000;
  const locks = new Locks(new RedisLockStore(batch, { namespace: "clock", now: () => now }));
  let last = 0;
  for (const step of [0, 1_000_000, -3_600_000_000, 1, -1, 7_200_000_000, -86_400_000_000, 0]) {
    now += step;
    const token = await locks.withLock("x", (lock) => lock.token);
    assertGreater(token, last);
    last = token;
  }
  await locks[Symbol.asyncDispose]();
  await batch.close();
});
