import { assertEquals } from "@std/assert";
import { Batch } from "../../src/redis/batch.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { MemoryStreamStore } from "../../src/streams/memory_store.ts";
import { RedisStreamStore } from "../../src/streams/redis/store.ts";
import type { StreamStore, TakeRequest } from "../../src/streams/store.ts";
import { RedisServer } from "../support/redis_server.ts";

const LEASE = 1000;

/** One is stopped for longer than its lease, another takes over, is done, and leaves; then the first goes on. */
async function judge(store: StreamStore, advance: (milliseconds: number) => void): Promise<void> {
  const group = { stream: "jobs", group: "workers" };
  const [stopped, other] = [{ ...group, place: "p", owner: "stopped" }, { ...group, place: "p", owner: "other" }];
  const take = (at: typeof stopped, more: Partial<TakeRequest> = {}) =>
    store.take({
      ...at,
      ...{ lease: LEASE, wanted: 1, after: "0-0", from: "0", most: 100, inHand: [], counted: false, holds: false },
      ...more,
    });
  const once = { maxLength: undefined, once: undefined, key: "k" };
  const { id } = await store.add({ stream: "jobs", payload: new Uint8Array([1]), ...once });
  await store.add({ stream: "jobs", payload: new Uint8Array([2]), ...once });
  const first = await take(stopped);
  assertEquals([first.held, first.entries.map((entry) => entry.id)], [true, [id]]);
  advance(LEASE + 1);
  assertEquals((await store.beat({ ...group, owner: "other", lease: LEASE, places: [] })).adopted, "p");
  const taken = await take(other, { from: undefined });
  assertEquals(taken.entries.map(({ attempt }) => attempt), [2]);
  assertEquals(await store.ack(other, [{ id, key: "k" }]), [true]);
  assertEquals(await store.leave(other, [], true), true);
  // What it has in hand is done with: it must not go on as if the place had been its own all the time.
  assertEquals((await take(stopped, { after: first.after, holds: true })).held, false);
  // Who has nothing in hand begins anew.
  const anew = await take(stopped, { after: first.after });
  assertEquals([anew.held, anew.entries.length], [true, 1]);
}

Deno.test("A place that another has had meanwhile is not taken for one's own, embedded", async () => {
  let now = 1_000_000;
  await using store = new MemoryStreamStore({ now: () => now });
  await judge(store, (milliseconds) => now += milliseconds);
});

Deno.test("A place that another has had meanwhile is not taken for one's own, on Redis", async () => {
  await using server = await RedisServer.start();
  const client = new WireClient({ hostname: "127.0.0.1", port: server.port });
  const batch = new Batch(client, { commandTimeout: 10_000 });
  await client.start();
  let now = 1_000_000;
  const store = new RedisStreamStore(batch, { namespace: "n", now: () => now * 1000 });
  await judge(store, (milliseconds) => now += milliseconds);
  await store[Symbol.asyncDispose]();
  await batch.close();
});
