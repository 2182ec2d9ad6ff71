import { RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

/** What primaries of tests are started with, so that replicas need not wait for others. */
export const AT_ONCE = { "repl-diskless-sync-delay": 0 } as const;

/** Starts a replica that is in touch with its primary, or with what is in front of that. */
export async function replicaOf(primary: { readonly port: number }): Promise<RedisServer> {
  const replica = await RedisServer.start({ config: AT_ONCE });
  await replica.cli("REPLICAOF", "127.0.0.1", primary.port);
  const up = async () => String(await replica.cli("INFO", "replication")).includes("master_link_status:up");
  await until(up, "the replica is in touch");
  return replica;
}
