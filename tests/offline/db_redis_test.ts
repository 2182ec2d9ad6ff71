// One suite for the stand-in and for the original: when JSR answers, both are held to it.
import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import * as standIn from "./db_redis.ts";

type Module = Pick<typeof standIn, "connect" | "createLazyClient" | "ErrorReplyError">;

const imported: Module = await import("@db/redis");
const modules: [string, Module][] = [["stand-in", standIn]];
if (imported.connect !== standIn.connect) modules.push(["original", imported]);

const ignore = !RedisServer.controllable;
const hostname = "127.0.0.1";
const options = { hostname, maxRetryCount: 0, noDelay: true };

/** A server that shows what arrives chunk by chunk, and answers what it is told to. */
async function withPeer(run: (port: number, peer: Promise<Deno.Conn>) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname, port: 0 });
  const peer = listener.accept();
  await run(listener.addr.port, peer);
  (await peer).close();
}

async function readChunk(peer: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(64 * 1024);
  return new TextDecoder().decode(buffer.subarray(0, await peer.read(buffer) ?? 0));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

for (const [which, { connect, createLazyClient, ErrorReplyError }] of modules) {
  const test = (name: string, fn: (t: Deno.TestContext) => Promise<void>) =>
    Deno.test({ name: `@db/redis (${which}) ${name}`, fn, ignore });

  test("connect() rejects when nothing listens", async () => {
    const listener = Deno.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    listener.close();
    await assertRejects(() => connect({ ...options, port }), Deno.errors.ConnectionRefused);
  });

  test("connect() logs in, selects the database, and rejects with the server's refusal", async () => {
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
    const { port } = server;
    using redis = await connect({ ...options, port, username: "app", password: "secret", db: 3 });
    assertEquals(await redis.sendCommand("ACL", ["WHOAMI"]), "app");
    await redis.sendCommand("SET", ["key", "value"]);
    // Newer servers say more of it.
    assertMatch(String(await server.cli("INFO", "keyspace")), /^# Keyspace\r\ndb3:keys=1,expires=0,avg_ttl=0\S*\r\n$/);
    const refused = await assertRejects(
      () => connect({ ...options, port, username: "app", password: "wrong" }),
      ErrorReplyError,
    );
    assertEquals(refused.message, "-WRONGPASS invalid username-password pair or user is disabled.");
    const noDatabase = await assertRejects(() => connect({ ...options, port, db: 99 }), ErrorReplyError);
    assertEquals(noDatabase.message, "-ERR DB index is out of range");
  });

  test("sendCommand() replies in text or bytes, and rejects with an error reply", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const binary = new Uint8Array([0, 255, 13, 10, 128]);
    assertEquals(await redis.sendCommand("SET", ["key", binary]), "OK");
    assertEquals(await redis.sendCommand("GET", ["key"], { returnUint8Arrays: true }), binary);
    assertEquals(await redis.sendCommand("SET", ["n", 41]), "OK");
    assertEquals(await redis.sendCommand("INCR", ["n"]), 42);
    assertEquals(await redis.sendCommand("GET", ["n"]), "42");
    assertEquals(await redis.sendCommand("GET", ["none"]), null);
    const script = "return {1, 'a', {ARGV[1], {}}, false, redis.status_reply('FINE')}";
    assertEquals(await redis.sendCommand("EVAL", [script, 0, "é"]), [1, "a", ["é", []], null, "FINE"]);
    assertEquals(
      await redis.sendCommand("EVAL", [script, 0, "é"], { returnUint8Arrays: true }),
      [1, bytes("a"), [bytes("é"), []], null, bytes("FINE")],
    );
    assertEquals(await redis.sendCommand("PING", [], { returnUint8Arrays: true }), bytes("PONG"));
    const errors: unknown[] = [];
    redis.addEventListener("error", ({ detail }) => errors.push(detail.error));
    const error = await assertRejects(() => redis.sendCommand("LPUSH", ["key", "x"]), ErrorReplyError);
    assertEquals(error.message, "-WRONGTYPE Operation against a key holding the wrong kind of value");
    assertEquals(errors, [error]);
    assertEquals(await redis.sendCommand("PING"), "PONG");
  });

  test("sendCommand() carries large values whole", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const large = new Uint8Array(3_000_000).map((_, i) => i * 7 % 256);
    await redis.sendCommand("SET", ["large", large]);
    const back = await redis.sendCommand("GET", ["large"], { returnUint8Arrays: true });
    assertInstanceOf(back, Uint8Array);
    assert(back.length === large.length && back.every((byte, i) => byte === large[i]));
  });

  test("pipeline() answers each command in place, errors too", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const pipeline = redis.pipeline();
    pipeline.sendCommand("SET", ["key", "value"]);
    pipeline.sendCommand("LPUSH", ["key", "x"]);
    pipeline.sendCommand("GET", ["key"], { returnUint8Arrays: true });
    pipeline.sendCommand("GET", ["key"]);
    const [set, error, raw, text] = await pipeline.flush();
    assertEquals([set, raw, text], ["OK", bytes("value"), "value"]);
    assertInstanceOf(error, ErrorReplyError);
    assertEquals(error.message, "-WRONGTYPE Operation against a key holding the wrong kind of value");
    pipeline.sendCommand("PING");
    assertEquals(await pipeline.flush(), ["PONG"]);
  });

  test("pipeline() goes out as one write, and one at a time", () =>
    withPeer(async (port, accepted) => {
      using redis = await connect({ ...options, port });
      const peer = await accepted;
      const pipeline = redis.pipeline();
      pipeline.sendCommand("GET", ["a"]);
      pipeline.sendCommand("GET", [new Uint8Array([98])]);
      const first = pipeline.flush();
      const second = redis.sendCommand("PING");
      assertEquals(await readChunk(peer), "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
      await peer.write(bytes("$1\r\n1\r\n$1\r\n2\r\n"));
      assertEquals(await first, ["1", "2"]);
      assertEquals(await readChunk(peer), "*1\r\n$4\r\nPING\r\n");
      await peer.write(bytes("+PONG\r\n"));
      assertEquals(await second, "PONG");
    }));

  test("commands reject when the connection is lost, and are not sent again", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const pending = redis.sendCommand("BLPOP", ["list", 0]).catch((error) => error);
    const queued = redis.sendCommand("INCR", ["n"]).catch((error) => error);
    await until(
      async () => String(await server.cli("INFO", "clients")).includes("blocked_clients:1"),
      "a client waits",
    );
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    for (const error of [await pending, await queued]) {
      assertInstanceOf(error, Error);
      assert(!(error instanceof ErrorReplyError));
    }
    await assertRejects(() => redis.sendCommand("INCR", ["n"]));
    const pipeline = redis.pipeline();
    pipeline.sendCommand("INCR", ["n"]);
    await assertRejects(() => pipeline.flush());
    assertEquals(await server.cli("GET", "n"), null);
  });

  test("close() ends what is pending although the server hangs", async () => {
    await using server = await RedisServer.start();
    const redis = await connect({ ...options, port: server.port });
    assertEquals([redis.isConnected, redis.isClosed], [true, false]);
    const events: string[] = [];
    for (const type of ["close", "end"] as const) redis.addEventListener(type, () => events.push(type));
    await server.pause();
    const pending = redis.sendCommand("PING").catch((error) => error);
    const pipeline = redis.pipeline();
    pipeline.sendCommand("PING");
    const flushed = pipeline.flush().catch((error) => error);
    redis.close();
    assertEquals([redis.isConnected, redis.isClosed], [false, true]);
    assertInstanceOf(await pending, Error);
    assertInstanceOf(await flushed, Error);
    assertEquals(events, ["close", "end"]);
    redis.close();
    assertEquals(events, ["close", "end"]);
  });

  test("createLazyClient() connects with the first command", async () => {
    await using server = await RedisServer.start();
    await using gone = await RedisServer.start({ args: ["--requirepass", "secret"] });
    const idle = createLazyClient({ ...options, port: server.port });
    idle.close();
    using redis = createLazyClient({ ...options, port: server.port });
    assertEquals(redis.isConnected, false);
    assertEquals(await redis.sendCommand("PING"), "PONG");
    assertEquals(redis.isConnected, true);
    const refused = createLazyClient({ ...options, port: gone.port, password: "wrong" });
    await assertRejects(() => refused.sendCommand("PING"), ErrorReplyError, "-WRONGPASS");
  });

  test("subscribe() delivers messages in order as text, and ends with close()", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const subscription = await redis.subscribe("a", "b");
    await until(
      async () => (await server.cli("PUBSUB", "NUMSUB", "a", "b") as unknown[]).join() === "a,1,b,1",
      "it is subscribed",
    );
    await server.cli("PUBLISH", "a", "1");
    await server.cli("PUBLISH", "b", "é");
    const received: [string, string][] = [];
    for await (const { channel, message } of subscription.receive()) {
      received.push([channel, message]);
      if (received.length === 2) subscription.close();
    }
    assertEquals(received, [["a", "1"], ["b", "é"]]);
    assertEquals([subscription.isClosed, redis.isClosed], [true, true]);
  });

  test("subscribe() delivers bytes, also through a connection that it had to make again", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const subscription = await redis.subscribe("a");
    const messages = subscription.receiveBuffers();
    const subscribed = async () => (await server.cli("PUBSUB", "NUMSUB", "a") as unknown[])[1] === 1;
    await until(subscribed, "it is subscribed");
    let next = messages.next();
    await server.cli("PUBLISH", "a", "one");
    assertEquals((await next).value, { channel: "a", message: bytes("one") });
    next = messages.next();
    await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await until(subscribed, "it is subscribed");
    // The original swallows what follows its own PING, hence more than one message.
    // One may be under way when the server stops.
    const sending = setInterval(() => server.cli("PUBLISH", "a", "two").catch(() => {}), 10);
    const { value } = await next;
    clearInterval(sending);
    assertEquals(value, { channel: "a", message: bytes("two") });
  });

  test("subscribe() ends with an error when the server is gone", async () => {
    await using server = await RedisServer.start();
    using redis = await connect({ ...options, port: server.port });
    const subscription = await redis.subscribe("a");
    await until(async () => (await server.cli("PUBSUB", "NUMSUB", "a") as unknown[])[1] === 1, "it is subscribed");
    const next = subscription.receiveBuffers().next().then(() => undefined, (error) => error);
    await server.kill();
    assertInstanceOf(await next, Error);
  });
}
