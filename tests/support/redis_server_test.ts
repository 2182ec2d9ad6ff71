import { assert, assertEquals, assertRejects } from "@std/assert";
import { RedisServer } from "./redis_server.ts";
import { RespError } from "./resp.ts";

const ignore = !RedisServer.controllable;

/** Whether a promise is still pending after a real delay. */
async function hangs(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<true>();
  const timer = setTimeout(() => resolve(true), milliseconds);
  try {
    return await Promise.race([promise.then(() => false), late]);
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("RedisServer.start() hands out a server that answers", async () => {
  await using server = await RedisServer.start();
  const key = `larder-test:${crypto.randomUUID()}`;
  assertEquals(await server.cli("PING"), "PONG");
  assertEquals(await server.cli("SET", key, "h\r\né", "PX", 60_000), "OK");
  assertEquals(await server.cli("GET", key), "h\r\né");
  assertEquals(await server.cli("GET", `${key}:none`), null);
  assertEquals(await server.cli("EVAL", "return {1, {'a'}, KEYS[1]}", 1, key), [1, ["a"], key]);
  assertEquals(await server.cli("DEL", key), 1);
  await assertRejects(() => server.cli("NONSENSE"), RespError, "unknown command");
  assertEquals(new URL(server.url).port, String(server.port));
});

Deno.test({
  name: "RedisServer.start() starts servers that know nothing of each other and leaves nothing behind",
  ignore,
  fn: async () => {
    let port: number;
    {
      await using one = await RedisServer.start();
      await using two = await RedisServer.start();
      await one.cli("SET", "key", "one");
      assertEquals(await two.cli("GET", "key"), null);
      assert(one.port !== two.port);
      assertEquals(await one.cli("CONFIG", "GET", "save"), ["save", ""]);
      port = one.port;
    }
    await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
  },
});

Deno.test({
  name: "RedisServer.start() takes directives, logs in with the password, and tells why a start failed",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ args: ["--requirepass", "p@ss"], config: { maxmemory: "10mb" } });
    assertEquals(await server.cli("CONFIG", "GET", "maxmemory"), ["maxmemory", "10485760"]);
    assertEquals(new URL(server.url).password, "p%40ss");
    await assertRejects(
      () => RedisServer.start({ config: { "no-such-directive": 1 } }),
      Error,
      "Cannot start the Redis",
    );
  },
});

Deno.test({
  name: "RedisServer.pause() makes the server hang until resume()",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.pause();
    const pending = server.cli("PING");
    assert(await hangs(pending, 100));
    await server.resume();
    assertEquals(await pending, "PONG");
  },
});

Deno.test({
  name: "RedisServer.restart() keeps the data, port and options, and with flush drops the data",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { maxmemory: "10mb" } });
    const { port, pid } = server;
    await server.cli("SET", "key", "value");
    await server.restart();
    assertEquals([server.port, await server.cli("GET", "key")], [port, "value"]);
    assert(server.pid !== pid || pid === undefined);
    assertEquals(await server.cli("CONFIG", "GET", "maxmemory"), ["maxmemory", "10485760"]);
    await server.restart({ flush: true });
    assertEquals(await server.cli("GET", "key"), null);
  },
});

Deno.test({
  name: "RedisServer.kill() ends the server at once, paused or not, and restart() brings it back empty",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.cli("SET", "key", "value");
    await server.pause();
    await server.kill();
    await assertRejects(() => server.cli("PING"), Deno.errors.ConnectionRefused);
    await server.restart();
    assertEquals(await server.cli("GET", "key"), null);
    await server.pause();
    await server.restart();
    assertEquals(await server.cli("PING"), "PONG");
  },
});

Deno.test({
  name: "RedisServer disposes of a paused server and of one that is gone",
  ignore,
  fn: async () => {
    await using paused = await RedisServer.start();
    await using gone = await RedisServer.start();
    await paused.pause();
    await gone.cli("SHUTDOWN", "NOSAVE").catch(() => {});
  },
});
