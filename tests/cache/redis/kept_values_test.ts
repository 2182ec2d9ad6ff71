import { assertEquals } from "@std/assert";
import { connect } from "../../../mod.ts";
import { collectGarbage } from "../../../bench/collect_garbage.ts";
import { sized } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

/** How many values are kept, each from a reply of its own. */
const KEPT = 100;
const LATER = sized(1_000, 10_000);
const MIB = 2 ** 20;

function bytesOf(i: number): Uint8Array {
  return new Uint8Array(100).fill(i & 255);
}

Deno.test("Values that are kept stay as they are through many later reads, and keep no more than themselves", async () => {
  await using server = await RedisServer.start();
  const options = { url: server.url, namespace: "kept", commandTimeout: "10s", cache: { ttl: 600 } } as const;
  await using redis = await connect(options);
  const { cache, sessions } = redis;
  const names = Array.from({ length: KEPT }, (_, i) => `small:${i}`);
  for (const [i, name] of names.entries()) {
    await cache.set(name, { i, bytes: bytesOf(i), text: `text ${i} é` }, { tags: [`tag:${i}`] });
    await cache.set(`${name}:bytes`, bytesOf(i));
  }
  const many = Array.from({ length: 100 }, (_, i) => `long:${i}`);
  await cache.setMany(many.map((name, i) => [name, { i, text: "x".repeat(4000) }] as const));
  const { id } = await sessions.create("user:1", { theme: "dark", bytes: bytesOf(7) });

  /** Fills what replies come in, so that the next one comes in another buffer. */
  const readOthers = async (times: number) => {
    for (let i = 0; i < times; i += many.length) await cache.getMany(many);
  };
  await readOthers(LATER);
  collectGarbage();
  const before = Deno.memoryUsage();
  const kept: unknown[] = [];
  for (const [i, name] of names.entries()) {
    kept.push([await cache.get(name), await cache.get(`${name}:bytes`), (await cache.lookup(name)).tags]);
    if (i % 2 === 0) kept.push((await redis.client.sendCommand("ECHO", [`echo ${i}`])) as string);
    else kept.push((await sessions.get(id))!.data);
    await readOthers(many.length); // 400 KB: a few buffers
  }
  await readOthers(LATER);
  // If each kept the buffer of its reply, they would be 12 MiB and more. Not all that is free is collected at once.
  await until(() => {
    collectGarbage();
    return Deno.memoryUsage().external - before.external < 4 * MIB;
  }, "what is not kept is given back");
  for (let i = 0; i < KEPT; i++) {
    const [value, bytes, tags] = kept[2 * i] as unknown[];
    assertEquals(value, { i, bytes: bytesOf(i), text: `text ${i} é` });
    assertEquals([bytes, tags], [bytesOf(i), [`tag:${i}`]]);
    const other = kept[2 * i + 1];
    if (i % 2 === 0) assertEquals(other, `echo ${i}`);
    else assertEquals(other, { bytes: bytesOf(7), theme: "dark" });
  }
});
