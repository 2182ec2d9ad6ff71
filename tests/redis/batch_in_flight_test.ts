import { assertEquals, assertRejects } from "@std/assert";
import { RedisError, UnavailableError } from "../../src/errors.ts";
import { Batch, type Call } from "../../src/redis/batch.ts";
import type { RedisCommand, RedisReply } from "../../src/redis/client.ts";
import { FakeClock, Outcome, ScriptedClient } from "./scripted_client.ts";

/** A client that takes several writes at a time. */
class WideClient extends ScriptedClient {
  readonly inFlight = 3;
}

/** Sends a call with commands in front of it, and resolves to their replies and its own. */
function sendWith(batch: Batch, before: readonly RedisCommand[], name: string): Promise<RedisReply[]> {
  return new Promise((resolve, reject) => {
    const call: Call = {
      before,
      name,
      args: [],
      operation: `run ${name}`,
      resolve: (reply, before = []) => resolve([...before, reply]),
      reject,
    };
    batch.join({ operation: call.operation, take: () => [call], fail: reject });
  });
}

Deno.test("Batch sends the commands in front of a call with it, and hands their replies over with its own", async () => {
  const counted: string[] = [];
  const traced: number[] = [];
  const client = new ScriptedClient();
  client.answer = ({ name }) => `${name}!`;
  const batch = new Batch(client, {
    commandTimeout: 500,
    observer: { answered: (operation) => void counted.push(operation), failed: (reason) => void counted.push(reason) },
    trace: (commands, write) => {
      traced.push(commands.length);
      return write();
    },
  });
  const [first, both, last] = [
    batch.send("A", []),
    sendWith(batch, [{ name: "B", args: [] }, { name: "C", args: [] }], "D"),
    sendWith(batch, [], "E"),
  ];
  assertEquals([await first, await both, await last], ["A!", ["B!", "C!", "D!"], ["E!"]]);
  assertEquals(client.names, [["A", "B", "C", "D", "E"]]);
  assertEquals([counted, traced], [["run A", "run D", "run E"], [3]]);
  await batch.close();
});

Deno.test("Batch rejects a call with the first error among the commands in front of it, and no other", async () => {
  const client = new ScriptedClient();
  client.answer = ({ name }) => name === "BAD" ? new RedisError("WRONGTYPE no") : name;
  const batch = new Batch(client, { commandTimeout: 500 });
  const bad = sendWith(batch, [{ name: "B", args: [] }, { name: "BAD", args: [] }], "C");
  const good = sendWith(batch, [{ name: "D", args: [] }], "E");
  await assertRejects(() => bad, RedisError, "WRONGTYPE no");
  assertEquals(await good, ["D", "E"]);
  await batch.close();
});

Deno.test("Batch has as many writes out as the client takes, and the next when one is answered", async () => {
  using clock = new FakeClock();
  const client = new WideClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  const calls: Outcome[] = [];
  for (const name of ["A", "B", "C", "D", "E"]) {
    calls.push(new Outcome(batch.send(name, [])));
    await clock.settle();
  }
  assertEquals(client.names, [["A"], ["B"], ["C"]]);
  client.writes[0]!.resolve([1]);
  await clock.settle();
  assertEquals(client.names, [["A"], ["B"], ["C"], ["D", "E"]]);
  for (const write of client.writes.slice(1, 3)) write.resolve([2]);
  client.writes[3]!.resolve([3, 4]);
  await clock.settle();
  assertEquals(calls.map(({ state }) => state), [1, 2, 2, 3, 4]);
  await batch.close();
});

Deno.test("Batch gives all writes up with the connection when one is late, and counts that as one failure", async () => {
  using clock = new FakeClock();
  const client = new WideClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  const calls: Outcome[] = [];
  for (const name of ["A", "B", "C"]) {
    calls.push(new Outcome(batch.send(name, [])));
    await clock.settle();
    await clock.pass(10);
  }
  await clock.pass(470);
  assertEquals(calls.map(({ state }) => state), ["timeout", "connection", "connection"]);
  assertEquals([client.resets.length, batch.circuit], [1, "closed"]);
  // Replies that come all the same are nobody's.
  for (const write of client.writes) write.resolve(["late"]);
  client.answer = ({ name }) => name;
  assertEquals(await batch.send("D", []), "D");
  await batch.close();
});

Deno.test("Batch lets one write try while the circuit breaker is half-open, however many the client takes", async () => {
  using clock = new FakeClock();
  const client = new WideClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  for (let i = 0; i < 3; i++) {
    const call = new Outcome(batch.send("A", []));
    await clock.settle();
    client.writes.at(-1)!.reject(new Error("lost"));
    await clock.settle();
    assertEquals(call.state, "connection");
  }
  assertEquals(batch.circuit, "open");
  await clock.pass(1000);
  const attempt = new Outcome(batch.send("B", []));
  await clock.settle();
  await assertRejects(() => batch.send("C", []), UnavailableError);
  assertEquals([batch.circuit, attempt.state], ["half-open", "pending"]);
  client.writes.at(-1)!.resolve(["B"]);
  await clock.settle();
  assertEquals([batch.circuit, attempt.state], ["closed", "B"]);
  await batch.close();
});
