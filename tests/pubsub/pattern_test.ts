import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { connect, escapeGlob, UnavailableError } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { z } from "zod";
import { contract, take } from "./worlds.ts";

contract("PubSub.pattern() gives the messages of all channels that fit, each once and with its name", async (world) => {
  const { a, b } = world;
  const all = a.pubsub.pattern<number>("orders:*").subscribe();
  const some = a.pubsub.pattern<number>("orders:[ab]?").subscribe();
  const everything = b.pubsub.pattern("*").subscribe();
  const exact = a.pubsub.channel<number>("orders:b1").subscribe();
  await Promise.all([all, some, everything, exact].map(({ ready }) => ready));
  const names = ["orders:a1", "orders:b1", "orders:c1", "orders", "ordersx:1", "orders:b1"];
  for (const [i, name] of names.entries()) await b.pubsub.channel<number>(name).publish(i);
  assertEquals(await take(all, 4), [0, 1, 2, 5].map((value) => ({ channel: names[value]!, value })));
  assertEquals(await take(some, 3), [0, 1, 5].map((value) => ({ channel: names[value]!, value })));
  assertEquals(await take(everything, 6), names.map((channel, value) => ({ channel, value })));
  assertEquals(await take(exact, 2), [{ value: 1 }, { value: 5 }]);
  assert(await b.pubsub.channel("orders:z").publish(7) >= 1);
  for (const subscription of [all, some, everything, exact]) await subscription.return();
  assertEquals([a.pubsub.stats().subscriptions, b.pubsub.stats().waiting], [0, 0]);
});

contract("PubSub.pattern() made of an id by escapeGlob() hears that one, whatever the id is", async ({ a, b }) => {
  for (const id of ["*", "a?", "[a-z]", "back\\slash", "{x}", "é🎉", "]", "a*b"]) {
    const mine = a.pubsub.pattern<string>(`chat:${escapeGlob(id)}:*`).subscribe();
    await mine.ready;
    for (const other of ["a", "ab", "anything", "\\", "x"]) await b.pubsub.channel(`chat:${other}:1`).publish("no");
    await b.pubsub.channel(`chat:${id}:1`).publish("yes");
    assertEquals(await take(mine, 1), [{ channel: `chat:${id}:1`, value: "yes" }], id);
    await mine.return();
  }
});

contract("a message of a pattern that cannot be read says on which channel it was", async ({ a, b, log }) => {
  const checked = a.pubsub.pattern("checked:*", { schema: z.number() }).subscribe();
  await checked.ready;
  await b.pubsub.channel<unknown>("checked:1").publish("text");
  await b.pubsub.channel<unknown>("checked:2").publish(2);
  const [refused, fine] = await take(checked, 2);
  assertEquals([refused!.channel, refused!.value], ["checked:1", undefined]);
  assertEquals(fine, { channel: "checked:2", value: 2 });
  assertEquals(log.of("channel.refused").map(({ channel }) => channel), ["checked:1"]);
  await checked.return();
});

contract("a sharded channel reaches all who are subscribed to it, and nobody else", async ({ a, b }) => {
  const names = Array.from({ length: 12 }, (_, i) => `room:${i}`);
  const sharded = names.map((name) => a.pubsub.channel<number>(name, { sharded: true }).subscribe());
  const second = b.pubsub.channel<number>("room:3", { sharded: true }).subscribe();
  const plain = a.pubsub.channel<number>("room:3").subscribe();
  const pattern = a.pubsub.pattern("room:*").subscribe();
  await Promise.all([...sharded, second, plain, pattern].map(({ ready }) => ready));
  for (const [i, name] of names.entries()) {
    assert(await b.pubsub.channel<number>(name, { sharded: true }).publish(i) >= 1);
  }
  for (const [i, subscription] of sharded.entries()) assertEquals(await take(subscription, 1), [{ value: i }]);
  assertEquals(await take(second, 1), [{ value: 3 }]);
  await b.pubsub.channel("room:3").publish(33);
  assertEquals(await take(plain, 1), [{ value: 33 }]);
  assertEquals(await take(pattern, 1), [{ channel: "room:3", value: 33 }]);
  // Leaving some leaves the others alone.
  for (const subscription of sharded.slice(0, 11)) await subscription.return();
  await b.pubsub.channel<number>("room:11", { sharded: true }).publish(11);
  assertEquals(await take(sharded[11]!, 1), [{ value: 11 }]);
  await Promise.all([sharded[11]!, second, plain, pattern].map((subscription) => subscription.return()));
  assertEquals(a.pubsub.stats().gaps, 0);
});

Deno.test("PubSub.pattern() stays within its namespace and its database", async () => {
  await using server = await RedisServer.start();
  const options = { url: server.url, commandTimeout: "5s", on: () => {} };
  await using shop = await connect({ ...options, namespace: "shop" });
  await using others = await connect({ ...options, namespace: "shop2" });
  await using second = await connect({ ...options, namespace: "shop", db: 1 });
  await using dotted = await connect({ ...options, namespace: "shop.v2" });
  const patterns = ["*", "**", "?*", "[^x]*", "\\*", "x*"];
  const subscriptions = patterns.map((pattern) => shop.pubsub.pattern(pattern).subscribe());
  await Promise.all(subscriptions.map(({ ready }) => ready));
  // Another's proofs of life, copies and locks are none of its business either.
  await using _listening = others.pubsub.channel("x").subscribe();
  for (const redis of [others, second, dotted]) assertEquals(await redis.pubsub.channel("x").publish(1), 0);
  await shop.locks.withLock("x", { ttl: "5s" }, () => {});
  await shop.pubsub.channel("x").publish("mine");
  for (const i of [0, 1, 2, 5]) {
    const expected = patterns[i] === "[^x]*" ? [] : [{ channel: "x", value: "mine" }];
    if (expected.length > 0) assertEquals(await take(subscriptions[i]!, 1), expected, patterns[i]);
  }
  assertEquals(shop.pubsub.stats().received, 4);
  for (const subscription of subscriptions) await subscription.return();
});

Deno.test({
  name: "a pattern that an ACL does not name is heard by that of all channels; one that it refuses is an error",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    const rules = ["resetchannels", "&shop:*", "~*", "+@all"];
    await server.cli("ACL", "SETUSER", "narrow", "on", ">narrow", ...rules, "&shop:ch:*");
    await server.cli("ACL", "SETUSER", "none", "on", ">none", ...rules);
    const open = (username: string) =>
      connect({ url: server.url, username, password: username, namespace: "shop", commandTimeout: "5s", on: () => {} });
    await using narrow = await open("narrow");
    await using none = await open("none");
    const orders = narrow.pubsub.pattern<number>("orders:*").subscribe();
    await using plain = none.pubsub.channel<number>("orders:1").subscribe();
    await Promise.all([orders.ready, plain.ready]);
    await narrow.pubsub.channel("others:1").publish(1);
    await narrow.pubsub.channel("orders:1").publish(2);
    assertEquals(await take(orders, 1), [{ channel: "orders:1", value: 2 }]);
    await orders.return();
    await until(
      async () => Number(await server.cli("PUBSUB", "NUMPAT")) === 0,
      "nothing is left",
    );
    const refused = none.pubsub.pattern("orders:*").subscribe();
    await refused.ready;
    const error = await assertRejects(() => refused.next(), UnavailableError);
    assertEquals([error.operation, error.reason], ["subscribe", "refused"]);
    assertStringIncludes(String((error.cause as Error).message), "NOPERM");
    // Others on the same connection go on.
    assertEquals(await take(plain, 1), [{ value: 2 }]);
    await narrow.pubsub.channel("orders:1").publish(3);
    assertEquals(await take(plain, 1), [{ value: 3 }]);
    assertEquals(none.pubsub.stats().gaps, 0);
  },
});

Deno.test("a client that cannot has no patterns and no sharded channels, and says so at once", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, on: () => {} });
  const client = {
    name: "of my own",
    connected: true,
    generation: 1,
    pipeline: () => Promise.reject(new Error("not here")),
    reset() {},
    subscribe: () => Promise.reject(new Error("not here")),
    onChange() {},
    close: () => Promise.resolve(),
  };
  await using own = await connect({ client, on: () => {} });
  const wanted = "wanted a client that can subscribe to such, got of my own";
  assertThrows(() => own.pubsub.pattern("x*"), TypeError, wanted);
  assertThrows(() => own.pubsub.channel("x", { sharded: true }), TypeError, wanted);
  own.pubsub.channel("x");
  redis.pubsub.pattern("x*");
});
