import { assert, assertEquals } from "@std/assert";
import { connect, type Larder } from "../../../mod.ts";
import type { RedisClient } from "../../../src/redis/client.ts";
import { SUBSCRIBING } from "../../support/contract_target.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { EventLog, until } from "../../support/until.ts";
import { clientReplies } from "./client_replies.ts";
import type { Kind } from "../../support/client_kinds.ts";

/** A Larder on a client of some kind. */
async function open(kind: Kind, port: number, log: EventLog): Promise<{ redis: Larder } & AsyncDisposable> {
  const { client, close } = await kind.open(port);
  const redis = await connect({
    client,
    namespace: "copies",
    commandTimeout: "5s",
    ...(kind.cluster && { buckets: 4 }),
    cache: { local: true },
    on: log.on,
  });
  return {
    redis,
    async [Symbol.asyncDispose]() {
      await redis.close();
      await close();
    },
  };
}

/** Copies in the process are served, and given up when another process invalidates. */
async function servesCopies(kind: Kind, port: number): Promise<void> {
  const log = new EventLog();
  await using one = await open(kind, port, log);
  await using two = await open(kind, port, log);
  await one.redis.ready({ timeout: "10s" });
  const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
  const fill = (value: number) => one.redis.cache.setMany(keys.map((key) => [key, value] as const), { tags: ["t"] });
  const reads = () =>
    two.redis.metrics()[0]!.latencies.filter(({ operation }) => operation.startsWith("read cache"))
      .reduce((sum, { count }) => sum + count, 0);
  const served = async () => {
    const before = reads();
    const found = await two.redis.cache.getMany(keys);
    return found.size === keys.length && reads() === before;
  };
  await fill(1);
  await until(served, `copies are served over ${kind.name}`);
  await one.redis.cache.invalidate(keys[0]!);
  await until(async () => await two.redis.cache.get(keys[0]!) === undefined, "the copy of the key is gone");
  await fill(2);
  await until(served, "copies are served again");
  assertEquals((await one.redis.cache.invalidateByTag("t")).status, "done");
  await until(async () => (await two.redis.cache.getMany(keys)).size === 0, "the copies are gone");
  assertEquals(log.events.filter(({ type }) => type === "warning"), []);
}

Deno.test("Each client serves copies in the process, and hears of changes", async (t) => {
  await using server = await RedisServer.start();
  for (const kind of SUBSCRIBING.filter(({ cluster }) => !cluster)) {
    await t.step(kind.name, () => servesCopies(kind, server.port));
  }
});

Deno.test({
  name: "Each cluster client replies as the port says, serves copies in the process, and hears of changes",
  ignore: !RedisCluster.possible,
  fn: async (t) => {
    await using cluster = await RedisCluster.start();
    const { port } = cluster.nodes[0]!;
    for (const kind of SUBSCRIBING.filter(({ cluster }) => cluster)) {
      await t.step(`${kind.name}: replies`, async () => {
        const { client, close } = await kind.open(port);
        await until(() => allConnected(client), "it knows the nodes");
        try {
          for (const [what, run] of Object.entries(clientReplies)) if (!what.includes("big")) await run(client);
        } finally {
          await client.close();
          await close();
        }
      });
      await t.step(`${kind.name}: copies`, () => servesCopies(kind, port));
      await t.step(`${kind.name}: close() closes all that was opened`, () => leavesNothing(kind, cluster));
    }
  },
});

async function leavesNothing(kind: Kind, cluster: RedisCluster): Promise<void> {
  const clients = async () =>
    (await cluster.each("CLIENT", "LIST", "TYPE", "normal")).concat(
      await cluster.each("CLIENT", "LIST", "TYPE", "pubsub"),
    )
      .flatMap((list) => String(list).trim().split("\n").filter((line) => line && !line.includes("cmd=client"))).length;
  const { client, close } = await kind.open(cluster.nodes[0]!.port);
  await until(() => allConnected(client), "it knows the nodes");
  const before = await clients();
  const listener = { message: () => {}, ready: () => {}, lost: () => {} };
  const subscription = await client.subscribe("news", listener);
  await until(() => subscription.prove(), "it is heard");
  assert(await clients() > before);
  await Promise.all([client.close(), client.close()]);
  await close();
  await until(async () => await clients() === 0, "its connections are closed");
  await rejects(client);
}

function allConnected(client: RedisClient): boolean {
  return client.connected && [...client.nodes!.owners].every(({ connected }) => connected);
}

async function rejects(client: RedisClient): Promise<void> {
  const error = await client.pipeline([{ name: "PING", args: [] }]).catch((error: unknown) => error);
  assert(error instanceof Error);
  assertEquals(client.connected, false);
}
