import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { bytesOf, Publisher } from "../support/publisher.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

Deno.test("Who may publish, and knows all channels, gives nobody a lock that another holds", async () => {
  await using server = await RedisServer.start();
  const open = () => connect({ url: server.url, namespace: "ns", commandTimeout: "10s", on: () => {} });
  await using one = await open();
  await using two = await open();
  using publisher = await Publisher.start(server);
  const held = await one.locks.acquire("report", { ttl: "60s" });
  let granted = false;
  const waiting = two.locks.acquire("report", { ttl: "60s", wait: "30s" }).finally(() => granted = true);
  await until(async () => await server.cli("EXISTS", "{ns}:lockq:l:report") === 1, "it stands in line");
  const channels = await server.cli("PUBSUB", "CHANNELS", "ns:locks:*") as string[];
  assert(channels.length > 0, "its channel is seen");
  for (let round = 0; round < 3; round++) {
    const now = Date.now();
    for (const channel of channels) {
      const instance = channel.slice("ns:locks:".length);
      const messages: Uint8Array[] = [];
      for (let number = 0; number < 100; number++) {
        const owner = `${instance}|${number}|60000`;
        for (const grant of [` ${now * 1000 + 5000} ${now}`, ` ${Number.MAX_SAFE_INTEGER} ${now + 1}`]) {
          messages.push(bytesOf(owner + grant));
        }
      }
      await publisher.publish(channel, ...messages, new Uint8Array(0), bytesOf("\0"), new Uint8Array(100_000));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals([granted, held.held], [false, true]);
  }
  await held.release();
  const next = await waiting;
  assert(next.held && next.token > held.token, "it is given when it is free");
  assert(next.token < Date.now() * 1000 + 1e9, "no number was believed");
  await next.release();
});
