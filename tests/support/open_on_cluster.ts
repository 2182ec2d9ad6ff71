import { Cluster } from "ioredis";
import { connect, type ConnectOptions, type Larder } from "../../mod.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import type { RedisCluster } from "./redis_cluster.ts";

/** Opens Larder on a cluster, with a client of its own that ends with it. */
export async function openOnCluster(
  cluster: RedisCluster,
  options: ConnectOptions,
): Promise<{ redis: Larder } & AsyncDisposable> {
  const client = new Cluster([{ host: "127.0.0.1", port: cluster.nodes[0]!.port }], { retryDelayOnFailover: 0 });
  client.on("error", () => {});
  await client.ping();
  // Nothing here is about deadlines, and the machine may be busy.
  const redis = await connect({ client: fromIoredis(client), commandTimeout: "10s", ...options });
  return {
    redis,
    async [Symbol.asyncDispose]() {
      await redis.close();
      const ended = new Promise((resolve) => client.once("end", resolve));
      client.disconnect();
      await ended;
    },
  };
}
