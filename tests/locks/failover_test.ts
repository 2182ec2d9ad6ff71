import { assert, assertEquals, assertGreater } from "@std/assert";
import { connect, LockLostError } from "../../mod.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

async function open(server: RedisServer) {
  const redis = await connect({ url: server.url, namespace: "locks", commandTimeout: "5s", on: () => {} });
  await redis.ready({ timeout: "20s" });
  return redis;
}

/** A replica of a node of a cluster, which takes over when that dies. */
async function addReplica(cluster: RedisCluster, primary: RedisServer): Promise<RedisServer> {
  const replica = await RedisServer.start({ config: { "cluster-enabled": "yes", "cluster-node-timeout": 2000 } });
  // The bus of a node has its port by the file that each node keeps of all.
  const [own] = (String(await primary.cli("CLUSTER", "NODES"))).split("\n").filter((line) => line.includes("myself"));
  const [, bus] = /:\d+@(\d+)/.exec(own!)!;
  await replica.cli("CLUSTER", "MEET", "127.0.0.1", primary.port, bus!);
  const id = String(await primary.cli("CLUSTER", "MYID"));
  await until(async () => String(await replica.cli("CLUSTER", "NODES")).includes(id), "it knows its primary");
  await until(async () => {
    return await replica.cli("CLUSTER", "REPLICATE", id).then(() => true, () => false);
  }, "it follows its primary");
  const linked = async () => String(await replica.cli("INFO", "replication")).includes("master_link_status:up");
  await until(linked, "it is in touch");
  await cluster.agrees();
  return replica;
}

Deno.test({
  name: "a lock outlives the failover of a cluster to a replica that has it, and nobody else has it meanwhile",
  ignore: !RedisCluster.possible,
  async fn() {
    await using cluster = await RedisCluster.start();
    const primary = await cluster.ownerOf("{locks}:lock:l:x");
    await using replica = await addReplica(cluster, primary);
    await using a = await openOnCluster(cluster, { namespace: "locks", commandTimeout: "2s", on: () => {} });
    await using b = await openOnCluster(cluster, { namespace: "locks", commandTimeout: "2s", on: () => {} });
    const lock = await a.redis.locks.acquire("x", { ttl: "60s" });
    await until(async () => (await replica.cli("DBSIZE")) === 1, "the replica has it");
    let others = 0;
    let stop = false;
    const tries = (async () => {
      while (!stop) {
        const other = await b.redis.locks.tryAcquire("x").catch(() => undefined);
        if (other && lock.held) others++;
        await other?.release();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await primary.kill();
    await until(async () => String(await replica.cli("ROLE")).startsWith("master"), "the replica has taken over");
    const asks = () => b.redis.locks.tryAcquire("x").then((other) => other === undefined, () => false);
    await until(asks, "the new primary knows that it is held");
    stop = true;
    await tries;
    assertEquals([others, lock.held, lock.signal.aborted], [0, true, false]);
    await until(async () => await a.redis.locks.tryAcquire("y").then((y) => y?.release(), () => false), "a is back");
    assertEquals(await lock.release(), true);
    const next = await b.redis.locks.acquire("x", { wait: "20s" });
    assertGreater(next.token, lock.token);
    await next.release();
  },
});

Deno.test({
  name: "a lock outlives a restart of a server that persists, and its holder goes on",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start({ config: { appendonly: "yes", appendfsync: "always" } });
    await using a = await open(server);
    await using b = await open(server);
    const lock = await a.locks.acquire("x", { ttl: "60s" });
    const waits = b.locks.acquire("x", { wait: "120s" });
    await until(async () => (await server.cli("KEYS", "*:lockq:*") as string[]).length === 1, "b is in line");
    await server.restart();
    await a.ready({ timeout: "20s" });
    await b.ready({ timeout: "20s" });
    assertEquals(await b.locks.tryAcquire("x"), undefined);
    assertEquals([lock.held, await lock.release()], [true, true]);
    const next = await waits;
    assertGreater(next.token, lock.token);
    await next.release();
  },
});

Deno.test({
  name: "the holder of a lock that the server evicted is told, and the next number is larger",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using a = await open(server);
    await using b = await open(server);
    const lock = await a.locks.acquire("x", { ttl: "1s" });
    await server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
    await server.cli("CONFIG", "SET", "maxmemory", 1); // so that every key goes
    await until(async () => {
      await server.cli("SET", "filler", "x").catch(() => {});
      return (await server.cli("EXISTS", "{locks}:lock:l:x")) === 0;
    }, "it is evicted");
    await server.cli("CONFIG", "SET", "maxmemory", 0);
    const next = await b.locks.acquire("x", { wait: "20s", ttl: "20s" });
    assertGreater(next.token, lock.token);
    await until(() => lock.signal.aborted, "the holder is told");
    assert(lock.signal.reason instanceof LockLostError);
    assertEquals([lock.held, await lock.release(), next.held], [false, false, true]);
    await next.release();
  },
});
