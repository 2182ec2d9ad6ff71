import { assert, assertEquals } from "@std/assert";
import { WireClient } from "../../../src/redis/wire/client.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
const CHANNEL = `larder-test:${crypto.randomUUID()}`;

/** A subscriber that notes what it is told; proofs of life go out every 100 ms. */
class Subscriber implements AsyncDisposable {
  readonly told: string[] = [];
  readonly client: WireClient;

  private constructor(port: number) {
    this.client = new WireClient({ hostname: "127.0.0.1", port }, { heartbeat: 20, connectTimeout: 100 });
  }

  static async start(port: number): Promise<Subscriber> {
    const subscriber = new Subscriber(port);
    const { told, client } = subscriber;
    await client.start();
    await client.subscribe(CHANNEL, {
      message: (payload) => void told.push(new TextDecoder().decode(payload)),
      ready: () => void told.push("ready"),
      lost: () => void told.push("lost"),
    });
    await subscriber.has("ready");
    return subscriber;
  }

  async has(...told: string[]): Promise<void> {
    await until(() => this.told.length >= told.length, `it was told ${told}, as opposed to ${this.told}`);
    assertEquals(this.told.slice(0, told.length), told);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }
}

Deno.test("WireClient.subscribe() tells what is published from ready() on, and nothing else", async () => {
  await using server = await RedisServer.start();
  await using subscriber = await Subscriber.start(server.port);
  await server.cli("PUBLISH", `${CHANNEL}:other`, "not mine");
  for (const text of ["one", "two", "drei\r\nё"]) assertEquals(await server.cli("PUBLISH", CHANNEL, text), 1);
  await subscriber.has("ready", "one", "two", "drei\r\nё");
});

Deno.test("WireClient.subscribe() ends when it is disposed of", async () => {
  await using server = await RedisServer.start();
  await using subscriber = await Subscriber.start(server.port);
  const told: string[] = [];
  {
    await using _second = await subscriber.client.subscribe(CHANNEL, {
      message: (payload) => void told.push(new TextDecoder().decode(payload)),
      ready: () => void told.push("ready"),
      lost: () => void told.push("lost"),
    });
    await until(() => told.length > 0, "it is subscribed");
    assertEquals(await server.cli("PUBLISH", CHANNEL, "both"), 1, "over one connection");
    await until(() => told.length > 1, "it was told");
  }
  assertEquals(await server.cli("PUBLISH", CHANNEL, "one"), 1);
  await subscriber.has("ready", "both", "one");
  assertEquals(told, ["ready", "both", "lost"]);
});

Deno.test("Subscription.prove() resolves when all that was published before has been told", async () => {
  await using server = await RedisServer.start();
  await using subscriber = await Subscriber.start(server.port);
  let ready = false;
  const told: string[] = [];
  await using subscription = await subscriber.client.subscribe(CHANNEL, {
    message: (payload) => void told.push(new TextDecoder().decode(payload)),
    ready: () => void (ready = true),
    lost() {},
  });
  await until(() => ready, "it is subscribed");
  const texts = Array.from({ length: 100 }, (_, i) => String(i));
  for (const text of texts) await server.cli("PUBLISH", CHANNEL, text);
  assertEquals(await subscription.prove(), true);
  assertEquals(told, texts);
  await subscription[Symbol.asyncDispose]();
  assertEquals(await subscription.prove(), false);
});

Deno.test({
  name: "WireClient.subscribe() tells of a loss when the server ends only that connection",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using subscriber = await Subscriber.start(server.port);
    await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await subscriber.has("ready", "lost", "ready");
    await server.cli("PUBLISH", CHANNEL, "again");
    await subscriber.has("ready", "lost", "ready", "again");
  },
});

Deno.test({
  name: "WireClient.subscribe() tells of a loss when the server restarts, and is ready again",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using subscriber = await Subscriber.start(server.port);
    await server.kill();
    await subscriber.has("ready", "lost");
    await server.restart();
    await subscriber.has("ready", "lost", "ready");
    await server.cli("PUBLISH", CHANNEL, "again");
    await subscriber.has("ready", "lost", "ready", "again");
  },
});

Deno.test({
  name: "WireClient.subscribe() finds out that a connection is silent, and that one which came instead is not",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using subscriber = await Subscriber.start(proxy.port);
    const start = performance.now();
    proxy.freeze();
    await subscriber.has("ready", "lost");
    assert(performance.now() - start < 2000, "a silent connection should be found out after two proofs");
    await server.cli("PUBLISH", CHANNEL, "missed");
    proxy.thaw();
    await subscriber.has("ready", "lost", "ready");
    await until(async () => await server.cli("PUBLISH", CHANNEL, "again") === 1, "the old connection is gone");
    await until(() => subscriber.told.includes("again"), "it is told again");
    assertEquals(new Set(subscriber.told.slice(3)), new Set(["again"]));
  },
});
