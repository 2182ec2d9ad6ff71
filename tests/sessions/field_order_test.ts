import { assertEquals } from "@std/assert";
import { connect, type Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What a session holds after each of several changes, as text, so that the order counts. */
async function history(redis: Larder): Promise<string[]> {
  const { sessions } = redis;
  const text = (session: { data: object } | undefined) => JSON.stringify(session!.data);
  const created = await sessions.create("ada", { z: 1, when: new Date(0), a: "x".repeat(80), "10": 1, "9": 2 });
  const { id } = created;
  const seen = [text(created), text(await sessions.get(id))];
  seen.push(text(await sessions.update(id, { m: new Map(), z: 2, b: 3 })), text(await sessions.get(id)));
  seen.push(text(await sessions.update(id, { a: undefined, y: 1 })), text(await sessions.get(id)));
  const renewed = await sessions.regenerate(id, { data: { q: 1, a: 1 } });
  seen.push(text(renewed), text(await sessions.get(renewed!.id)));
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field-${(i * 7) % 300}`, i]));
  seen.push(text(await sessions.update(renewed!.id, many)), text(await sessions.get(renewed!.id)));
  return seen;
}

Deno.test("The data of a session have the same order on each store, read or changed", async () => {
  await using server = await RedisServer.start();
  await using memory = await connect({ url: "memory:" });
  await using redis = await connect({ url: server.url });
  const [inMemory, onRedis] = [await history(memory), await history(redis)];
  assertEquals(onRedis, inMemory);
  assertEquals(Object.keys(JSON.parse(inMemory[2]!)), ["9", "10", "a", "b", "m", "when", "z"]);
});
