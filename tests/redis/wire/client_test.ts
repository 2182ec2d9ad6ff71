import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { RedisError } from "../../../src/errors.ts";
import { WireClient } from "../../../src/redis/wire/client.ts";
import type { ConnectionChange, RedisCommand, RedisReply } from "../../../src/redis/client.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
const encoder = new TextEncoder();

/** A client that notes what it tells of its connection. */
class Client extends WireClient implements AsyncDisposable {
  readonly told: string[] = [];

  constructor(port: number, options?: { heartbeat?: number; connectTimeout?: number }) {
    super({ hostname: "127.0.0.1", port }, options);
    this.onChange((change: ConnectionChange) => this.told.push("error" in change ? "failed" : change.state));
  }

  static async start(port: number, options?: { heartbeat?: number; connectTimeout?: number }): Promise<Client> {
    const client = new Client(port, options);
    await client.start();
    return client;
  }

  async send(...commands: [string, ...RedisCommand["args"]][]): Promise<RedisReply[]> {
    return await this.pipeline(commands.map(([name, ...args]) => ({ name, args })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

Deno.test("WireClient.pipeline() gives binary replies in order, with error replies in place", async () => {
  await using server = await RedisServer.start();
  await using client = await Client.start(server.port);
  const key = `larder-test:${crypto.randomUUID()}`;
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  const replies = await client.send(
    ["SET", key, every, "PX", 10_000],
    ["GET", key],
    ["LPUSH", key, "x"],
    ["STRLEN", key],
    ["GET", `${key}:none`],
    ["MGET", key, `${key}:none`],
    ["EVAL", "return {1, {'a', {}}, false}", 0],
    ["DEL", key],
  );
  const error = replies[2];
  assertInstanceOf(error, RedisError);
  assertEquals(error.code, "WRONGTYPE");
  assert(error.message.startsWith("WRONGTYPE Operation against"), error.message);
  assertEquals(replies.slice(3), [256, null, [every, null], [1, [encoder.encode("a"), []], null], 1]);
  assertEquals(replies[1], every);
});

Deno.test("WireClient.pipeline() gives text where text is wanted, whatever comes after it", async () => {
  await using server = await RedisServer.start();
  await using client = await Client.start(server.port);
  const status: RedisCommand = { name: "PING", args: [], text: true };
  const long = (size: number): RedisCommand => ({ name: "EVAL", args: [`return ('x'):rep(${size})`, 0] });
  const replies = await client.pipeline([status, ...Array.from({ length: 300 }, () => long(40)), status, long(10_000)]);
  assertEquals([replies[0], replies[301], (replies[302] as Uint8Array).length], ["PONG", "PONG", 10_000]);
});

Deno.test("WireClient gives everybody his own reply, after a list with an error inside too", async () => {
  await using server = await RedisServer.start();
  await using client = await Client.start(server.port);
  const script = "return {redis.error_reply('MYERR inner'), 'yours', {redis.error_reply('MYERR again')}}";
  const mine: RedisCommand = { name: "ECHO", args: ["mine"] };
  const [first, list, last] = await client.pipeline([mine, { name: "EVAL", args: [script, 0], text: true }, mine]);
  const [error, yours, inner] = list as RedisReply[];
  assertInstanceOf(error, RedisError);
  assertInstanceOf((inner as RedisReply[])[0], RedisError);
  assertEquals([error.code, yours, first, last], ["MYERR", "yours", encoder.encode("mine"), encoder.encode("mine")]);
  assertEquals(client.told, ["connected"]);
});

Deno.test({
  name: "WireClient connects again after its connection was closed by the server",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using client = await Client.start(server.port);
    assertEquals(client.generation, 1);
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    await assertRejects(() => client.send(["PING"]));
    assertEquals(client.connected, false);
    await assertRejects(() => client.send(["PING"]), Error, "the connection failed");
    await until(() => client.connected, "it has connected again");
    assertEquals(await client.send(["ECHO", "again"]), [encoder.encode("again")]);
    assertEquals([client.generation, client.told], [2, ["connected", "disconnected", "connected"]]);
  },
});

Deno.test({
  name: "WireClient keeps trying while the server is down, and connects when it is back",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using client = await Client.start(server.port);
    await server.kill();
    await client.send(["PING"]).catch(() => {});
    await until(() => client.told.length >= 5, "three attempts have failed");
    assertEquals(client.told.slice(0, 5), ["connected", "disconnected", "failed", "failed", "failed"]);
    await server.restart();
    await until(() => client.connected, "it has connected again");
    assertEquals(await client.send(["ECHO", "again"]), [encoder.encode("again")]);
  },
});

Deno.test({
  name: "WireClient finds out that an idle connection is dead, and that a new one does not answer",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using client = await Client.start(proxy.port, { heartbeat: 20, connectTimeout: 250 });
    proxy.freeze();
    await until(() => client.told.length >= 3, "an attempt to connect has failed");
    assertEquals(client.told.slice(0, 3), ["connected", "disconnected", "failed"]);
    proxy.thaw();
    await until(() => client.connected, "it has connected again");
    assertEquals(await client.send(["ECHO", "again"]), [encoder.encode("again")]);
    // What was given up is closed, not left behind.
    await until(() => proxy.connections === 1, "only one connection is open");
  },
});

Deno.test({
  name: "WireClient.reset() replaces a connection, and rejects what is out on it",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using client = await Client.start(server.port);
    await server.pause();
    const out = client.send(["PING"]);
    client.reset(new Error("too slow"));
    await assertRejects(() => out);
    await server.resume();
    await until(() => client.connected, "it has connected again");
    assertEquals(await client.send(["ECHO", "again"]), [encoder.encode("again")]);
    const list = String(await server.cli("CLIENT", "LIST", "TYPE", "normal"));
    assertEquals(list.trim().split("\n").length, 2); // this one and the one that asks
  },
});

Deno.test({
  name: "WireClient.close() leaves nothing open and does not wait for a server that hangs",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const connections = async () => String(await server.cli("CLIENT", "LIST")).trim().split("\n").length - 1;

    await t.step("connected and subscribed", async () => {
      const client = await Client.start(server.port);
      let ready = false;
      const listener = { message() {}, ready: () => void (ready = true), lost() {} };
      await client.subscribe("channel", listener);
      await until(() => ready, "it is subscribed");
      assertEquals(await connections(), 2);
      await client.close();
      await until(async () => await connections() === 0, "the server sees no connection");
      await assertRejects(() => client.send(["PING"]));
    });

    await t.step("while a command is out", async () => {
      const client = await Client.start(server.port);
      await server.pause();
      const out = client.send(["PING"]);
      await client.close();
      await assertRejects(() => out);
      await server.resume();
    });

    await t.step("while it connects and subscribes", async () => {
      await server.pause();
      const client = new Client(server.port, { connectTimeout: 60_000 });
      const started = client.start();
      await client.subscribe("channel", { message() {}, ready() {}, lost() {} });
      await client.close();
      await started;
      assertEquals(client.told, []);
      await server.resume();
      await until(async () => await connections() === 0, "the server sees no connection");
    });

    await t.step("while it waits for the next attempt", async () => {
      const client = await Client.start(server.port);
      await server.kill();
      await client.send(["PING"]).catch(() => {});
      await until(() => client.told.includes("failed"), "an attempt has failed");
      const attempts = client.told.length;
      await client.close();
      assertEquals(client.told.length, attempts);
    });
  },
});
