import { assert, assertEquals } from "@std/assert";
import { connect, type Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("Two namespaces with different buckets on one Redis: tokens of one are unknown to the other, none is harmed", async () => {
  await using server = await RedisServer.start();
  const open = (namespace: string, buckets: number): Promise<Larder> =>
    connect({ url: server.url, namespace, buckets, commandTimeout: "10s", on: () => {} });
  await using old = await open("shop", 1);
  await using next = await open("shop16", 16);
  const { id } = await old.sessions.create("ada", { theme: "dark" });
  assertEquals(await next.sessions.get(id), undefined);
  const moved = await next.sessions.create("ada", { theme: "dark" });
  assertEquals(await old.sessions.get(moved.id), undefined);
  assert(await old.sessions.destroy(id));
  assertEquals((await next.sessions.get(moved.id))?.userId, "ada");
  // Nothing in one namespace is seen, or ends, with the other.
  const entries = Array.from({ length: 40 }, (_, i) => [`key:${i}`, i] as const);
  for (const { cache } of [old, next]) await cache.setMany(entries, { tags: ["t"] });
  assertEquals((await old.cache.invalidateByTag("t")).status, "done");
  assertEquals((await next.cache.getMany(entries.map(([key]) => key))).size, entries.length);
  await old.cache.clear();
  assertEquals((await next.cache.getMany(entries.map(([key]) => key))).size, entries.length);
  assertEquals((await old.health()).status, "ok");
  assertEquals((await next.health()).warnings, []);
});
