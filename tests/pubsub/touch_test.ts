import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const open = (url: string, heartbeat = "1s") =>
  connect({ url, namespace: "touch", commandTimeout: "5s", heartbeat, on: () => {} });

/** Reads a channel of numbers, and finds out whether something is missing without a gap. */
async function judge(
  messages: AsyncIterable<{ value?: number | undefined; gap?: true | undefined }>,
): Promise<{ received: number; gaps: number; silent: number; last: number }> {
  let [received, gaps, silent, last, gap] = [0, 0, 0, 0, false];
  for await (const item of messages) {
    if (item.gap) {
      gaps++;
      gap = true;
      continue;
    }
    received++;
    if (item.value !== last + 1 && !gap) silent++;
    last = item.value!;
    gap = false;
  }
  return { received, gaps, silent, last };
}

Deno.test({
  name: "what is missed is told by a gap: a restart, a connection that is cut, and one that falls silent",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using publisher = await open(server.url);
    await using behind = await open(proxy.url, "100ms");
    await using beside = await open(server.url);
    await Promise.all([publisher, behind, beside].map((redis) => redis.ready({ timeout: "20s" })));
    const stop = new AbortController();
    const subscriptions = [behind, beside].map((redis) =>
      redis.pubsub.channel<number>("ticks").subscribe({ signal: stop.signal, buffer: 100_000 })
    );
    await Promise.all(subscriptions.map(({ ready }) => ready));
    const judged = subscriptions.map((subscription) => judge(subscription));
    const ticks = publisher.pubsub.channel<number>("ticks");
    let next = 1;
    let going = true;
    const publishing = (async () => {
      while (going) {
        await ticks.publish(next++).catch(() => {}); // it may have gone out
        if (next % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const gaps = (redis: typeof behind) => redis.pubsub.stats().gaps;
    await until(() => next > 2000, "some were published");
    assertEquals([gaps(behind), gaps(beside)], [0, 0], "no gap without a loss of touch");
    proxy.cut();
    await until(() => gaps(behind) === 1, "a cut is told");
    assertEquals(gaps(beside), 0);
    proxy.freeze();
    await until(() => proxy.accepted > 4, "the silence is noticed");
    proxy.thaw();
    proxy.cut();
    await until(() => gaps(behind) >= 2, "a silence is told");
    assertEquals(gaps(beside), 0);
    await server.restart();
    await until(() => gaps(beside) === 1, "a restart is told");
    const received = behind.pubsub.stats().received;
    await until(() => behind.pubsub.stats().received > received + 1000, "it goes on");
    going = false;
    await publishing;
    const sent = next - 1;
    // The last of all, to know that everything has arrived.
    await ticks.publish(next++);
    await until(() => subscriptions.length > 0 && beside.pubsub.stats().waiting === 0, "all is read");
    await new Promise((resolve) => setTimeout(resolve, 200));
    stop.abort();
    for (const result of await Promise.all(judged)) {
      assertEquals(result.silent, 0, JSON.stringify(result));
      assert(result.received > 1000 && result.last >= sent - 1, `${JSON.stringify(result)} of ${sent}`);
    }
  },
});

Deno.test("all subscriptions of a process share one connection, and it ends with the last", async () => {
  await using server = await RedisServer.start();
  await using redis = await open(server.url);
  await redis.ready({ timeout: "20s" });
  const count = async () => (String(await server.cli("CLIENT", "LIST", "TYPE", "pubsub")).match(/id=/g) ?? []).length;
  const all = Array.from({ length: 50 }, (_, i) => redis.pubsub.channel(`c${i % 10}`).subscribe());
  await Promise.all(all.map(({ ready }) => ready));
  assertEquals(await count(), 1);
  for (const subscription of all) await subscription.return();
  await until(async () => await count() === 0, "it has ended");
});

Deno.test("namespaces and databases have channels of their own, and what others publish there is refused", async () => {
  await using server = await RedisServer.start();
  const options = { url: server.url, commandTimeout: "5s", on: () => {} };
  await using shop = await connect({ ...options, namespace: "shop" });
  await using other = await connect({ ...options, namespace: "other" });
  await using second = await connect({ ...options, namespace: "shop", db: 1 });
  await using messages = shop.pubsub.channel<number>("x").subscribe();
  await messages.ready;
  assertEquals(await other.pubsub.channel("x").publish(1), 0);
  assertEquals(await second.pubsub.channel("x").publish(2), 0);
  for (const text of ["", "plain", "{}", "\0".repeat(40)]) await server.cli("PUBLISH", "shop:ch:x", text);
  await shop.pubsub.channel("x").publish(3);
  for (let i = 0; i < 4; i++) assert((await messages.next()).value?.issues, "it is refused");
  assertEquals((await messages.next()).value, { value: 3 });
});
