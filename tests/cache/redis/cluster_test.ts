import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Cluster } from "ioredis";
import { RedisSlot } from "../../../src/cache/redis/slot.ts";
import type { CacheOptions } from "../../../src/cache/options.ts";
import { connect, type Larder } from "../../../src/connect/larder.ts";
import { UnavailableError } from "../../../src/errors.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { hashSlot } from "../../../src/redis/cluster/hash_slot.ts";
import { Batch } from "../../../src/redis/batch.ts";
import type { RedisClient } from "../../../src/redis/client.ts";
import { clientReplies } from "../../redis/contract/client_replies.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { EventLog, until } from "../../support/until.ts";

const BUCKETS = 4;

/** Clients of one cluster, closed together. */
class Clients implements AsyncDisposable {
  /** How many writes the larders have made. */
  sent = 0;
  readonly #cluster: RedisCluster;
  readonly #close: (() => Promise<unknown>)[] = [];

  constructor(cluster: RedisCluster) {
    this.#cluster = cluster;
  }

  /** The client as its owner opens it. */
  async owned(): Promise<Cluster> {
    const { port } = this.#cluster.nodes[0]!;
    const client = new Cluster([{ host: "127.0.0.1", port }], { retryDelayOnFailover: 0 });
    client.on("error", () => {});
    this.#close.push(async () => {
      const ended = new Promise((resolve) => client.once("end", resolve));
      client.disconnect();
      await ended;
    });
    await client.ping();
    return client;
  }

  async client(): Promise<RedisClient> {
    const client = fromIoredis(await this.owned());
    this.#close.push(() => client.close());
    await until(
      () => [...client.nodes!.owners].every(({ connected }) => connected) && client.connected,
      "it is connected",
    );
    return client;
  }

  async larder(namespace: string, cache: CacheOptions = {}, log?: EventLog): Promise<Larder> {
    const client = fromIoredis(await this.owned());
    const pipeline = client.pipeline.bind(client);
    client.pipeline = (commands) => (this.sent++, pipeline(commands));
    const on = log?.on;
    const larder = await connect({ client, namespace, buckets: BUCKETS, commandTimeout: "3s", cache, on });
    this.#close.push(() => larder.close());
    return larder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#close.reverse()) await close();
  }
}

/** A namespace whose buckets are on all nodes, and the hash tag of the bucket of a key. */
async function namespaceOn(cluster: RedisCluster): Promise<string> {
  for (let i = 0;; i++) {
    const namespace = `cluster${i}`;
    const owners = await Promise.all(tags(namespace).map((tag) => cluster.ownerOf(tag)));
    if (new Set(owners).size === cluster.nodes.length) return namespace;
  }
}

function tags(namespace: string): string[] {
  return Array.from({ length: BUCKETS }, (_, i) => `{${namespace}:${i}}`);
}

const KEYS = Array.from({ length: 200 }, (_, i) => `user:${i}`);

async function fill(larder: Larder, offset: number = 0): Promise<void> {
  const entries = KEYS.map((key, i) => [key, offset + i] as const);
  await larder.cache.setMany(new Map(entries), { ttl: "1h", tags: ["users"] });
}

async function found(larder: Larder, keys: readonly string[] = KEYS): Promise<number> {
  return (await larder.cache.getMany(keys)).size;
}

/** Entries in Redis whose keys match. */
async function stored(cluster: RedisCluster, namespace: string, glob: string): Promise<number> {
  const keys = await cluster.each("KEYS", `{${namespace}:*}:c:${glob}`);
  return keys.flat().length;
}

Deno.test("hashSlot() is that of the cluster", () => {
  // From the specification of Redis Cluster, and of a server.
  assertEquals(hashSlot("123456789"), 0x31c3);
  assertEquals(hashSlot("{user1000}.following"), hashSlot("{user1000}.followers"));
  assertEquals(hashSlot("foo{}{bar}"), 8363);
  assertEquals(hashSlot("foo{{bar}}zap"), hashSlot("{bar"));
  assertEquals(hashSlot("foo{bar}{zap}"), hashSlot("bar"));
  assertEquals([hashSlot("somekey"), hashSlot("é")], [11058, 10180]);
});

Deno.test({
  name: "connect({ client: fromIoredis(new Cluster(…)) }) caches on all nodes of a cluster",
  ignore: !RedisCluster.possible,
  sanitizeOps: false, // ioredis waits for the end of sockets by timers, although they have ended long ago
  fn: async (t) => {
    await using cluster = await RedisCluster.start();
    const namespace = await namespaceOn(cluster);

    await t.step("its client replies as the port says", async () => {
      await using clients = new Clients(cluster);
      const client = await clients.client();
      for (const [what, run] of Object.entries(clientReplies)) if (!what.includes("big")) await run(client);
    });

    await t.step("entries are on all nodes, and another process finds them", async () => {
      await using clients = new Clients(cluster);
      const [one, two] = [await clients.larder(namespace), await clients.larder(namespace)];
      await fill(one);
      assertEquals(await two.cache.getMany(KEYS), new Map(KEYS.map((key, i) => [key, i])));
      const sizes = await cluster.each("DBSIZE");
      assert(sizes.every((size) => Number(size) > 10), `${sizes}`);
      assertEquals([await two.cache.delete("user:7"), await one.cache.get("user:7")], [true, undefined]);
      assertEquals((await two.cache.invalidateMany(KEYS.slice(0, 10))).removed, 9);
      assertEquals(await found(one), 190);
    });

    await t.step("a tag is invalidated in all buckets", async () => {
      await using clients = new Clients(cluster);
      const [one, two] = [await clients.larder(namespace), await clients.larder(namespace)];
      await fill(one);
      await one.cache.set("other", 1, { tags: ["others"] });
      assertEquals(await found(two), 200);
      assertEquals((await one.cache.invalidateByTag("users")).status, "done");
      assertEquals([await found(two), await found(one), await two.cache.get("other")], [0, 0, 1]);
      await fill(one);
      assertEquals(await found(two), 200);
    });

    await t.step("a pattern finds its keys on every node", async () => {
      await using clients = new Clients(cluster);
      const [one, two] = [await clients.larder(namespace), await clients.larder(namespace)];
      await fill(one);
      assertEquals(await stored(cluster, namespace, "user:1*"), 111);
      assertEquals(await one.cache.invalidateByPattern("user:1*"), { status: "done", removed: 111 });
      assertEquals(await stored(cluster, namespace, "user:1*"), 0);
      assertEquals([await found(two), await stored(cluster, namespace, "user:*")], [89, 89]);
      const inspected = await Array.fromAsync(two.cache.inspect("user:2*"), ({ key }) => key);
      assertEquals(inspected.sort(), KEYS.filter((key) => key.startsWith("user:2")).sort());
    });

    await t.step("clear() empties all buckets", async () => {
      await using clients = new Clients(cluster);
      const [one, two] = [await clients.larder(namespace), await clients.larder(namespace)];
      await fill(one);
      assertEquals(await found(two), 200);
      await one.cache.clear();
      assertEquals([await found(two), await found(one)], [0, 0]);
      await until(async () => await stored(cluster, namespace, "*") === 0, "what it hides is removed");
    });

    await t.step("scripts that a node has forgotten are sent again", async () => {
      await using clients = new Clients(cluster);
      const larder = await clients.larder(namespace);
      await fill(larder);
      for (const node of cluster.nodes) {
        await node.cli("SCRIPT", "FLUSH");
        assertEquals(await found(larder), 200);
        await node.cli("SCRIPT", "FLUSH");
        await fill(larder);
      }
    });

    await t.step("copies in other processes are given up, whichever node says so", async () => {
      await using clients = new Clients(cluster);
      const local = { maxEntries: 1000 };
      const [one, two] = [await clients.larder(namespace, { local }), await clients.larder(namespace, { local })];
      await fill(one);
      // Copies are served once the subscription on every node is proven.
      const served = () =>
        until(async () => {
          const { sent } = clients;
          return await found(two) === 200 && clients.sent === sent;
        }, "copies are served");
      await served();
      await one.cache.invalidateMany(KEYS);
      await until(async () => await found(two) === 0, "the copies are gone");
      await fill(one);
      await served();
      assertEquals((await one.cache.invalidateByTag("users")).status, "done");
      await until(async () => await found(two) === 0, "the copies are gone");
    });

    await t.step("a subscription is heard, lost and proven on every node", async () => {
      await using clients = new Clients(cluster);
      const client = await clients.client();
      const told: string[] = [];
      const heard = new Set<string>();
      await using subscription = await client.subscribe("news", {
        message: (payload) => void heard.add(new TextDecoder().decode(payload)),
        ready: () => void told.push("ready"),
        lost: () => void told.push("lost"),
      });
      await until(() => told.length === 1, "it is ready");
      for (const [i, node] of cluster.nodes.entries()) await node.cli("PUBLISH", "news", `from ${i}`);
      assertEquals(await subscription.prove(), true);
      assertEquals([...heard].sort(), ["from 0", "from 1", "from 2"]);
      for (const node of cluster.nodes) {
        told.length = 0;
        await node.cli("CLIENT", "KILL", "TYPE", "pubsub");
        await until(() => told.length === 2, "it is back");
        assertEquals([told, await subscription.prove()], [["lost", "ready"], true]);
      }
    });

    await t.step("namespaces are found whichever nodes they are on, and dropped with all buckets", async () => {
      await using clients = new Clients(cluster);
      const { cache } = await clients.larder(namespace);
      const names = Array.from({ length: 12 }, (_, i) => `tenant.${i}`).sort();
      for (const name of names) await cache.namespace(name).setMany(KEYS.map((key) => [key, name] as const));
      assertEquals((await cache.namespaces()).filter((name) => name.startsWith("tenant.")), names);
      const keys = async (glob: string) =>
        (await Promise.all(cluster.nodes.map((node) => node.cli("KEYS", glob)))).flat().length;
      assert(await keys("*tenant.7:*") >= KEYS.length);
      assertEquals(await cache.drop("tenant.7"), { status: "done", removed: KEYS.length });
      assertEquals(await keys("*tenant.7:*"), 0);
      assertEquals((await cache.namespace("tenant").namespaces()).includes("7"), false);
      assertEquals(await cache.namespace("tenant.8").get(KEYS[0]!), "tenant.8");
    });

    await t.step("one loader at a time, and those who wait are woken", async () => {
      await using clients = new Clients(cluster);
      const larders = await Promise.all([1, 2, 3].map(() => clients.larder(namespace)));
      let loads = 0;
      const gate = Promise.withResolvers<void>();
      const load = async () => {
        loads++;
        await gate.promise;
        return "loaded";
      };
      const keys = KEYS.slice(0, 8).map((key) => `cold:${key}`);
      const all = larders.flatMap(({ cache }) => keys.map((key) => cache.getOrSet(key, load, { ttl: "1h" })));
      await until(() => loads >= keys.length, "the loaders run");
      gate.resolve();
      assertEquals(new Set(await Promise.all(all)), new Set(["loaded"]));
      assertEquals(loads, keys.length);
    });

    await t.step("a slot that moves takes its entries along, and nothing old comes back", async () => {
      await using clients = new Clients(cluster);
      const [one, two] = [await clients.larder(namespace), await clients.larder(namespace)];
      await fill(one);
      assertEquals(await found(two), 200);
      const [tag] = tags(namespace);
      const from = await cluster.ownerOf(tag!);
      const to = cluster.nodes.find((node) => node !== from)!;

      const client = await clients.client();
      const batch = new Batch(client, { commandTimeout: 3000 });
      const slot = new RedisSlot(batch, tag!.slice(1, -1), undefined);
      assertEquals(await slot.ownerNode(), await from.cli("CLUSTER", "MYID"));
      const script = { name: "EVAL", args: ["return 1", 1, tag!] };
      assertEquals(await client.pipeline([script]), [1]);
      const { generation } = client;
      await cluster.beginMove(tag!, to);
      assertEquals(await slot.ownerNode(), undefined);
      // Keys are partly here, partly there now. Invalidations hold all the same.
      await one.cache.invalidateMany(KEYS.slice(0, 50));
      assertEquals(await found(two, KEYS.slice(0, 50)), 0);
      await cluster.endMove(tag!, to);
      await until(async () => await slot.ownerNode() === await to.cli("CLUSTER", "MYID"), "the client knows");
      assertEquals(await found(two, KEYS.slice(0, 50)), 0);
      // Who keeps state about the server of the slot looks again, in the same breath.
      assertEquals([await client.pipeline([script]), client.generation > generation], [[1], true]);

      await fill(one);
      assertEquals([await found(two), await found(one)], [200, 200]);
      assertEquals(Number(await to.cli("EXISTS", `${tag}:ledger`)), 1);
      await one.cache.invalidateByTag("users");
      assertEquals(await found(two), 0);
      await cluster.agrees();
    });

    await t.step("no command is sent twice, and a lost node is told from the others", async () => {
      await using clients = new Clients(cluster);
      const client = await clients.client();
      const keys = await keysOf(cluster);
      const incr = (key: string) => ({ name: "EVAL", args: ["return redis.call('INCR', KEYS[1])", 1, key] });
      assertEquals(await client.pipeline(keys.map(incr)), [1, 1, 1]);
      // It runs on a node whose connection is then lost before it can answer.
      const bad = await cluster.ownerOf(keys[1]!);
      const slow = `for i = 1, 2e7 do end return redis.call('INCR', KEYS[1])`;
      const commands = [incr(keys[0]!), { name: "EVAL", args: [slow, 1, keys[1]!] }, incr(keys[2]!)];
      const { generation } = client;
      const replies = client.pipeline(commands);
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.reset(new Error("it takes too long"));
      const [first, second, third] = await replies;
      assertEquals([first, third], [2, 2]);
      assertInstanceOf(second, UnavailableError);
      await until(() => client.pipeline([incr(keys[1]!)]).then(() => true, () => false), "the node is reached again");
      assertEquals(await bad.cli("GET", keys[1]!), "3");
      assert(client.generation > generation);
    });

    await t.step("a node that hangs is left alone for a while, so that the others are not held up", async () => {
      await using clients = new Clients(cluster);
      const client = await clients.client();
      const keys = await keysOf(cluster);
      const get = (key: string) => ({ name: "EVAL", args: ["return redis.call('EXISTS', KEYS[1])", 1, key] });
      assertEquals((await client.pipeline(keys.map(get))).length, 3);
      const bad = await cluster.ownerOf(keys[2]!);
      await bad.pause();
      const hung = client.pipeline(keys.map(get));
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.reset(new Error("it hangs"));
      const replies = [await hung, await client.pipeline(keys.map(get))];
      await bad.resume();
      for (const [one, two, three] of replies) {
        assertEquals([one, two], [1, 1]);
        assertInstanceOf(three, UnavailableError);
      }
    });

    await t.step("while one node is gone the others go on, and what it had forgotten does not come back", async () => {
      await using clients = new Clients(cluster);
      const log = new EventLog();
      const [one, two] = [await clients.larder(namespace, {}, log), await clients.larder(namespace)];
      const owners = await Promise.all(tags(namespace).map((tag) => cluster.ownerOf(tag)));
      const bad = owners.find((owner) => owner !== cluster.nodes[0])!;
      await cluster.each("CONFIG", "SET", "cluster-require-full-coverage", "no");
      await fill(one);
      assertEquals(await found(two), 200);
      await bad.cli("SAVE"); // it will come back with this
      assertEquals((await one.cache.invalidateByTag("users")).status, "done"); // which the other does not hear of
      await fill(one, 1000);

      await bad.kill();
      let left = 0;
      await until(async () => (left = await found(one)) < 200, "entries are missing");
      assert(left > 0);
      const side = one.cache.namespace("side"); // so that its replay is not what helps below
      assertEquals((await side.invalidateByTag("users")).status, "queued");

      await bad.restart();
      assert(Number(await bad.cli("DBSIZE")) > 0);
      await cluster.agrees();
      const values = [...(await two.cache.getMany<number>(KEYS)).values()];
      assertEquals([values.length, values.filter((value) => value < 1000)], [left, []]);
      await until(async () => await side.set("sign", 1), "it can be written again");
      await log.have("cache.replayed");
      await fill(one);
      assertEquals(await found(two), 200);
    });
  },
});

/** A key on each node. */
async function keysOf(cluster: RedisCluster): Promise<string[]> {
  const keys: string[] = [];
  for (const node of cluster.nodes) {
    for (let i = 0;; i++) {
      if (await cluster.ownerOf(`key${i}`) !== node) continue;
      keys.push(`key${i}`);
      break;
    }
  }
  return keys;
}
