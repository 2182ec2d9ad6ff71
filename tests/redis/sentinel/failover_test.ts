import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { connect } from "../../../mod.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { Sentinels } from "../../support/sentinels.ts";
import { until } from "../../support/until.ts";

// So long that nothing in here may wait for it.
const NEVER = 600_000;

function open(clients: typeof Redis | typeof Valkey, ports: readonly number[], options: Record<string, unknown> = {}) {
  const client = new (clients as typeof Redis)({
    sentinels: ports.map((port) => ({ host: "127.0.0.1", port })),
    name: "main",
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    retryStrategy: () => NEVER,
    sentinelRetryStrategy: () => NEVER,
    ...options,
  });
  client.on("error", () => {});
  return client;
}

const FAILURES: [name: string, clients: typeof Redis | typeof Valkey, fail: (servers: Sentinels) => Promise<void>][] = [
  ["kill -9 of the primary", Redis, (servers) => servers.primary.kill()],
  ["SIGSTOP of the primary and of a Sentinel", Valkey, async (servers) => {
    servers.pauseSentinel(0);
    await servers.primary.pause();
  }],
];

for (const [name, clients, fail] of FAILURES) {
  Deno.test({
    name: `A failover by Sentinels after ${name} is followed at once, by services and channels`,
    ignore: !Sentinels.possible,
    async fn() {
      await using servers = await Sentinels.start();
      const { primary, replica } = servers;
      const client = open(clients, servers.ports);
      await using redis = await connect({ client: fromIoredis(client), namespace: "shop", on: () => {} });
      await redis.ready({ timeout: "20s" });
      const nodes = async () => (await redis.health()).redis[0]!.nodes?.map(({ address }) => address);
      assertEquals(await nodes(), [`127.0.0.1:${primary.port}`]);

      const news = redis.pubsub.channel<string>("news");
      await using messages = news.subscribe();
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { value, gap } of messages) seen.push(gap ? "gap" : value!);
      })();
      const hears = (text: string) =>
        until(async () => {
          await news.publish(text).catch(() => {});
          return seen.includes(text);
        }, `"${text}" is heard`);
      await hears("before");
      const session = await redis.sessions.create("ada", {}, { durability: { replicas: 1, timeout: "20s" } });
      assertEquals(session.replicated, true);

      await fail(servers);
      await servers.failedOver();
      await until(() => redis.sessions.get(session.id).then((found) => found !== undefined, () => false), "it is back");
      assertEquals((await redis.rateLimit.check("API", "198.51.100.7")).source, "redis");
      assertEquals(await redis.cache.getOrSet("key", () => 1), 1);
      assertEquals(await nodes(), [`127.0.0.1:${replica.port}`]);
      await hears("after");
      // What was published while the primary was gone may be missing.
      assert(seen.indexOf("gap") < seen.indexOf("after"), `${seen}`);
      await messages[Symbol.asyncDispose]();
      await reading;
      client.disconnect();
    },
  });
}
