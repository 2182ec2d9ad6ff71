import { assertEquals, assertRejects } from "@std/assert";
import { createClient, createClientPool, createSentinel } from "redis";
import { fromNodeRedis } from "../../../src/redis/adapters/from_node_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { assertRefused, type ClientKind, testClient, testReplies } from "./client_suite.ts";

const socket = { reconnectStrategy: () => 50, socketTimeout: 2000 };
const pingInterval = 500;

function kind(name: string, RESP: 2 | 3): ClientKind {
  return {
    name,
    subscribes: true,
    readsErrorsInLists: true,
    open: async (url) => {
      const redis = createClient({ url, RESP, socket, pingInterval });
      redis.on("error", () => {}); // told by the events that matter
      await redis.connect();
      return { client: fromNodeRedis(redis), owner: { ping: () => redis.ping(), close: () => redis.destroy() } };
    },
  };
}

testClient(kind("fromNodeRedis()", 3));
testReplies(kind("fromNodeRedis(), RESP2,", 2));

Deno.test("fromNodeRedis() refuses what was not made by createClient()", () => {
  const wanted = "wanted one made by createClient() or createCluster() of npm:redis";
  for (const value of [undefined, null, {}, "redis://127.0.0.1", 1]) {
    assertRefused(() => fromNodeRedis(value as never), wanted);
  }
  const node = { host: "127.0.0.1", port: 1 };
  const sentinel = createSentinel({ name: "main", sentinelRootNodes: [node] });
  assertRefused(() => fromNodeRedis(sentinel as never), wanted, "use fromIoredis(new Redis({ sentinels");
  assertRefused(() => fromNodeRedis(createClientPool() as never), wanted, "use fromNodeRedis(createClient(");
});

Deno.test("fromNodeRedis() refuses a client that does not come back once its connection has hung", () => {
  const refused = (options: object, ...parts: string[]) =>
    assertRefused(() => fromNodeRedis(createClient(options)), ...parts);
  const all = { socketTimeout: 2000, reconnectStrategy: () => 50 };
  refused({ socket: { ...all, socketTimeout: 0 }, pingInterval }, "socket.socketTimeout", "got 0");
  refused({ socket: all }, "pingInterval", "got undefined");
  refused({ socket: all, pingInterval: 2000 }, "pingInterval shorter than socketTimeout (2000)", "got 2000");
  refused({ socket: { socketTimeout: 2000 }, pingInterval }, "socket.reconnectStrategy", "got undefined");
  refused({ socket: { ...all, reconnectStrategy: false }, pingInterval }, "socket.reconnectStrategy", "got false");
});

Deno.test("fromNodeRedis() refuses a client that does not take what is sent", () => {
  const refused = (options: object, ...parts: string[]) =>
    assertRefused(() => fromNodeRedis(createClient(options)), ...parts);
  refused({ commandsQueueMaxLength: 100 }, "without commandsQueueMaxLength", "got 100");
  refused({ readonly: true }, "without readonly", "createCluster()", "got true");
  refused({ legacyMode: true }, "without legacyMode", "client.legacy()", "got true");
});

Deno.test("fromNodeRedis() reset() takes back what was not written yet", async () => {
  await using server = await RedisServer.start();
  const redis = createClient({ url: server.url, socket, pingInterval });
  await redis.connect();
  const client = fromNodeRedis(redis);
  const late = client.pipeline([{ name: "INCR", args: ["late"] }, { name: "INCR", args: ["late"] }]);
  client.reset(new Error("it hangs"));
  await assertRejects(() => late, Error, "aborted");
  assertEquals(await client.pipeline([{ name: "EXISTS", args: ["late"] }]), [0]);
  await client.close();
  redis.destroy();
});

Deno.test("fromNodeRedis() waits for the owner to connect, and leaves no listener behind", async () => {
  await using server = await RedisServer.start();
  const redis = createClient({ url: server.url, socket, pingInterval });
  const before = redis.eventNames().length;
  const client = fromNodeRedis(redis);
  const changes: string[] = [];
  client.onChange(({ state }) => changes.push(state));
  assertEquals([client.connected, client.generation], [false, 0]);
  await redis.connect();
  assertEquals([client.connected, client.generation, changes], [true, 1, ["connected"]]);
  await client.close();
  assertEquals(redis.eventNames().length, before);
  assertEquals(await redis.ping(), "PONG");
  redis.destroy();
});
