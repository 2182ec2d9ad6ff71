import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { RedisError, UnavailableError } from "../../src/errors.ts";
import { Batch, type Call, type CallSource } from "../../src/redis/batch.ts";
import type { RedisReply } from "../../src/redis/client.ts";
import { FakeClock, Outcome, ScriptedClient } from "./scripted_client.ts";

function start(): { client: ScriptedClient; batch: Batch } {
  const client = new ScriptedClient();
  return { client, batch: new Batch(client, { commandTimeout: 500 }) };
}

/** A source that hands over one command for all that was collected. */
class Collector implements CallSource {
  readonly operation = "collect";
  readonly replies: RedisReply[] = [];
  readonly failures: unknown[] = [];
  collected: string[] = [];

  take(): Call[] {
    const args = this.collected;
    this.collected = [];
    const resolve = (reply: RedisReply) => void this.replies.push(reply);
    const reject = (error: unknown) => void this.failures.push(error);
    return [{ name: "COLLECT", args, operation: this.operation, resolve, reject }];
  }

  fail(error: UnavailableError): void {
    this.collected = [];
    this.failures.push(error);
  }
}

/** One whose command keeps its place. */
class OrderedCollector extends Collector {
  readonly ordered = true;
}

Deno.test("Batch.send() writes the commands of one tick at once and gives each its own reply", async () => {
  const { client, batch } = start();
  client.answer = ({ name }) => `${name}!`;
  const calls = [batch.send("A", ["1", 2]), batch.send("B", []), batch.send("C", [new Uint8Array([7])])];
  assertEquals(client.writes.length, 0);
  await Promise.resolve().then(() => calls.push(batch.send("D", []))); // a continuation in the same tick
  assertEquals(await Promise.all(calls), ["A!", "B!", "C!", "D!"]);
  assertEquals(client.names, [["A", "B", "C", "D"]]);
  assertEquals(client.writes[0]!.commands.map(({ args }) => args), [["1", 2], [], [new Uint8Array([7])], []]);
  await batch.close();
});

Deno.test("Batch.send() rejects with an error reply and leaves the others alone", async () => {
  const { client, batch } = start();
  client.answer = ({ name }) => name === "BAD" ? new RedisError("WRONGTYPE no") : name;
  const [before, bad, after] = [batch.send("ONE", []), batch.send("BAD", []), batch.send("TWO", [])];
  const error = await assertRejects(() => bad, RedisError, "WRONGTYPE no");
  assertEquals([error.code, await before, await after], ["WRONGTYPE", "ONE", "TWO"]);
  await batch.close();
});

Deno.test("Batch has one write out at a time; what comes meanwhile goes out together", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const first = batch.send("A", []);
  await clock.settle();
  const later = [batch.send("B", [])];
  await clock.pass(100);
  later.push(batch.send("C", []));
  await clock.settle();
  assertEquals(client.names, [["A"]]);
  client.writes[0]!.resolve([1]);
  await clock.settle();
  assertEquals(client.names, [["A"], ["B", "C"]]);
  client.writes[1]!.resolve([2, 3]);
  assertEquals(await Promise.all([first, ...later]), [1, 2, 3]);
  await batch.close();
});

Deno.test("Batch lets callers that a write has woken share the next", async () => {
  const { client, batch } = start();
  client.answer = () => "OK";
  // They go on after a different number of turns, as callers at different depths do.
  await Promise.all(Array.from({ length: 64 }, async (_, caller) => {
    for (let round = 0; round < 10; round++) {
      await batch.send("GET", [caller]);
      for (let turn = 0; turn < caller % 4; turn++) await undefined;
    }
  }));
  assertEquals(client.writes.map(({ commands }) => commands.length), Array(10).fill(64));
  await batch.close();
});

Deno.test("Batch.join() asks a source when the write goes out, after the commands of the same tick", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const source = new Collector();
  source.collected.push("a");
  batch.join(source);
  const written = batch.send("SET", []);
  source.collected.push("b");
  await clock.settle();
  assertEquals(client.names, [["SET", "COLLECT"]]);
  assertEquals(client.writes[0]!.commands[1]!.args, ["a", "b"]);
  source.collected.push("c");
  batch.join(source);
  await clock.settle();
  client.writes[0]!.resolve(["OK", "first"]);
  await clock.settle();
  assertEquals([await written, source.replies], ["OK", ["first"]]);
  assertEquals(client.names[1], ["COLLECT"]);
  client.writes[1]!.resolve([new RedisError("ERR no")]);
  await clock.settle();
  assertInstanceOf(source.failures[0], RedisError);
  await batch.close();
});

Deno.test("Batch.join() keeps the place of an ordered source among the commands of the same tick", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const ordered = new OrderedCollector();
  const last = new Collector();
  last.collected.push("read");
  batch.join(last);
  const replies = [batch.send("A", [])];
  ordered.collected.push("b");
  batch.join(ordered);
  ordered.collected.push("c");
  replies.push(batch.send("D", []));
  ordered.collected.push("e");
  batch.join(ordered);
  await clock.settle();
  assertEquals(client.names, [["A", "COLLECT", "D", "COLLECT", "COLLECT"]]);
  const args = client.writes[0]!.commands.map(({ args }) => args);
  assertEquals(args, [[], ["b", "c"], [], ["e"], ["read"]]);
  // What comes while a write is out goes with the next.
  ordered.collected.push("f");
  batch.join(ordered);
  client.writes[0]!.resolve(["a", "bc", "d", "e", "read"]);
  await clock.settle();
  assertEquals([await Promise.all(replies), ordered.replies, last.replies], [["a", "d"], ["bc", "e"], ["read"]]);
  assertEquals(client.names[1], ["COLLECT"]);
  client.writes[1]!.resolve(["f"]);
  await clock.settle();
  assertEquals([ordered.replies, ordered.failures], [["bc", "e", "f"], []]);
  await batch.close();
});

Deno.test("Batch ends what an ordered source has collected at its deadline, on a loss and when it is closed", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  client.change({ state: "disconnected" });
  const reasons = ({ failures }: Collector) => failures.map((error) => (error as UnavailableError).reason);
  const late = new OrderedCollector();
  late.collected.push("a");
  batch.join(late);
  await clock.pass(499);
  assertEquals(reasons(late), []);
  await clock.pass(1);
  assertEquals(reasons(late), ["timeout"]);
  const lost = new OrderedCollector();
  client.change({ state: "connected" });
  client.change({ state: "disconnected" });
  lost.collected.push("b");
  batch.join(lost);
  client.change({ state: "disconnected", error: new Error("refused") });
  assertEquals(reasons(lost), ["connection"]);
  client.change({ state: "connected" });
  const closed = new OrderedCollector();
  closed.collected.push("c");
  batch.join(closed);
  await batch.close();
  assertEquals([reasons(closed), client.writes.length], [["closed"], 0]);
});

Deno.test("Batch sends nothing twice: a call whose connection failed is rejected", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const lost = batch.send("INCR", ["a"]);
  await clock.settle();
  const waiting = batch.send("INCR", ["b"]);
  const cause = new Error("ECONNRESET");
  client.writes[0]!.reject(cause);
  const error = await assertRejects(() => lost, UnavailableError, "Cannot run INCR: Redis is unavailable");
  assertEquals([error.reason, error.operation], ["connection", "run INCR"]);
  assertStrictEquals(error.cause, cause);
  await clock.settle();
  client.writes[1]!.resolve([1]);
  assertEquals(await waiting, 1);
  await clock.pass(10_000);
  assertEquals(client.writes.map(({ commands }) => commands.map(({ args }) => args)), [[["a"]], [["b"]]]);
  await batch.close();
});

Deno.test("Batch keeps calls until there is a connection", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  client.change({ state: "disconnected" });
  const source = new Collector();
  batch.join(source);
  const call = new Outcome(batch.send("GET", ["a"]));
  await clock.pass(400);
  assertEquals([client.writes.length, call.state], [0, "pending"]);
  client.answer = ({ name }) => name;
  client.change({ state: "connected" });
  await clock.settle();
  assertEquals([call.state, source.replies, client.names], ["GET", ["COLLECT"], [["GET", "COLLECT"]]]);
  await batch.close();
});

Deno.test("Batch treats a client that throws, or has too few replies, like one that lost its connection", async () => {
  const { client, batch } = start();
  const calls = [batch.send("A", []), batch.send("B", [])];
  client.pipeline = () => {
    throw new Error("broken");
  };
  for (const call of calls) {
    const error = await assertRejects(() => call, UnavailableError);
    assertEquals([error.reason, (error.cause as Error).message], ["connection", "broken"]);
  }
  client.pipeline = () => Promise.resolve([1]);
  const short = [batch.send("A", []), batch.send("B", [])];
  for (const call of short) {
    const error = await assertRejects(() => call, UnavailableError);
    assertEquals((error.cause as Error).message, "Cannot tell replies apart: wanted 2, got 1");
  }
  assertEquals(client.resets.length, 1);
  await batch.close();
});

Deno.test("Batch.close() fails what waits and what is out, and closes the client once", async () => {
  using clock = new FakeClock();
  const events: string[] = [];
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 500, on: (event) => events.push(event.type) });
  const out = batch.send("OUT", []);
  await clock.settle();
  const source = new Collector();
  batch.join(source);
  const waiting = batch.send("WAITING", []);
  await batch.close();
  await batch.close();
  const late = batch.send("LATE", []);
  batch.join(source);
  for (const call of [out, waiting, late]) {
    assertEquals((await assertRejects(() => call, UnavailableError)).reason, "closed");
  }
  assertEquals(source.failures.map((error) => (error as UnavailableError).reason), ["closed", "closed"]);
  assertEquals(client.names, [["OUT"]]);
  assertEquals(client.closed, 1);
  client.writes[0]!.resolve([1]);
  await clock.pass(10_000);
  assert(events.length === 0, `a batch that was closed told of ${events}`);
});
