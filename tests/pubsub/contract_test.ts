import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ChannelFullError, ConfigError, connect } from "../../mod.ts";
import { z } from "zod";
import { until } from "../support/until.ts";
import { contract, take } from "./worlds.ts";

contract("Channel.publish() reaches all who are subscribed, once and in order", async ({ a, b }) => {
  const values = [1, "two", { at: new Date(0), tags: new Set(["x"]) }, new Uint8Array([1, 2]), null, undefined, 7n];
  const subscriptions = [a, b, b].map(({ pubsub }) => pubsub.channel<unknown>("all").subscribe());
  const other = a.pubsub.channel("other").subscribe();
  await Promise.all([...subscriptions, other].map(({ ready }) => ready));
  for (const value of values) assert(await b.pubsub.channel("all").publish(value) >= 1);
  for (const subscription of subscriptions) {
    assertEquals(await take(subscription, values.length), values.map((value) => ({ value })));
  }
  await b.pubsub.channel("other").publish("only");
  assertEquals(await take(other, 1), [{ value: "only" }]);
  for (const subscription of [...subscriptions, other]) await subscription.return();
  assertEquals(await b.pubsub.channel("nobody").publish(1), 0);
  assertEquals([a.pubsub.stats().subscriptions, b.pubsub.stats().waiting], [0, 0]);
});

contract("a loop over a channel ends by break, by its signal, and with what it came from", async ({ a, b }) => {
  const channel = a.pubsub.channel<number>("ends");
  const messages = channel.subscribe();
  await messages.ready;
  await b.pubsub.channel("ends").publish(1);
  for await (const { value } of messages) {
    assertEquals(value, 1);
    break;
  }
  assertEquals(await messages.next(), { done: true, value: undefined });
  const controller = new AbortController();
  const aborted = channel.subscribe({ signal: controller.signal });
  const looped = (async () => {
    for await (const _ of aborted);
    return "over";
  })();
  await aborted.ready;
  controller.abort();
  assertEquals(await looped, "over");
  const never = channel.subscribe({ signal: AbortSignal.abort() });
  assertEquals((await never.next()).done, true);
  const last = channel.subscribe();
  const waits = last.next();
  await last.ready;
  assertEquals(a.pubsub.stats().subscriptions, 1);
  await a.pubsub[Symbol.asyncDispose]();
  assertEquals((await waits).done, true);
  await assertRejects(() => channel.publish(1), Error, "closed");
  await assertRejects(() => channel.subscribe().next(), Error, "closed");
});

contract("a slow loop is told where messages were dropped, and no more wait than its buffer takes", async (world) => {
  const { a, b, log } = world;
  const channel = a.pubsub.channel<number>("slow");
  const oldest = channel.subscribe({ buffer: 3 });
  const newest = channel.subscribe({ buffer: 3, onFull: "drop-newest" });
  const strict = channel.subscribe({ buffer: 3, onFull: "error" });
  await Promise.all([oldest, newest, strict].map(({ ready }) => ready));
  for (let i = 1; i <= 8; i++) await b.pubsub.channel<number>("slow").publish(i);
  await until(() => a.pubsub.stats().received >= 20, "all have arrived"); // the strict one takes no more than four
  assertLessOrEqual(a.pubsub.stats().waiting, 9);
  assertEquals(await take(oldest, 4), [{ gap: true, dropped: 5 }, { value: 6 }, { value: 7 }, { value: 8 }]);
  assertEquals(await take(newest, 4), [{ value: 1 }, { value: 2 }, { value: 3 }, { gap: true, dropped: 5 }]);
  assertEquals(await take(strict, 3), [{ value: 1 }, { value: 2 }, { value: 3 }]);
  const error = await assertRejects(() => strict.next(), ChannelFullError);
  assertEquals([error.channel, error.buffer], ["slow", 3]);
  assertEquals((await strict.next()).done, true);
  await b.pubsub.channel<number>("slow").publish(9);
  assertEquals(await take(oldest, 1), [{ value: 9 }]);
  assertEquals(await take(newest, 1), [{ value: 9 }]);
  assert(log.of("channel.gap").some(({ channel, reason }) => channel === "slow" && reason === "full"));
  await Promise.all([oldest.return(), newest.return()]);
  assertEquals(a.pubsub.stats().dropped, 10);
});

contract("a message that the schema refuses is an item that says so, and the loop goes on", async ({ a, b, log }) => {
  const schema = z.object({ id: z.number() });
  const messages = a.pubsub.channel("checked", { schema }).subscribe();
  await messages.ready;
  const loose = b.pubsub.channel<unknown>("checked");
  await loose.publish({ id: "seven" });
  await loose.publish({ id: 7 });
  const [refused, fine] = await take(messages, 2);
  assertStringIncludes(refused!.issues!.join(), "id:");
  assertEquals(fine, { value: { id: 7 } });
  assertEquals(log.of("channel.refused").length, 1);
  assertEquals(a.pubsub.stats().refused, 1);
  await messages.return();
});

Deno.test("channels refuse what cannot be meant, before anything is sent", async () => {
  await using redis = await connect({ url: "memory:" });
  const { pubsub } = redis;
  const channel = pubsub.channel<unknown>("x");
  const bad: (() => unknown)[] = [
    () => pubsub.channel(""),
    () => pubsub.channel(7 as never),
    () => pubsub.channel("a\nb"),
    () => pubsub.channel("x".repeat(513)),
    () => pubsub.channel("x", { schema: {} as never }),
    () => pubsub.channel("x", { shema: 1 } as never),
    () => pubsub.channel("x", { sharded: "yes" as never }),
    () => pubsub.pattern(""),
    () => pubsub.pattern(/x/ as never),
    () => pubsub.pattern("x".repeat(513)),
    () => pubsub.pattern("x*", { schema: {} as never }),
    () => pubsub.pattern("x*", { sharded: true } as never),
    () => pubsub.pattern("x*").subscribe({ buffer: -1 }),
    () => channel.subscribe({ buffer: 0 }),
    () => channel.subscribe({ buffer: 1.5 }),
    () => channel.subscribe({ buffer: "9" as never }),
    () => channel.subscribe({ buffer: 1e7 }),
    () => channel.subscribe({ onFull: "drop" as never }),
    () => channel.subscribe({ signal: {} as never }),
    () => channel.subscribe(null as never),
  ];
  for (const call of bad) {
    const error = assertThrows(call, Error);
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assertStringIncludes(error.message, "wanted");
  }
  const worse = [
    () => channel.publish(() => {}),
    () => channel.publish("x".repeat(1_048_577)),
    () => channel.publish(1, { sign: 1 } as never),
  ];
  for (const call of worse) assertStringIncludes((await assertRejects(call, Error)).message, "wanted");
  assertEquals(pubsub.stats().published, 0);
  const wrong = [
    { buffer: 0 },
    { buffer: 1e7 },
    { onFull: "drop" },
    { maxBytes: 0 },
    { maxBytes: 1e9 },
    { bufer: 1 },
    { serializer: {} },
    7,
  ];
  for (const options of wrong) {
    const error = await assertRejects(() => connect({ url: "memory:", pubsub: options as never }), ConfigError);
    assertStringIncludes(error.message, "pubsub");
  }
});

Deno.test("what connect({ pubsub }) says holds for all channels, and a loop may say otherwise", async () => {
  const pubsub = { buffer: 2, onFull: "drop-newest", maxBytes: 40 } as const;
  await using redis = await connect({ url: "memory:", pubsub });
  const channel = redis.pubsub.channel<string>("small");
  await using few = channel.subscribe();
  await using more = channel.subscribe({ buffer: 3, onFull: "drop-oldest" });
  await Promise.all([few.ready, more.ready]);
  for (const text of ["a", "b", "c", "d"]) await channel.publish(text);
  await until(() => redis.pubsub.stats().received === 8, "all have arrived");
  assertEquals(await take(few, 3), [{ value: "a" }, { value: "b" }, { gap: true, dropped: 2 }]);
  assertEquals(await take(more, 4), [{ gap: true, dropped: 1 }, { value: "b" }, { value: "c" }, { value: "d" }]);
  assertStringIncludes((await assertRejects(() => channel.publish("x".repeat(50)), RangeError)).message, "40 bytes");
});
