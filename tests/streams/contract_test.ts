import { assert, assertEquals, assertGreater, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { connect, type StreamConsumer, type StreamItem } from "../../mod.ts";
import { z } from "zod";
import { EventLog, until } from "../support/until.ts";
import { contract, runContract } from "./worlds.ts";

async function take<T>(consumer: StreamConsumer<T>, count: number): Promise<StreamItem<T>[]> {
  const items: StreamItem<T>[] = [];
  for (let i = 0; i < count; i++) {
    const { done, value } = await consumer.next();
    if (done) break;
    items.push(value);
  }
  return items;
}

contract("Stream.consume() gives each group all messages, in order, with what was added", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  const values = [1, "two", { at: new Date(0), tags: new Set(["x"]) }, new Uint8Array([1, 2]), null, undefined, 7n];
  const ids: string[] = [];
  for (const value of values) ids.push(await a.stream<unknown>("all").add(value));
  for (const group of ["one", "two"]) {
    const consumer = b.stream<unknown>("all").consume(group);
    const items = await take(consumer, values.length);
    assertEquals(items.map(({ value }) => value), values);
    assertEquals(items.map(({ id, attempt, key }) => [id, attempt, key]), ids.map((id) => [id, 1, undefined]));
    assertEquals(await Promise.all(items.map((item) => item.ack())), values.map(() => true));
    assertEquals(await items[0]!.ack(), true); // a second time it does nothing
    await consumer.return();
  }
  const { length, groups } = await a.stream("all").info();
  assertEquals([length, groups.map(({ pending, waiting }) => [pending, waiting])], [7, [[0, 0], [0, 0]]]);
  assertEquals([a.stats().added, b.stats().handled, b.stats().consumers], [7, 14, 0]);
});

contract("each message of a group goes to one consumer, and what comes later arrives at once", async (world) => {
  const [a, b, c] = [await world.open(), await world.open(), await world.open()];
  const seen: number[] = [];
  const workers = [a, b].map((streams) =>
    streams.stream<number>("shared").consume("workers", { concurrency: 5 }, ({ value }) => void seen.push(value))
  );
  for (let i = 0; i < 200; i++) await c.stream<number>("shared").add(i);
  await until(() => seen.length >= 200, "all are handled");
  for (const worker of workers) await worker.shutdown();
  assertEquals(seen.toSorted((x, y) => x - y), Array.from({ length: 200 }, (_, i) => i));
  assertEquals(a.stats().handled + b.stats().handled, 200);
});

contract("messages of a key are handled one after the other, over consumers, retries and departures", async (world) => {
  const all = [await world.open(), await world.open(), await world.open()];
  const jobs = all.map((streams) => streams.stream<{ key: string; n: number }>("keyed"));
  const KEYS = 7;
  const EACH = 30;
  const busy = new Set<string>();
  const last = new Map<string, number>();
  const wrong: string[] = [];
  let [done, failures] = [0, 0];
  const start = (i: number) =>
    jobs[i]!.consume("workers", { concurrency: 8, retryDelay: "5ms", lease: "2s" }, async ({ value: { key, n } }) => {
      if (busy.has(key)) wrong.push(`${key} ${n} beside another`);
      busy.add(key);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      busy.delete(key);
      if (n !== (last.get(key) ?? -1) + 1) wrong.push(`${key} ${n} after ${last.get(key)}`);
      if (Math.random() < 0.1) throw new Error(`attempt ${++failures}`);
      last.set(key, n);
      done++;
    });
  const workers = [start(0), start(1), start(2)];
  for (let n = 0; n < EACH; n++) {
    for (let k = 0; k < KEYS; k++) await jobs[k % 3]!.add({ key: `k${k}`, n }, { key: `k${k}` });
    if (n % 10 === 5) {
      await workers[n % 3]!.shutdown();
      workers[n % 3] = start(n % 3);
    }
  }
  await until(() => done >= KEYS * EACH, "all are handled");
  for (const worker of workers) await worker.shutdown();
  assertEquals(wrong, []);
  assertEquals([done, (await jobs[0]!.pending("workers")).length], [KEYS * EACH, 0]);
});

contract("what a consumer that leaves has not acknowledged goes to others at once", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  const log = new EventLog();
  const c = await world.open(log.on);
  const jobs = a.stream<number>("left");
  for (let i = 0; i < 6; i++) await jobs.add(i, { key: `k${i % 2}` });
  const first = a.stream<number>("left").consume("g", { lease: "1h" });
  const [zero] = await take(first, 1);
  await until(async () => (await b.stream("left").pending("g")).length === 6, "all are fetched");
  assertEquals((await b.stream<number>("left").pending("g")).length, 6); // those of a key wait with the first of it
  await first.return();
  const second = c.stream<number>("left").consume("g", { lease: "1h" });
  const seen: [number, number][] = [];
  for await (const item of second) {
    seen.push([item.value!, item.attempt]);
    await item.ack();
    if (seen.length === 6) break;
  }
  assertEquals(seen.filter(([value]) => value % 2 === 0).map(([value]) => value), [0, 2, 4]);
  assertEquals(seen.filter(([value]) => value % 2 === 1).map(([value]) => value), [1, 3, 5]);
  assertEquals(new Map(seen).get(0), 2); // it was begun with
  assertEquals(new Map(seen).get(2), 1); // it was not
  assertEquals(await zero!.ack(), false);
  assertEquals(log.of("stream.claimed").reduce((sum, { count }) => sum + count, 0), 6);
  assertEquals(c.stats().claimed, 6);
});

contract("a consumer that is slow but alive keeps its messages", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  await a.stream<number>("slow").add(1);
  const slow = a.stream<number>("slow").consume("g", { lease: "300ms" });
  const other = b.stream<number>("slow").consume("g", { lease: "300ms" });
  const both = [slow.next(), other.next()];
  const { item, at } = await Promise.race(
    both.map(async (next, at) => ({ item: (await next).value as StreamItem<number>, at })),
  );
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assertEquals((await a.stream("slow").pending("g")).map(({ attempts }) => attempts), [1]);
  assertEquals(item.signal.aborted, false);
  assertEquals(await item.ack(), true);
  assertEquals([a.stats().claimed, b.stats().claimed, a.stats().lost, b.stats().lost], [0, 0, 0, 0]);
  await Promise.all([slow.return(), other.return()]);
  assertEquals((await both[1 - at]!).done, true);
});

contract("a message is tried again as said, and becomes a dead letter with its error", async (world) => {
  const log = new EventLog();
  const streams = await world.open(log.on);
  const jobs = streams.stream<{ id: number }>("poison");
  const delays: [number, string][] = [];
  const retryDelay = (attempt: number, error: unknown) => {
    delays.push([attempt, (error as Error).message]);
    return "10ms";
  };
  const seen: [number, number][] = [];
  const worker = jobs.consume("g", { maxAttempts: 3, retryDelay }, ({ value: { id }, attempt }) => {
    seen.push([id, attempt]);
    if (id === 1) throw new Error(`no ${attempt}`);
  });
  const id = await jobs.add({ id: 1 }, { key: "a" });
  await jobs.add({ id: 2 }, { key: "a" });
  await jobs.add({ id: 3 });
  await until(() => streams.stats().handled === 2 && streams.stats().dead === 1, "all are done with");
  assertEquals(seen.filter(([id]) => id !== 3), [[1, 1], [1, 2], [1, 3], [2, 1]]);
  assertEquals(delays, [[1, "no 1"], [2, "no 2"]]);
  assertEquals([streams.stats().retried, log.of("stream.retry").length, log.of("stream.dead").length], [2, 2, 1]);
  const [dead, ...others] = await Array.fromAsync(jobs.deadLetters.list());
  assertEquals(others, []);
  const { originalId, group, key, attempts, error, value } = dead!;
  assertEquals({ originalId, group, key, attempts, error, value }, {
    ...{ originalId: id, group: "g", key: "a", attempts: 3, error: "Error: no 3", value: { id: 1 } },
  });
  // Another group has nothing to do with what is put back.
  const again = await jobs.deadLetters.putBack(dead!.id);
  assertGreater(again!, id);
  await until(() => streams.stats().dead === 2, "it has failed again");
  await worker.shutdown();
  const others2 = jobs.consume("h");
  assertEquals((await take(others2, 2)).map(({ value }) => value!.id), [1, 3]);
  await others2.return();
  assertEquals((await jobs.info()).groups.find(({ name }) => name === "h")!.pending, 3);
  const [last] = await Array.fromAsync(jobs.deadLetters.list());
  assertEquals(await jobs.deadLetters.remove([last!.id, "1-1"]), 1);
  assertEquals([(await jobs.info()).dead, await jobs.deadLetters.putBack("1-1")], [0, undefined]);
});

contract("item.retry(), item.deadLetter() and a second word for a message", async (world) => {
  const streams = await world.open();
  const jobs = streams.stream<number>("words");
  await jobs.add(1);
  const consumer = jobs.consume("g", { maxAttempts: 2 });
  const [first] = await take(consumer, 1);
  assertEquals([await first!.retry(new Error("later"), { delay: "1ms" }), await first!.ack()], [true, false]);
  const [second] = await take(consumer, 1);
  assertEquals([second!.value, second!.attempt], [1, 2]);
  assertEquals([await second!.deadLetter("enough"), await second!.deadLetter(), await second!.retry()], [
    true,
    true,
    false,
  ]);
  await assertRejects(() => second!.retry(1, { delay: "x" }), TypeError);
  const [dead] = await Array.fromAsync(jobs.deadLetters.list());
  assertEquals([dead!.error, dead!.attempts], ["enough", 2]);
  await jobs.add(2);
  const [third] = await take(consumer, 1);
  assertEquals(await third!.retry("x", { delay: 0 }), true);
  const [fourth] = await take(consumer, 1);
  assertEquals([await fourth!.retry("the last"), streams.stats().dead], [false, 2]);
  await consumer.return();
});

contract("a message that the schema refuses is an item that says so; a handler does not get it", async (world) => {
  const log = new EventLog();
  const streams = await world.open(log.on);
  const jobs = streams.stream("checked", { schema: z.object({ id: z.number() }) });
  const loose = streams.stream<unknown>("checked");
  await loose.add({ id: "seven" });
  await loose.add({ id: 7 });
  const loop = jobs.consume("loop");
  const [refused, fine] = await take(loop, 2);
  assertStringIncludes(refused!.issues!.join(), "id:");
  assertEquals(fine!.value, { id: 7 });
  assertEquals([await refused!.ack(), await fine!.ack()], [true, true]);
  await loop.return();
  const seen: unknown[] = [];
  const worker = jobs.consume("handler", {}, ({ value }) => void seen.push(value));
  await until(() => streams.stats().handled === 3, "the other one is handled");
  await worker.shutdown();
  assertEquals([seen, log.of("stream.refused").length, streams.stats().refused], [[{ id: 7 }], 2, 2]);
  const [dead] = await Array.fromAsync(jobs.deadLetters.list());
  assertStringIncludes(dead!.error, "id:");
  assertStringIncludes(dead!.issues!.join(), "id:");
});

contract("a group begins where it is told, once", async (world) => {
  const streams = await world.open();
  const jobs = streams.stream<number>("begins");
  const ids = [await jobs.add(0), await jobs.add(1), await jobs.add(2)];
  const after = jobs.consume("after", { from: ids[0]! });
  assertEquals((await take(after, 2)).map(({ value }) => value), [1, 2]);
  await after.return();
  const controller = new AbortController();
  const fresh = jobs.consume("fresh", { from: "new", signal: controller.signal });
  const next = fresh.next();
  await until(async () => (await jobs.info()).groups.some(({ name }) => name === "fresh"), "the group is there");
  await jobs.add(3);
  assertEquals((await next).value!.value, 3);
  assertEquals(await (await next).value!.ack(), true);
  controller.abort();
  assertEquals((await fresh.next()).done, true);
  await jobs.add(4);
  const later = jobs.consume("fresh", { from: "0" });
  assertEquals((await take(later, 1))[0]!.value, 4);
  await later.return();
});

contract("an add with an id adds once; ids of messages grow", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  const id = await a.stream<number>("once").add(1, { id: "order:7" });
  assertEquals(await b.stream<number>("once").add(2, { id: "order:7" }), id);
  await a.stream<number>("once").add(3, { id: "order:8" });
  await a.stream<number>("twice").add(4, { id: "order:7" });
  assertEquals([await a.stream("once").length(), await a.stream("twice").length()], [2, 1]);
  assertEquals([a.stats().added, b.stats().added], [3, 0]);
});

contract("Stream.read() gives ranges, follows, and tells of gaps", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  const jobs = a.stream<number>("read");
  const ids: string[] = [];
  for (let i = 0; i < 250; i++) ids.push(await jobs.add(i, { key: "k" }));
  const read = async (options: Parameters<typeof jobs.read>[0]) =>
    (await Array.fromAsync(b.stream<number>("read").read(options))).map(({ gap, value }) => gap ? "gap" : value);
  assertEquals(await read({}), Array.from({ length: 250 }, (_, i) => i));
  assertEquals(await read({ from: ids[3]!, to: ids[5]! }), [3, 4, 5]);
  assertEquals(await read({ after: ids[3]!, limit: 2 }), [4, 5]);
  assertEquals(await read({ from: new Date(Date.now() + 3_600_000) }), []);
  assertEquals(await jobs.trim({ before: ids[10]! }), 10);
  assertEquals(await read({ after: ids[3]!, limit: 1 }), ["gap", 10]);
  assertEquals(await read({ after: ids[12]!, limit: 1 }), [13]);
  assertEquals(await read({ limit: 1 }), [10]);
  const controller = new AbortController();
  const live = b.stream<number>("read").read({ after: ids.at(-1)!, follow: true, signal: controller.signal });
  const next = live.next();
  await jobs.add(250);
  assertEquals((await next).value!.value, 250);
  const last = live.next();
  controller.abort();
  assertEquals((await last).done, true);
  for await (const { value } of b.stream<number>("read").read({ from: ids[249]!, follow: true })) {
    if (value === 250) break;
  }
  const open = b.stream<number>("read").read({ follow: true, from: new Date(Date.now() + 1000) });
  const waits = open.next();
  await b[Symbol.asyncDispose]();
  assertEquals((await waits).done, true);
});

contract("what is trimmed before it was handled is told, and order goes on", async (world) => {
  const log = new EventLog();
  const streams = await world.open(log.on);
  const jobs = streams.stream<number>("trimmed");
  for (let i = 0; i < 3; i++) await jobs.add(i, { key: "k" });
  const consumer = jobs.consume("g", { batch: 1, concurrency: 1 });
  const [zero] = await take(consumer, 1);
  for (let i = 3; i < 10; i++) await jobs.add(i, { key: "k" });
  assertEquals(await jobs.trim({ maxLength: 2 }), 8);
  assertEquals(await zero!.ack(), true);
  const seen: unknown[] = [];
  let missing = 0;
  while (seen.at(-1) !== 9) {
    const { value: item } = await consumer.next();
    missing += item!.missing ?? 0;
    if (!item!.gap) seen.push(item!.value);
    assertEquals(await item!.ack(), true);
  }
  assertEquals([seen.slice(-2), seen.length - 2 + missing], [[8, 9], 7]);
  assert(log.of("stream.gap").every(({ reason }) => reason === "trimmed"));
  assertGreater(streams.stats().gaps, 0);
  await consumer.return();
  assertEquals(await jobs.pending("g"), []);
  // Nothing is in the way of the next of that key.
  await jobs.add(10, { key: "k" });
  const next = jobs.consume("g");
  assertEquals((await take(next, 1))[0]!.value, 10);
  await next.return();
});

contract("Stream.trim() removes what all groups are done with, and no more", async (world) => {
  const streams = await world.open();
  const jobs = streams.stream<number>("trim");
  assertEquals(await jobs.trim(), 0);
  for (let i = 0; i < 10; i++) await jobs.add(i);
  assertEquals(await jobs.trim(), 0); // no group is there
  const a = jobs.consume("a");
  const items = await take(a, 10);
  for (const i of [0, 1, 2, 4]) await items[i]!.ack();
  assertEquals(await jobs.trim(), 3);
  const b = jobs.consume("b");
  for (const item of await take(b, 7)) await item.ack();
  assertEquals(await jobs.trim(), 0);
  for (const i of [3, 5, 6, 7, 8, 9]) await items[i]!.ack();
  assertEquals(await jobs.trim(), 7);
  await Promise.all([a.return(), b.return()]);
  assertEquals(await jobs.length(), 0);
  const bounded = streams.stream<number>("bounded", { maxLength: 50 });
  for (let i = 0; i < 400; i++) await bounded.add(i);
  const { length, lastId } = await bounded.info();
  assert(length >= 50 && length < 250, String(length));
  assertEquals((await Array.fromAsync(bounded.read({ from: lastId! }))).map(({ value }) => value), [399]);
});

contract("a consumer ends by break, by its signal, with what it came from; shutdown() waits", async (world) => {
  const [a, b] = [await world.open(), await world.open()];
  const jobs = a.stream<number>("ends");
  await jobs.add(1);
  const never = jobs.consume("g", { signal: AbortSignal.abort() });
  assertEquals((await never.next()).done, true);
  const controller = new AbortController();
  let acked: boolean | undefined;
  for await (const item of jobs.consume("g", { signal: controller.signal })) {
    controller.abort();
    acked = await item.ack(); // the body of the loop ends first
  }
  assertEquals([acked, a.stats().consumers], [true, 0]);
  // A handler at work is waited for.
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const worker = jobs.consume("g", {}, async () => {
    begun.resolve();
    await end.promise;
  });
  await jobs.add(2);
  await begun.promise;
  let over = false;
  const shutdown = a.shutdown().then(() => over = true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(over, false);
  end.resolve();
  await shutdown;
  await worker.done;
  assertEquals([a.stats().handled, await jobs.pending("g")], [2, []]);
  // What is closed gives back at once.
  await jobs.add(3);
  const open = jobs.consume("g", { lease: "1h" });
  const [three] = await take(open, 1);
  const waits = open.next();
  await a[Symbol.asyncDispose]();
  assertEquals([(await waits).done, three!.signal.aborted], [true, true]);
  await assertRejects(() => jobs.add(4), Error, "closed");
  await assertRejects(() => three!.ack(), Error, "closed");
  await assertRejects(() => jobs.consume("g").next(), Error, "closed");
  const heir = b.stream<number>("ends").consume("g", { lease: "1h" });
  const [again] = await take(heir, 1);
  assertEquals([again!.value, again!.attempt], [3, 2]);
  await heir.return();
});

runContract();

Deno.test("streams refuse what cannot be meant, before anything is sent", async () => {
  await using redis = await connect({ url: "memory:" });
  const { streams } = redis;
  const jobs = streams.stream<unknown>("x", { maxBytes: 100 });
  const bad: (() => unknown)[] = [
    () => streams.stream(""),
    () => streams.stream(7 as never),
    () => streams.stream("a\nb"),
    () => streams.stream("x".repeat(513)),
    () => streams.stream("x", { schema: {} as never }),
    () => streams.stream("x", { maxLenght: 1 } as never),
    () => streams.stream("x", { maxLength: 0 }),
    () => streams.stream("x", { maxLength: "9" as never }),
    () => streams.stream("x", { maxBytes: 1e9 }),
    () => jobs.consume(""),
    () => jobs.consume("g".repeat(513)),
    () => jobs.consume("g", { concurrency: 0 }),
    () => jobs.consume("g", { concurrency: 1.5 }),
    () => jobs.consume("g", { batch: 1e6 }),
    () => jobs.consume("g", { from: "then" }),
    () => jobs.consume("g", { from: 7 as never }),
    () => jobs.consume("g", { lease: "1ms" }),
    () => jobs.consume("g", { maxAttempts: 0 }),
    () => jobs.consume("g", { retryDelay: -1 }),
    () => jobs.consume("g", { signal: {} as never }),
    () => jobs.consume("g", { concurency: 1 } as never),
    () => jobs.consume("g", null as never),
    () => jobs.consume("g", {}, 7 as never),
    () => jobs.consume("g", {}, undefined as never),
    () => jobs.read({ from: "x" }),
    () => jobs.read({ from: "1-1", after: "1-1" }),
    () => jobs.read({ to: "1-1", follow: true }),
    () => jobs.read({ limit: 0 }),
    () => jobs.deadLetters.list({ limit: -1 }),
  ];
  for (const call of bad) {
    const error = assertThrows(call, Error);
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assertStringIncludes(error.message, "wanted");
  }
  const worse = [
    () => jobs.add(() => {}),
    () => jobs.add("x".repeat(101)),
    () => jobs.add(1, { key: "" }),
    () => jobs.add(1, { id: "x".repeat(513) }),
    () => jobs.add(1, { idWindow: 0 }),
    () => jobs.add(1, { sign: 1 } as never),
    () => jobs.trim({ maxLength: -1 }),
    () => jobs.trim({ maxLength: 1, before: "1-1" }),
    () => jobs.pending("g", { limit: 0 }),
    () => jobs.deadLetters.putBack("x"),
    () => jobs.deadLetters.remove(["x"]),
  ];
  for (const call of worse) assertStringIncludes((await assertRejects(call, Error)).message, "wanted");
  assertEquals([streams.stats().added, streams.stats().consumers, await jobs.length()], [0, 0, 0]);
});
