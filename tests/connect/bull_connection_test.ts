import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { connect } from "../../mod.ts";
import { bullConnection, fromIoredis } from "../../src/redis/mod.ts";
import { CERTIFICATES, DeployedRedis, possible } from "../deploy/deployed_redis.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";

const quiet = { on: () => {}, connectTimeout: "100ms" };

/** Opens a client as a queue does, and asks who it is and where. */
async function ask(connection: object): Promise<unknown[]> {
  const client = new Redis({ ...connection, lazyConnect: true, retryStrategy: () => null });
  await client.connect();
  const answer = [await client.call("ACL", "WHOAMI"), (await client.client("INFO")).match(/ db=(\d+)/)?.[1]];
  const ended = new Promise((resolve) => client.once("end", resolve));
  client.disconnect();
  await ended;
  return answer;
}

Deno.test({
  name: "bullConnection() gives the server, the user, the password and the database of connect()",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    const password = "p@ss:w/o%rd é";
    await server.cli("ACL", "SETUSER", "queue", "on", `>${password}`, "~*", "&*", "+@all");
    const login = `queue:${encodeURIComponent(password)}`;
    await using redis = await connect({ url: `redis://${login}@127.0.0.1:${server.port}/3`, ...quiet });
    const connection = bullConnection(redis);
    assertEquals({ ...connection }, {
      host: "127.0.0.1",
      port: server.port,
      username: "queue",
      password,
      db: 3,
      maxRetriesPerRequest: null,
    });
    assertEquals(await ask(connection), ["queue", "3"]);
    for (
      const text of [JSON.stringify(connection), Deno.inspect(connection), inspect({ connection }), `${connection}`]
    ) {
      assertFalse(text.includes("p@ss"), text);
    }
    assert(JSON.stringify(connection).includes('"password":"[secret]"'));
    assert(Deno.inspect({ connection }).includes("queue"));
  },
});

Deno.test("bullConnection() gives TLS, and the server that keeps what is written", async () => {
  const ca = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----";
  const [cert, key] = [ca, "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"];
  await using tls = await connect({ url: "rediss://redis.example:1", tls: { caCerts: [ca], cert, key }, ...quiet });
  const connection = bullConnection(tls);
  assertEquals([connection.tls?.servername, connection.tls?.ca?.at(-1), connection.tls?.key], [
    "redis.example",
    ca,
    key,
  ]);
  for (const text of [JSON.stringify(connection), Deno.inspect(connection, { depth: 9 }), inspect(connection)]) {
    assertFalse(text.includes("PRIVATE KEY"), text);
  }
  await using plain = await connect({ url: "rediss://127.0.0.1:1", ...quiet });
  assertEquals(bullConnection(plain).tls, {});
  await using two = await connect({ url: "redis://127.0.0.1:1/2", cacheUrl: "redis://127.0.0.1:2", ...quiet });
  assertEquals([bullConnection(two).port, bullConnection(two).db], [1, 2]);
});

Deno.test({
  name: "bullConnection() reaches a server that wants TLS, by the authority that connect() was told",
  ignore: !possible,
  async fn() {
    await using redis = await DeployedRedis.start({ tls: true });
    const { username, password } = redis.options;
    const tls = { caCerts: [await Deno.readTextFile(new URL("ca.pem", CERTIFICATES))] };
    await using larder = await connect({
      url: `rediss://127.0.0.1:${redis.tlsPort}`,
      username,
      password,
      tls,
      ...quiet,
    });
    const client = new Redis({ ...bullConnection(larder), lazyConnect: true, retryStrategy: () => null });
    await client.connect();
    assertEquals(await client.ping(), "PONG");
    const ended = new Promise((resolve) => client.once("end", resolve));
    client.disconnect();
    await ended;
  },
});

Deno.test("bullConnection() refuses what has no server of its own", async () => {
  await using memory = await connect({ url: "memory:" });
  assertThrows(
    () => bullConnection(memory),
    TypeError,
    "wanted a Redis, as in connect({ url }), got the embedded store",
  );
  for (const none of [undefined, null, {}, "redis://127.0.0.1"]) {
    assertThrows(() => bullConnection(none as never), TypeError, "wanted what connect() gave, got");
  }
  await using server = await RedisServer.start();
  const client = new Redis(server.port, server.hostname, { maxRetriesPerRequest: 0 });
  await client.ping();
  {
    await using redis = await connect({ client: fromIoredis(client), ...quiet });
    assertThrows(
      () => bullConnection(redis),
      TypeError,
      'wanted a Redis by "url", got a client that you opened (ioredis): give the queue what that was opened with',
    );
  }
  const ended = new Promise((resolve) => client.once("end", resolve));
  client.disconnect();
  await ended;
});

Deno.test({
  name: "bullConnection() refuses a cluster",
  ignore: !RedisCluster.possible,
  sanitizeOps: false, // ioredis waits for the end of sockets by timers
  async fn() {
    await using cluster = await RedisCluster.start();
    await using opened = await openOnCluster(cluster, { on: () => {} });
    assertThrows(() => bullConnection(opened.redis), TypeError, "got a client of a cluster (ioredis Cluster)");
  },
});
