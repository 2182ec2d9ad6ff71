import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../mod.ts";
import { UnavailableError } from "../../src/errors.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";

/** Longer than any test waits, so that what is left is there to be seen. */
const ttl = "10m";

async function open(server: RedisServer, commandTimeout: string = "5s", { on }: EventLog = new EventLog()) {
  const redis = await connect({ url: server.url, namespace: "locks", commandTimeout, on });
  await redis.ready({ timeout: "20s" });
  await redis.locks.withLock("first", () => {});
  return redis;
}

/** Until the connection is given up: what was sent over it may be done, and what comes later is not sent. */
const lost = (log: EventLog) => until(() => log.events.some(({ type }) => type === "redis.disconnected"), "it is lost");

const left = async (server: RedisServer) => (await server.cli("KEYS", "*:lock*") as string[]).length;

Deno.test("who gave up while Redis did not answer holds nothing up when it answers again", async () => {
  await using server = await RedisServer.start();
  await using holder = await open(server);
  const log = new EventLog();
  await using impatient = await open(server, "150ms", log);
  const lock = await holder.locks.acquire("held", { ttl });
  await server.pause();
  await assertRejects(() => impatient.locks.acquire("held", { ttl, wait: "1h" }), UnavailableError);
  await assertRejects(() => impatient.locks.acquire("free", { ttl, wait: "1h" }), UnavailableError);
  await assertRejects(() => impatient.locks.tryAcquire("tried", { ttl }), UnavailableError);
  await lost(log);
  await server.resume();
  await lock.release();
  await until(async () => await left(server) === 0, "nothing is left");
  const again = await holder.locks.acquire("free", { wait: 0 });
  assert(await again.release());
});

Deno.test("a lock that is released while Redis does not answer is given up when it answers again", async () => {
  await using server = await RedisServer.start();
  const log = new EventLog();
  await using redis = await open(server, "150ms", log);
  const lock = await redis.locks.acquire("held", { ttl });
  await server.pause();
  await assertRejects(() => redis.locks.tryAcquire("free", { ttl }), UnavailableError);
  await lost(log);
  assertEquals(await lock.release(), false);
  await server.resume();
  await until(async () => await left(server) === 0, "nothing is left");
});

Deno.test("close() leaves nothing of what is being acquired, and of those in line", async () => {
  await using server = await RedisServer.start();
  await using other = await open(server);
  const lock = await other.locks.acquire("held", { ttl });
  const redis = await open(server);
  const waits = redis.locks.acquire("held", { ttl, wait: "1h" });
  waits.catch(() => {});
  await until(async () => Number(await server.cli("ZCARD", "{locks}:lockq:l:held")) === 1, "it is in line");
  const asked = redis.locks.acquire("free", { ttl });
  asked.catch(() => {});
  await redis.close();
  await assertRejects(() => waits, UnavailableError, "closed");
  await assertRejects(() => asked, UnavailableError, "closed");
  await assertRejects(() => redis.locks.acquire("late"), UnavailableError, "closed");
  assertEquals(await server.cli("KEYS", "*:lock*"), ["{locks}:lock:l:held"]);
  assert(await lock.release());
});
