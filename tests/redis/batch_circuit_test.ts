import { assertEquals } from "@std/assert";
import type { LarderEvent } from "../../src/observe/events.ts";
import type { UnavailableError } from "../../src/errors.ts";
import { Batch } from "../../src/redis/batch.ts";
import { FakeClock, Outcome, ScriptedClient } from "./scripted_client.ts";

function start(): { client: ScriptedClient; batch: Batch; told: string[] } {
  const client = new ScriptedClient();
  const told: string[] = [];
  const on = (event: LarderEvent) => void told.push(event.type === "redis.circuit" ? event.state : event.type);
  return { client, batch: new Batch(client, { commandTimeout: 500, on }), told };
}

/** Lets writes fail until the circuit is open. */
async function open(batch: Batch, client: ScriptedClient, clock: FakeClock): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const call = new Outcome(batch.send("GET", []));
    await clock.settle();
    client.writes.at(-1)!.reject(new Error("gone"));
    await clock.settle();
    assertEquals(call.state, "connection");
  }
}

/** How a call ends that need not wait for anything. */
async function soon(batch: Batch, clock: FakeClock): Promise<unknown> {
  const call = new Outcome(batch.send("GET", []));
  await clock.settle();
  return call.state;
}

Deno.test("Batch fails at once after three failures in a row, and tries one write a second later", async () => {
  using clock = new FakeClock();
  const { client, batch, told } = start();
  await open(batch, client, clock);
  assertEquals([batch.circuit, told], ["open", ["open"]]);
  assertEquals(await soon(batch, clock), "circuit-open");
  await clock.pass(999);
  assertEquals(await soon(batch, clock), "circuit-open");
  assertEquals(client.writes.length, 3);
  await clock.pass(1);
  const attempts = [batch.send("A", []), batch.send("B", [])];
  await clock.settle();
  // The rest does not wait for how the attempt ends.
  assertEquals(await soon(batch, clock), "circuit-open");
  assertEquals(client.names.slice(3), [["A", "B"]]);
  client.writes[3]!.resolve([1, 2]);
  assertEquals(await Promise.all(attempts), [1, 2]);
  assertEquals([batch.circuit, told], ["closed", ["open", "half-open", "closed"]]);
  await batch.close();
});

Deno.test("Batch opens the circuit again when the attempt fails", async () => {
  using clock = new FakeClock();
  const { client, batch, told } = start();
  await open(batch, client, clock);
  await clock.pass(1000);
  const attempt = new Outcome(batch.send("GET", []));
  await clock.pass(500);
  assertEquals([attempt.state, batch.circuit], ["timeout", "open"]);
  assertEquals(await soon(batch, clock), "circuit-open");
  assertEquals(told, ["open", "half-open", "open"]);
  await batch.close();
});

Deno.test("Batch opens the circuit and fails what waits when a reconnect fails", async () => {
  using clock = new FakeClock();
  const { client, batch, told } = start();
  client.change({ state: "disconnected" });
  const failures: UnavailableError[] = [];
  const call = new Outcome(batch.send("GET", []));
  batch.join({ operation: "collect", take: () => [], fail: (error) => void failures.push(error) });
  const cause = new Error("ECONNREFUSED");
  client.change({ state: "disconnected", error: cause });
  await clock.settle();
  assertEquals([call.state, (call.error as Error).cause], ["connection", cause]);
  assertEquals(failures.map(({ reason }) => reason), ["connection"]);
  assertEquals(told, ["redis.disconnected", "open", "redis.disconnected"]);
  // However long it takes, nobody waits for a connection that is not there.
  for (let second = 0; second < 5; second++) {
    await clock.pass(1000);
    assertEquals(await soon(batch, clock), "circuit-open");
  }
  client.answer = ({ name }) => name;
  client.change({ state: "connected" });
  assertEquals(await soon(batch, clock), "GET");
  assertEquals(told.slice(3), ["half-open", "redis.connected", "closed"]);
  await batch.close();
});

Deno.test("Batch takes timeouts of calls in a hurry for no failure of the server", async () => {
  using clock = new FakeClock();
  const { client, batch, told } = start();
  const patient = batch.send("PATIENT", []);
  const hasty: Outcome[] = [];
  for (let i = 0; i < 10; i++) {
    await clock.pass(10);
    hasty.push(new Outcome(batch.send("HASTY", [], { timeout: 100 })));
  }
  await clock.pass(200);
  assertEquals(hasty.map(({ state }) => state), Array(10).fill("timeout"));
  assertEquals([batch.circuit, told], ["closed", []]);
  client.writes[0]!.resolve([1]);
  assertEquals(await patient, 1);
  await batch.close();
});

Deno.test("Batch keeps the circuit closed on a slow server that answers every write in time", async () => {
  using clock = new FakeClock();
  const { client, batch, told } = start();
  const calls: Outcome[] = [];
  // A call that comes just after a write went out waits for two of them, 800 ms, but only the second is its own.
  for (let i = 0; i < 40; i++) {
    calls.push(new Outcome(batch.send("GET", [i])));
    await clock.pass(40);
    if (i % 10 === 9) {
      const { commands, resolve } = client.writes.at(-1)!;
      resolve(commands.map(() => "OK"));
    }
  }
  assertEquals(told, []);
  assertEquals(new Set(calls.map(({ state }) => state)), new Set(["OK", "pending"]));
  await batch.close();
});
