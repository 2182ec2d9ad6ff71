import { assert, assertEquals } from "@std/assert";
import { connect, type Stream } from "../../mod.ts";
import { MemoryStreamStore } from "../../src/streams/memory_store.ts";
import { TcpProxy } from "../support/proxy.ts";
import { EventLog, until } from "../support/until.ts";
import { memoryWorld, redisWorld } from "./worlds.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function deadOf<T>(stream: Stream<T>) {
  return (await Array.fromAsync(stream.deadLetters.list())).map((
    { value, error, attempts },
  ) => [value, error, attempts]);
}

for (const open of [memoryWorld, redisWorld]) {
  Deno.test(`streams bear what is odd: ${open.name}`, async (t) => {
    await using world = await open();

    await t.step("what is thrown may be no error, and have no text: the message becomes a dead letter", async () => {
      const jobs = (await world.open()).stream<number>("errors");
      const odd = [Object.create(null), { toString: () => assert(false) }, Symbol("x"), undefined];
      const worker = jobs.consume("workers", { maxAttempts: 1 }, ({ value }) => {
        throw odd[value];
      });
      for (const i of odd.keys()) await jobs.add(i, { key: "one" });
      await until(async () => (await jobs.info()).dead === odd.length, "all are given up");
      await worker.shutdown();
      assertEquals((await deadOf(jobs)).map(([, error]) => error), ["an object", "an object", "Symbol(x)", "given up"]);
    });

    await t.step("what was trimmed before a group read anything is told", async () => {
      const jobs = (await world.open()).stream<number>("unread");
      const first = jobs.consume("workers", {}, () => {});
      await until(async () => (await jobs.info()).groups.length === 1, "the group is there");
      await first.shutdown();
      for (let i = 0; i < 30; i++) await jobs.add(i);
      await jobs.trim({ maxLength: 1 });
      await using consumer = jobs.consume("workers");
      const { value: gap } = await consumer.next();
      assertEquals([gap?.gap, gap?.gap && gap.missing], [true, 29]);
      assertEquals((await consumer.next()).value?.value, 29);
    });

    await t.step("return() ends a read that waits for more", async () => {
      const follower = (await world.open()).stream<number>("followed").read({ follow: true });
      const next = follower.next();
      await sleep(30);
      await follower.return();
      assertEquals((await next).done, true);
    });

    await t.step("what was taken over is handled while there is always something else", async () => {
      const jobs = (await world.open()).stream<number>("busy");
      await jobs.add(-1);
      const holder = jobs.consume("workers", { concurrency: 1 });
      await holder.next();
      const more = async () => void await Promise.all(Array.from({ length: 200 }, (_, i) => jobs.add(i)));
      await more();
      let [seen, taken] = [0, false];
      const worker = (await world.open()).stream<number>("busy").consume("workers", {}, async ({ value }) => {
        if (value === -1) taken = true;
        if (++seen % 100 === 0 && !taken) void more();
        await sleep(1);
      });
      await until(() => seen >= 150, "it is busy");
      await holder.return();
      const before = seen;
      await until(() => taken, "it is handled");
      assert(seen - before < 2000, `${seen - before} were handled before`);
      await worker.shutdown();
    });
  });
}

Deno.test("streams bear what happens to a server", async (t) => {
  await using world = await redisWorld();
  const { server } = world;

  await t.step("an answer that is lost is no attempt", async () => {
    await using proxy = TcpProxy.start(server);
    const jobs = (await world.open()).stream<number>("slow");
    for (let i = 0; i < 5; i++) await jobs.add(i);
    await using redis = await connect({ url: proxy.url, namespace: "jobs", commandTimeout: "100ms", on: () => {} });
    await redis.ready({ timeout: "20s" });
    proxy.delay = 100;
    const seen: unknown[] = [];
    const worker = redis.streams.stream<number>("slow").consume(
      "workers",
      { concurrency: 5, maxAttempts: 2 },
      (message) => {
        seen.push([message.value, message.attempt]);
      },
    );
    await until(async () => (await jobs.pending("workers")).length === 5, "all are handed out");
    await sleep(2500);
    proxy.delay = 0;
    await until(() => seen.length >= 5, "all are handled");
    assertEquals([seen, await deadOf(jobs)], [[0, 1, 2, 3, 4].map((i) => [i, 1]), []]);
    await worker.shutdown();
  });

  await t.step("a message that cannot be kept as a dead letter is not lost", async () => {
    const log = new EventLog();
    const jobs = (await world.open(log.on)).stream<number>("kept");
    await server.cli("SET", "{jobs}:xd:kept", "of somebody else");
    const worker = jobs.consume("workers", { maxAttempts: 1, retryDelay: "20ms" }, () => {
      throw new Error("no");
    });
    await jobs.add(1);
    await log.have("stream.error");
    assertEquals((await jobs.pending("workers")).length, 1);
    await server.cli("DEL", "{jobs}:xd:kept");
    await until(async () => (await jobs.info()).dead === 1, "it is given up");
    assertEquals((await deadOf(jobs)).map(([value, error]) => [value, error]), [[1, "Error: no"]]);
    await worker.shutdown();
  });

  await t.step("one that somebody acknowledged by hand takes nothing else from its consumer", async () => {
    const log = new EventLog();
    const jobs = (await world.open(log.on)).stream<number>("by hand");
    const [go, aborted] = [Promise.withResolvers<void>(), [] as boolean[]];
    const worker = jobs.consume("workers", { concurrency: 2, retryDelay: "100ms" }, async ({ value, signal }) => {
      if (value === 0) throw new Error("no");
      await go.promise;
      aborted.push(signal.aborted);
    });
    const id = await jobs.add(0);
    await jobs.add(1);
    await log.have("stream.retry");
    assertEquals(await server.cli("XACK", "{jobs}:x:by hand", "workers", id), 1);
    await log.have("stream.lost");
    go.resolve();
    await until(() => aborted.length === 1, "the other is done");
    await worker.shutdown();
    assertEquals([aborted, log.of("stream.lost").map(({ count }) => count)], [[false], [1]]);
    assertEquals(await jobs.pending("workers"), []);
  });

  await t.step("numbers of somebody else do not hide what is missing", async () => {
    const jobs = (await world.open()).stream<number>("numbers");
    await using consumer = jobs.consume("workers");
    await jobs.add(0);
    await (await consumer.next()).value?.ack();
    const odd = ["nan", "inf", "1e308", "0x10", "99999999999999999999", ""];
    for (const n of odd) await server.cli("XADD", "{jobs}:x:numbers", "*", "n", n);
    await jobs.add(1);
    for (const _ of odd) {
      const { value: item } = await consumer.next();
      assertEquals(item?.issues?.length, 1);
      await item?.ack();
    }
    await (await consumer.next()).value?.ack();
    assertEquals(await server.cli("HGET", "{jobs}:xg:7:numbers:workers", ">"), "2");
  });

  await t.step("a group that is lost begins with the first message, also one that began with new ones", async () => {
    const jobs = (await world.open()).stream<number>("anew");
    await jobs.add(0);
    const seen: number[] = [];
    const worker = jobs.consume("workers", { from: "new" }, ({ value }) => void seen.push(value));
    await until(async () => (await jobs.info()).groups.length === 1, "the group is there");
    await server.cli("DEL", "{jobs}:x:anew", "{jobs}:xn:anew", "{jobs}:xw:anew");
    await jobs.add(1);
    await until(() => seen.length > 0, "it is handled");
    assertEquals(seen, [1]);
    await worker.shutdown();
  });
});

Deno.test("MemoryStreamStore forgets names whose time is over, also behind one that is remembered for long", async () => {
  let now = 0;
  await using store = new MemoryStreamStore({ now: () => now });
  const add = async (id: string, time: number) =>
    await store.add({ stream: "s", payload: new Uint8Array(1), key: undefined, maxLength: 1, once: { id, for: time } });
  const { id } = await add("long", 1e9);
  const remove = Map.prototype.delete;
  let removed = 0;
  Map.prototype.delete = function (key) {
    const was = remove.call(this, key);
    if (was && typeof key === "string" && key.startsWith("short:")) removed++;
    return was;
  };
  try {
    for (let i = 0; i < 10_000; i++, now += 10) await add(`short:${i}`, 1000);
  } finally {
    Map.prototype.delete = remove;
  }
  assert(removed > 8000, `${removed} of 10,000 were forgotten`);
  assertEquals(await add("long", 1000), { id, added: false });
});
