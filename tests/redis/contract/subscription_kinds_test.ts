import { assertEquals, assertLess } from "@std/assert";
import type { RedisClient, Subscription, SubscriptionKind } from "../../../src/redis/client.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import { SUBSCRIBING } from "../../support/contract_target.ts";

/** Hears what a subscription tells, in order. */
class Ear implements AsyncDisposable {
  readonly told: string[] = [];
  #subscription: Subscription | undefined;

  async open(client: RedisClient, name: string, kind: SubscriptionKind): Promise<this> {
    this.#subscription = await client.subscribe(name, {
      message: (payload, channel) => void this.told.push(`${channel}=${new TextDecoder().decode(payload)}`),
      ready: () => void this.told.push("ready"),
      lost: () => void this.told.push("lost"),
      refused: ({ code }) => void this.told.push(code),
    }, kind);
    return this;
  }

  async has(...told: string[]): Promise<void> {
    await until(() => told.every((one) => this.told.includes(one)), `it was told ${told}, as opposed to ${this.told}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscription?.[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "Each client subscribes to channels, patterns and sharded channels on one connection",
  ignore: !RedisServer.controllable,
  sanitizeOps: false, // ioredis waits for the end of sockets by timers, although they have ended long ago
  async fn(t) {
    await using server = await RedisServer.start();
    for (const kind of SUBSCRIBING.filter(({ cluster }) => !cluster)) {
      await t.step(kind.name, async () => {
        const { client, close } = await kind.open(server.port);
        assertEquals(client.kinds, ["channel", "pattern", "sharded"]);
        const channel = await new Ear().open(client, "a:1", "channel");
        const pattern = await new Ear().open(client, "a:?", "pattern");
        const sharded = await new Ear().open(client, "a:1", "sharded");
        await Promise.all([channel, pattern, sharded].map((ear) => ear.has("ready")));
        const second = await new Ear().open(client, "b", "sharded"); // of another slot
        const refused = await new Ear().open(client, "*", "pattern");
        await Promise.all([second.has("ready"), refused.has("ready")]);
        assertEquals(String(await server.cli("CLIENT", "LIST", "TYPE", "pubsub")).trim().split("\n").length, 1);
        await server.cli("PUBLISH", "a:1", "plain");
        await server.cli("SPUBLISH", "a:1", "sharded");
        await server.cli("SPUBLISH", "b", "other");
        await Promise.all([channel.has("a:1=plain"), pattern.has("a:1=plain"), refused.has("a:1=plain")]);
        await Promise.all([sharded.has("a:1=sharded"), second.has("b=other")]);
        // The last sharded channel goes, and the others are still heard.
        await second[Symbol.asyncDispose]();
        await sharded[Symbol.asyncDispose]();
        await pattern[Symbol.asyncDispose]();
        await server.cli("SPUBLISH", "a:1", "late");
        for (let i = 0; i < 20; i++) await server.cli("PUBLISH", "a:1", `more ${i}`);
        await channel.has("a:1=more 19");
        assertEquals(channel.told, ["ready", "a:1=plain", ...Array.from({ length: 20 }, (_, i) => `a:1=more ${i}`)]);
        assertEquals(sharded.told, ["ready", "a:1=sharded", "lost"]);
        assertEquals(pattern.told, ["ready", "a:1=plain", "lost"]);
        await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
        await until(() => channel.told.filter((one) => one === "ready").length === 2, "it is back");
        await Promise.all([channel, refused].map((ear) => ear[Symbol.asyncDispose]()));
        await client.close();
        await close();
      });
    }
  },
});

Deno.test({
  name: "A sharded channel is heard from the node of its slot alone, and followed when that moves",
  ignore: !RedisCluster.possible,
  sanitizeOps: false,
  async fn(t) {
    await using cluster = await RedisCluster.start();
    for (const kind of SUBSCRIBING.filter(({ cluster }) => cluster)) {
      await t.step(kind.name, async () => {
        const { client, close } = await kind.open(cluster.nodes[1]!.port);
        await until(() => client.connected, "it is connected");
        const name = `moves:${kind.name}`;
        const ear = await new Ear().open(client, name, "sharded");
        const stays = await new Ear().open(client, `${name} not`, "channel");
        await Promise.all([ear.has("ready"), stays.has("ready")]);
        const from = await cluster.ownerOf(name);
        const to = cluster.nodes.find((node) => node !== from)!;
        const listeners = (node: RedisServer) => node.cli("PUBSUB", "SHARDNUMSUB", name) as Promise<[string, number]>;
        assertEquals([(await listeners(from))[1], (await listeners(to))[1]], [1, 0]);
        assertEquals(await from.cli("SPUBLISH", name, "one"), 1);
        await ear.has(`${name}=one`);
        await cluster.beginMove(name, to);
        await cluster.endMove(name, to);
        const moved = performance.now();
        await until(() => ear.told.filter((one) => one !== "MOVED").length >= 4, "it is back");
        assertLess(performance.now() - moved, 10_000, "not only at the next look that is due anyway, after 15 s");
        assertEquals(ear.told.filter((one) => one !== "MOVED"), ["ready", `${name}=one`, "lost", "ready"]);
        assertEquals((await listeners(to))[1], 1);
        const [reached] = await client.pipeline([{ name: "SPUBLISH", args: [name, "two"] }]);
        assertEquals(reached, 1);
        await ear.has(`${name}=two`);
        await to.cli("PUBLISH", `${name} not`, "plain");
        await stays.has(`${name} not=plain`);
        await Promise.all([ear, stays].map((one) => one[Symbol.asyncDispose]()));
        await until(async () => (await listeners(to))[1] === 0, "nobody listens");
        await client.close();
        await close();
      });
    }
  },
});
