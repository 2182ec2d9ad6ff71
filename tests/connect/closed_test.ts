import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cache, connect, type ConnectOptions, type Larder, MemoryStore, UnavailableError } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

const BY_CLOSE = "it was closed by close(): call that when the last request is answered, as after server.shutdown()";
const BY_USING = 'it was closed at the end of its "await using" block, which is the whole module at its top: ' +
  'to keep it open, as for a server, say "const" and call close() when the last request is answered';

/** One call of each service, of the kind that rejects without its store. */
const calls: Record<string, (redis: Larder) => Promise<unknown>> = {
  "cache.get": ({ cache }) => cache.get("a"),
  "cache.getOrSet": ({ cache }) => cache.getOrSet("a", () => 1),
  "cache.set": ({ cache }) => cache.set("a", 1),
  "cache.invalidate": ({ cache }) => cache.invalidate("a"),
  "cache.namespace().get": ({ cache }) => cache.namespace("b").get("a"),
  "sessions.create": ({ sessions }) => sessions.create("ada", {}),
  "sessions.get": ({ sessions }) => sessions.get("A".repeat(43)),
  "rateLimit.check": ({ rateLimit }) => rateLimit.check("AUTH", "192.0.2.1"),
  "ready": (redis) => redis.ready(),
  "rateLimit.checkAll": ({ rateLimit }) => rateLimit.checkAll([["AUTH", "192.0.2.1"], ["API", "ada"]]),
};

async function assertTold(options: ConnectOptions, told: string, end: (redis: Larder) => Promise<void>): Promise<void> {
  const redis = await connect(options);
  // Namespaces that were there before are closed with it.
  await redis.cache.namespace("b").set("a", 1);
  await end(redis);
  for (const [name, call] of Object.entries(calls)) {
    const error = await assertRejects(() => call(redis), UnavailableError, told, name);
    assertEquals([error.reason, error.message], ["closed", `Cannot ${error.operation}: ${told}`], name);
    assert(!/Redis is/.test(error.message), error.message);
  }
  if (redis.store === "redis") await assertRejects(() => redis.client.sendCommand("PING"), UnavailableError, told);
}

async function endBlock(redis: Larder): Promise<void> {
  await using _ = redis;
  await redis.cache.get("a");
}

for (const store of ["memory", "redis"]) {
  Deno.test(`A closed Larder says what closed it, and how to keep it open (${store})`, async (t) => {
    await using server = store === "redis" ? await RedisServer.start() : undefined;
    const options = { url: server?.url ?? "memory:", namespace: `test-${crypto.randomUUID()}` };
    await t.step("close()", () => assertTold(options, BY_CLOSE, (redis) => redis.close()));
    await t.step("the end of a block", () => assertTold(options, BY_USING, endBlock));
    await t.step("what came first counts", () =>
      assertTold(options, BY_CLOSE, async (redis) => {
        await redis.close();
        await endBlock(redis).catch(() => {});
      }));
  });
}

Deno.test("A cache of its own that was closed says so", async () => {
  const cache = new Cache(new MemoryStore());
  await cache[Symbol.asyncDispose]();
  await assertRejects(() => cache.get("a"), UnavailableError, BY_USING);
});
