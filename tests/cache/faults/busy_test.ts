import { assertEquals } from "@std/assert";
import { connect } from "../../../src/connect/larder.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog } from "../../support/until.ts";

const TIMEOUT = 300;

/** Keeps the process from looking at anything else. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

Deno.test("A process that was busy for longer than the deadline takes Redis for there, since it is", async () => {
  await using server = await RedisServer.start();
  const log = new EventLog();
  const namespace = `test-${crypto.randomUUID()}`;
  await using redis = await connect({ url: server.url, namespace, commandTimeout: `${TIMEOUT}ms`, on: log.on });
  const { cache, client, sessions } = redis;
  await cache.set("a", 1);
  const { id } = await sessions.create("ada", {});
  for (let i = 0; i < 3; i++) {
    const reads = [cache.get("a"), client.sendCommand("PING", []), sessions.get(id).then((session) => session?.userId)];
    await Promise.resolve(); // they are on their way, or wait for those that are
    work(2 * TIMEOUT);
    assertEquals(await Promise.all(reads), [1, "PONG", "ada"]);
  }
  assertEquals([...log.of("redis.disconnected"), ...log.of("redis.circuit")], []);
});
