import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import type { StreamItem } from "../../mod.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { redisWorld } from "./worlds.ts";

// What public reports say of queues on Redis and of consumers of Redis Streams, each tried here.

Deno.test("a consumer that left much behind is not forgotten before all of it is taken over", async () => {
  // https://github.com/ThreeDotsLabs/watermill-redisstream/issues/24
  await using world = await redisWorld();
  const [a, b] = [await world.open(), await world.open()];
  const jobs = a.stream<number>("jobs");
  for (let i = 0; i < 300; i++) await jobs.add(i, i % 3 === 0 ? { key: "k" } : {});
  const first = jobs.consume("g", { concurrency: 300, batch: 300, lease: "1h" });
  await first.next();
  await until(async () => (await jobs.info()).groups[0]!.waiting === 0, "all are handed out");
  await first.return();
  const seen: number[] = [];
  const worker = b.stream<number>("jobs").consume("g", { concurrency: 2 }, ({ value }) => void seen.push(value));
  await until(() => seen.length === 300, "all are handled");
  await worker.shutdown();
  assertEquals(seen.toSorted((x, y) => x - y), Array.from({ length: 300 }, (_, i) => i));
  assertEquals(seen.filter((value) => value % 3 === 0), Array.from({ length: 100 }, (_, i) => i * 3));
  const consumers = await world.server.cli("XINFO", "CONSUMERS", "{jobs}:x:jobs", "g");
  assertEquals(consumers, []); // and what has nothing any more is gone
});

Deno.test("what is deleted while it is pending holds up nobody, and is told", async () => {
  // https://github.com/redis/redis/issues/5718, https://github.com/redis/redis/issues/10756
  await using world = await redisWorld();
  const streams = await world.open();
  const jobs = streams.stream<number>("jobs");
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await jobs.add(i, { key: "k" }));
  const first = jobs.consume("g");
  const { value: zero } = await first.next();
  await until(async () => (await jobs.pending("g")).length === 4, "all are fetched");
  await first.return();
  assertEquals(await world.server.cli("XDEL", "{jobs}:x:jobs", ids[0]!, ids[2]!), 2);
  const seen: unknown[] = [];
  for await (const item of jobs.consume("g")) {
    seen.push(item.gap ? `${item.missing} missing` : item.value);
    await item.ack();
    if (item.value === 3) break;
  }
  assertEquals(seen, ["2 missing", 1, 3]);
  assertEquals([await zero!.ack(), await jobs.pending("g")], [false, []]);
});

Deno.test("a message that waits for its next attempt for longer than the lease is handled once each time", async () => {
  // https://github.com/celery/kombu/issues/337, https://github.com/celery/celery/issues/5935
  await using world = await redisWorld();
  const seen: number[] = [];
  const workers = [];
  for (let i = 0; i < 3; i++) {
    const jobs = (await world.open()).stream<number>("jobs");
    workers.push(jobs.consume("g", { lease: "200ms", retryDelay: "900ms", concurrency: 2 }, ({ attempt }) => {
      seen.push(attempt);
      if (attempt < 3) throw new Error("later");
    }));
  }
  await (await world.open()).stream<number>("jobs").add(1);
  await until(() => seen.includes(3), "it is done");
  for (const worker of workers) await worker.shutdown();
  assertEquals(seen, [1, 2, 3]);
});

Deno.test({
  name: "a message that kills its process becomes a dead letter, and those that were handled beside it do not",
  ignore: !RedisServer.controllable,
  async fn() {
    // https://github.com/OptimalBits/bull/issues/1822, https://github.com/OptimalBits/bull/issues/2188
    await using world = await redisWorld();
    const streams = await world.open();
    const jobs = streams.stream<number>("jobs");
    for (const value of [1, 2, -1, 3, 4, 5, 6]) await jobs.add(value);
    let deaths = 0;
    const script = import.meta.resolve("./fatal_worker.ts");
    while ((await jobs.info()).dead === 0) {
      await using process = DenoProcess.start(script, world.server.url);
      const died = process.receive().then(() => {}, () => deaths++);
      await Promise.race([died, until(async () => (await jobs.info()).dead > 0, "it is given up")]);
    }
    assertGreater(deaths, 2);
    const [dead, ...others] = await Array.fromAsync(jobs.deadLetters.list());
    assertEquals([dead!.value, dead!.attempts, others], [-1, 4, []]);
    assertStringIncludes(dead!.error, "died");
    const left: StreamItem<number>[] = [];
    const heir = jobs.consume("g", { lease: "200ms" });
    while ((await jobs.pending("g")).length > left.length) left.push((await heir.next()).value!);
    for (const item of left) assertEquals(await item.ack(), true);
    await heir.return();
    assertEquals([await jobs.pending("g"), (await jobs.info()).dead], [[], 1]);
  },
});

Deno.test("handlers at work are told when their consumer is closed, and who did not begin loses no attempt", async () => {
  await using world = await redisWorld();
  const [a, b] = [await world.open(), await world.open()];
  const jobs = a.stream<number>("jobs");
  for (let i = 0; i < 4; i++) await jobs.add(i);
  const begun = Promise.withResolvers<AbortSignal>();
  const end = Promise.withResolvers<void>();
  const worker = jobs.consume("g", { lease: "1h" }, async ({ signal }) => {
    begun.resolve(signal);
    await end.promise;
  });
  const signal = await begun.promise;
  await a[Symbol.asyncDispose]();
  assertEquals(signal.aborted, true);
  const seen: [number, number][] = [];
  for await (const item of b.stream<number>("jobs").consume("g", { lease: "1h" })) {
    seen.push([item.value!, item.attempt]);
    await item.ack();
    if (seen.length === 4) break;
  }
  assertEquals(seen.sort(), [[0, 2], [1, 1], [2, 1], [3, 1]]);
  end.resolve();
  await worker.done;
});
