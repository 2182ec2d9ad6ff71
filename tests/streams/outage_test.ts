import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { connect, UnavailableError } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";
import { redisWorld } from "./worlds.ts";

const ignore = !RedisServer.controllable;

Deno.test({
  name: "while Redis is away add() rejects, a loop and its ack() wait, and all go on by themselves",
  ignore,
  async fn() {
    await using server = await RedisServer.start({ config: { appendonly: "yes", appendfsync: "always" } });
    const log = new EventLog();
    const redis = await connect({ url: server.url, namespace: "jobs", on: log.on });
    const jobs = redis.streams.stream<number>("jobs");
    await jobs.add(1, { key: "k" });
    await jobs.add(2, { key: "k" });
    const loop = jobs.consume("g", { lease: "60s" });
    const { value: one } = await loop.next();
    await server.kill();
    const error = await assertRejects(() => jobs.add(3, { id: "three" }), UnavailableError);
    assertEquals(error.operation, "add to a stream");
    const acked = one!.ack();
    const next = loop.next();
    await log.have("stream.error");
    await server.restart();
    assertEquals(await acked, true);
    assertEquals((await next).value!.value, 2);
    assertEquals(await (await next).value!.ack(), true);
    await redis.ready({ timeout: "20s" });
    const id = await jobs.add(3, { id: "three" });
    assertEquals(await jobs.add(3, { id: "three" }), id);
    const { value: three } = await loop.next();
    assertEquals([three!.value, three!.attempt, await three!.ack()], [3, 1, true]);
    assertEquals(log.of("stream.error").length, 1); // told once
    assertEquals([await jobs.pending("g"), log.of("stream.gap")], [[], []]);
    await loop.return();
    await redis.close();
  },
});

Deno.test({
  name: "after FLUSHALL and a restart that lost all, the group is made anew, and that is told",
  ignore,
  async fn() {
    await using world = await redisWorld();
    const log = new EventLog();
    const streams = await world.open(log.on);
    const jobs = streams.stream<number>("jobs");
    const loop = jobs.consume("g", { lease: "300ms" });
    await jobs.add(1);
    const { value: one } = await loop.next();
    await world.server.cli("FLUSHALL");
    assertEquals(await one!.ack(), false);
    await until(async () => {
      await jobs.add(2, { id: "two" }).catch(() => {});
      return log.of("stream.gap").length > 0;
    }, "it is told");
    const items = [(await loop.next()).value!, (await loop.next()).value!];
    assertEquals(
      items.map(({ gap, reason, value }: { gap?: true; reason?: string; value?: unknown }) => [
        gap,
        reason,
        value,
      ]),
      [[true, "lost", undefined], [undefined, undefined, 2]],
    );
    assertEquals(await items[1]!.ack(), true);
    await world.server.restart({ flush: true });
    await until(() => jobs.add(3, { id: "three" }).then(() => true, () => false), "it is back");
    for await (const item of loop) {
      await item.ack();
      if (item.value === 3) break;
    }
    assertEquals(log.of("stream.gap").map(({ reason }) => reason), ["lost", "lost"]);
  },
});

Deno.test({
  name: "what is pending again since the server came back with older data is handed out again",
  ignore,
  async fn() {
    await using world = await redisWorld();
    const streams = await world.open();
    const jobs = streams.stream<number>("jobs");
    for (let i = 1; i <= 3; i++) await jobs.add(i);
    const loop = jobs.consume("g", { lease: "60s" });
    const items = [(await loop.next()).value!, (await loop.next()).value!];
    await until(async () => (await jobs.pending("g")).length === 3, "all are fetched");
    await world.server.cli("SAVE");
    for (const item of items) assertEquals(await item.ack(), true);
    await world.server.kill(); // as with everysec: what was acknowledged last is lost
    await world.server.restart();
    const again: [unknown, number][] = [];
    while (again.length < 3) {
      const { value: item } = await loop.next();
      again.push([item!.value, item!.attempt]);
      assertEquals(await item!.ack(), true);
    }
    assertEquals(again.sort(), [[1, 2], [2, 2], [3, 1]]);
    assertEquals(await jobs.pending("g"), []);
    await loop.return();
  },
});

Deno.test("a word that is missed costs a look, and no message", async () => {
  await using world = await redisWorld();
  const [a, b] = [await world.open(), await world.open()];
  const seen: number[] = [];
  const worker = a.stream<number>("jobs").consume("g", { lease: "600ms" }, ({ value }) => void seen.push(value));
  await until(async () => (await b.stream("jobs").info()).groups.length === 1, "it waits");
  for (let i = 0; i < 3; i++) {
    await world.server.cli("DEL", "{jobs}:xw:jobs"); // so that nobody is told
    await b.stream<number>("jobs").add(i);
    await until(() => seen.length === i + 1, "it has looked");
  }
  await worker.shutdown();
});

Deno.test("keys of somebody else: another type ends a loop with its error, foreign messages are refused", async () => {
  await using world = await redisWorld();
  const log = new EventLog();
  const streams = await world.open(log.on);
  await world.server.cli("SET", "{jobs}:x:taken", "1");
  const taken = streams.stream<number>("taken");
  await assertRejects(() => taken.add(1), Error, "WRONGTYPE");
  const loop = taken.consume("g");
  await assertRejects(() => loop.next(), Error, "WRONGTYPE");
  assertEquals((await loop.next()).done, true);
  await assertRejects(() => taken.consume("g", {}, () => {}).done, Error, "WRONGTYPE");
  assertEquals(await world.server.cli("GET", "{jobs}:x:taken"), "1");

  const jobs = streams.stream<number>("mixed");
  await jobs.add(1);
  await world.server.cli("XADD", "{jobs}:x:mixed", "*", "hello", "world");
  await world.server.cli("XADD", "{jobs}:x:mixed", "*", "v", "nonsense", "k", "k", "n", "x");
  await jobs.add(2);
  const items = [];
  for await (const item of jobs.consume("g")) {
    items.push(item.issues ? "refused" : item.value);
    assertEquals(await item.ack(), true);
    if (items.length === 4) break;
  }
  assertEquals(items, [1, "refused", "refused", 2]);
  // What another program has read under this group and left is taken over.
  await jobs.add(3);
  await world.server.cli("XREADGROUP", "GROUP", "g", "by-hand", "STREAMS", "{jobs}:x:mixed", ">");
  const heir = jobs.consume("g", { lease: "100ms" });
  const { value: three } = await heir.next();
  assertEquals([three!.value, three!.attempt, await three!.ack()], [3, 2, true]);
  await heir.return();
});

Deno.test("streams of a namespace and of a database are their own, and cache.clear() leaves them alone", async () => {
  await using server = await RedisServer.start();
  const open = (namespace: string, db: number) => connect({ url: `${server.url}/${db}`, namespace, on: () => {} });
  const all = [await open("a", 0), await open("b", 0), await open("a", 1)];
  const loops = all.map(({ streams }) => streams.stream<number>("s").consume("g"));
  for (const [i, { streams }] of all.entries()) await streams.stream<number>("s").add(i);
  for (const [i, loop] of loops.entries()) assertEquals((await loop.next()).value!.value, i);
  await all[0]!.cache.set("x", 1, { ttl: "1m", tags: ["t"] });
  await all[0]!.cache.clear();
  await all[0]!.cache.invalidateByPattern("*");
  assertEquals(await all[0]!.streams.stream("s").length(), 1);
  // Names with colons are not those of others.
  const { streams } = all[0]!;
  await streams.stream<number>("a:b").add(1);
  await streams.stream<number>("a").add(2);
  const one = streams.stream<number>("a:b").consume("c");
  const two = streams.stream<number>("a").consume("b:c");
  assertEquals([(await one.next()).value!.value, (await two.next()).value!.value], [1, 2]);
  for (const redis of all) await redis.close();
});

Deno.test("delivery to a consumer that waits takes about a round trip", async () => {
  await using world = await redisWorld();
  const [a, b] = [await world.open(), await world.open()];
  const arrived = new Map<number, () => void>();
  const worker = a.stream<number>("jobs").consume("g", { lease: "60s" }, ({ value }) => arrived.get(value)!());
  const took: number[] = [];
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const arrival = new Promise<void>((resolve) => arrived.set(i, resolve));
    const began = performance.now();
    await b.stream<number>("jobs").add(i);
    await arrival;
    took.push(performance.now() - began);
  }
  await worker.shutdown();
  took.sort((x, y) => x - y);
  assert(took[5]! < 1000, `${took[5]} ms`); // a look without a word comes after 20 s
  assertGreater(a.stats().handled, 19);
});
