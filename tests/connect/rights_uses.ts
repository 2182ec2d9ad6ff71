import { assert, assertEquals } from "@std/assert";
import type { Larder } from "../../mod.ts";
import { ALGORITHM_NAMES } from "../../src/rate_limit/algorithms/registry.ts";

/** Uses a part of a service. It throws where something is not as it should be. */
export type Use = (larder: Larder) => Promise<void>;

/** A wait for replicas that there are none of: it fails where the server refuses what it needs, and is told of that. */
const DURABLE = { durability: { replicas: 1, timeout: "1ms" } };

/** How long a message is waited for that comes at once where it comes at all, in milliseconds. */
const PATIENCE = 10_000;

/** The next of what comes; throws where nothing does. */
async function soon<Value>(next: Promise<Value>, what: string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(`no ${what}`)), PATIENCE));
  return await Promise.race([next, late]).finally(() => clearTimeout(timer));
}

/** All that the services do, in parts that fail on their own. */
export const USES: Readonly<Record<string, Use>> = {
  "cache: entries": async ({ cache }) => {
    assert(await cache.set("a", 1, { ttl: "1m", tags: ["t"] }));
    assert(await cache.set("b", 2, { ttl: 0 }));
    assertEquals(await cache.getOrSet("e", () => 5, { ttl: "1s", staleWhileRevalidate: "1h" }), 5);
    assertEquals([...(await cache.getMany(["a", "b", "e", "nothing"])).values()], [1, 2, 5]);
    assert(await cache.has("a"));
    assert((await cache.ttl("a"))! > 0);
    assert(await cache.touch("a", "2m") && await cache.touch("b", "1m") && await cache.touch("a", 0));
    assert(await cache.delete("b"));
  },
  "cache: large values": async ({ cache }) => {
    const value = Array.from({ length: 4000 }, () => crypto.randomUUID()).join(" ");
    assert(await cache.set("large", value));
    assertEquals((await cache.get<string>("large"))?.length, value.length);
  },
  "cache: invalidations": async ({ cache }) => {
    await cache.setMany([["k", 1], ["l", 1], ["m", 1]], { tags: ["i"] });
    const done = [await cache.invalidate("k"), await cache.invalidateByTag("i"), await cache.clear()];
    assertEquals(done.map(({ status }) => status), ["done", "done", "done"]);
    assertEquals((await cache.getMany(["k", "l", "m"])).size, 0);
  },
  "cache: patterns, inspect()": async ({ cache }) => {
    assert(await cache.set("p:1", 1));
    assertEquals((await Array.fromAsync(cache.inspect("p:*"))).length, 1);
    assertEquals((await cache.invalidateByPattern("p:*")).status, "done");
  },
  "sessions": async ({ sessions }) => {
    const { id } = await sessions.create("ada", { theme: "dark" }, { tags: ["org:7"], ttl: 0, absoluteTtl: 0 });
    const visitor = await sessions.create(null, {}, { ttl: "1m" });
    assertEquals((await sessions.get(id))?.userId, "ada");
    assert(await sessions.update(id, { theme: undefined, size: 7 }));
    assert(await sessions.update(id, (data) => ({ count: Object.keys(data).length })));
    assert(await sessions.touch(id));
    const next = await sessions.regenerate(id);
    assert(await sessions.regenerate(visitor.id, { userId: "bob" }));
    assertEquals((await sessions.list("ada")).length, 1);
    assertEquals(await sessions.destroy(next!.id), true);
    await sessions.create("ada", {}, { tags: ["org:7"] });
    await sessions.destroyByTag("org:7");
    await sessions.create("ada", {});
    await sessions.destroyAll("ada");
  },
  "limits": async ({ rateLimit }) => {
    for (const algorithm of ALGORITHM_NAMES) {
      const named = rateLimit.define("WALK", { limit: 9, window: "1m", algorithm, onUnavailable: "closed" });
      assertEquals((await named.check("WALK", `x:${algorithm}`)).source, "redis");
      await named.checkAll([["WALK", `y:${algorithm}`], ["API", "z"]]);
      assertEquals((await named.peek("WALK", `x:${algorithm}`)).source, "redis");
      await (await named.reserve("WALK", `x:${algorithm}`)).refund();
      await named.penalize("WALK", `x:${algorithm}`, 3);
      assertEquals(await named.reset("WALK", `x:${algorithm}`), true);
    }
  },
  "locks": async ({ locks }) => {
    const lock = await locks.acquire("job", { ttl: "5s" });
    const [next] = await Promise.all([locks.acquire("job", { wait: "1s" }), lock.release()]);
    assert(next.held);
    await next.release();
    const slots = locks.semaphore("slots", { permits: 2, ttl: "5s" });
    await (await slots.acquire()).release();
    assertEquals((await locks.once("nightly", { every: "1h" }, () => "done")).ran, true);
    const pay = () => locks.idempotent("payment", {}, () => ({ value: 7, keep: new Uint8Array([7]) }));
    assertEquals([(await pay()).state, (await pay()).state], ["ran", "kept"]);
  },
  "channels": async ({ pubsub }) => {
    for (const options of [{}, { sharded: true }]) {
      const channel = pubsub.channel<number>("news", options);
      await using messages = channel.subscribe();
      await soon(messages.ready, "subscription");
      await channel.publish(7);
      assertEquals((await soon(messages.next(), "message")).value, { value: 7 });
    }
  },
  "patterns of channels": async ({ pubsub }) => {
    await using messages = pubsub.pattern<number>("news:*").subscribe();
    await soon(messages.ready, "subscription");
    await pubsub.channel<number>("news:1").publish(8);
    assertEquals((await soon(messages.next(), "message")).value, { channel: "news:1", value: 8 });
  },
  "streams": async ({ streams }) => {
    const jobs = streams.stream<number>("jobs", { maxLength: 1000 });
    await jobs.add(1, { key: "k", id: "first" });
    await jobs.add(2, { key: "k" });
    const loop = jobs.consume("g", { lease: "300ms" });
    const { value: one } = await soon(loop.next(), "message");
    assertEquals(await one!.retry("once more", { delay: 0 }), true);
    const { value: again } = await soon(loop.next(), "message");
    assertEquals([await again!.deadLetter("enough"), (await jobs.pending("g")).length], [true, 1]);
    await loop.return();
    const seen = Promise.withResolvers<number>();
    await using worker = jobs.consume("g", {}, ({ value }) => seen.resolve(value));
    assertEquals(await soon(Promise.race([seen.promise, worker.done]), "message"), 2);
    for await (const { id } of jobs.deadLetters.list()) await jobs.deadLetters.putBack(id);
    await jobs.deadLetters.remove(["1-1"]);
    const follow = jobs.read({ follow: true });
    const iterator = follow[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await soon(iterator.next(), "message");
      assert(!done, "the stream has ended");
      if (value.value === 1) break;
    }
    await iterator.return?.();
    assertEquals((await jobs.info()).groups.length, 1);
    await jobs.trim({ maxLength: 1 });
  },
  "durability": async (larder) => {
    const refused = (replicated: boolean | undefined) => {
      assertEquals(replicated, false); // there is no replica; what the server refuses is seen by health() only
    };
    refused((await larder.sessions.create("eve", {}, DURABLE)).replicated);
    refused((await larder.rateLimit.check("API", "y", DURABLE)).replicated);
    refused(await larder.locks.withLock("safe", DURABLE, ({ replicated }) => replicated));
    // One who may wait on keeps its mark meanwhile.
    const many = { durability: { replicas: 2, timeout: "150ms" } };
    refused((await larder.sessions.create("eve", {}, many)).replicated);
  },
};
