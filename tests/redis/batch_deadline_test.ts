import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { spy } from "@std/testing/mock";
import { UnavailableError } from "../../src/errors.ts";
import { Batch, type CallSource, type SendOptions } from "../../src/redis/batch.ts";
import { Deadline } from "../../src/redis/deadline.ts";
import { FakeClock, Outcome, ScriptedClient } from "./scripted_client.ts";

function start(maxQueued?: number): { client: ScriptedClient; batch: Batch } {
  const client = new ScriptedClient();
  return { client, batch: new Batch(client, { commandTimeout: 500, ...(maxQueued && { maxQueued }) }) };
}

/** Sends `FIRST`, and `LAST` as soon as it is answered. */
function sendBehind(batch: Batch, options: SendOptions[] = [], between = () => {}): { last?: Outcome } {
  const sent: { last?: Outcome } = {};
  void batch.send("FIRST", [], options[0]).then(() => {
    between();
    sent.last = new Outcome(batch.send("LAST", [], options[1]));
  });
  return sent;
}

Deno.test("Batch ends every call at its deadline although the client never answers", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const out = new Outcome(batch.send("OUT", []));
  await clock.pass(200);
  const waiting = new Outcome(batch.send("WAITING", [], { operation: "read session" }));
  const failures: unknown[] = [];
  const source: CallSource = { operation: "collect", take: () => [], fail: (error) => void failures.push(error) };
  batch.join(source);
  await clock.pass(299);
  assertEquals([out.state, waiting.state, client.resets.length], ["pending", "pending", 0]);
  await clock.pass(1);
  assertEquals([out.state, waiting.state], ["timeout", "pending"]);
  // What is behind a write that hangs gets another connection, which hangs as well, and a deadline from then on.
  assertEquals([client.resets.length, client.names], [1, [["OUT"], ["WAITING"]]]);
  await clock.pass(499);
  assertEquals(waiting.state, "pending");
  await clock.pass(1);
  const { message } = waiting.error as UnavailableError;
  assertEquals(message, "Cannot read session: Redis is unavailable: no answer within the deadline");
  assertEquals(failures, []);
  await batch.close();
});

Deno.test("Batch ends calls and sources at their deadline when there is no connection", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  client.change({ state: "disconnected" });
  const failures: UnavailableError[] = [];
  const call = new Outcome(batch.send("GET", []));
  batch.join({ operation: "collect", take: () => [], fail: (error) => void failures.push(error) });
  await clock.pass(499);
  assertEquals([call.state, failures.length], ["pending", 0]);
  await clock.pass(1);
  assertEquals([call.state, failures.map(({ reason }) => reason)], ["timeout", ["timeout"]]);
  assertEquals([client.writes.length, client.resets.length], [0, 0]);
  await batch.close();
});

Deno.test("Batch sets one timer for those who go on when they are answered, and leaves none behind", async () => {
  using set = spy(globalThis, "setTimeout");
  using cleared = spy(globalThis, "clearTimeout");
  const { client, batch } = start();
  client.answer = ({ name }) => name;
  for (let i = 0; i < 10; i++) await batch.send("GET", []);
  assertEquals([client.writes.length, set.calls.length], [10, 1]);
  for (let i = 0; i < 50; i++) await Promise.resolve(); // nobody wants more
  assertEquals(cleared.calls.at(-1)?.args, [set.calls[0]?.returned]);
  assertEquals(set.calls.length, 1);
  await batch.close();
});

Deno.test("Batch ends a call at its own deadline although the timer was set for those before", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const sent = sendBehind(batch);
  await clock.pass(300);
  client.writes[0]!.resolve(["reply"]);
  await clock.pass(499);
  assertEquals([sent.last?.state, client.names, client.resets.length], ["pending", [["FIRST"], ["LAST"]], 0]);
  await clock.pass(1);
  assertEquals([sent.last?.state, client.resets.length], ["timeout", 1]);
  await batch.close();
});

Deno.test("Batch does not end calls with the gracePeriod of those before, after the process was busy twice", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const sent = sendBehind(batch);
  await clock.passBusy(500, 1000);
  client.writes[0]!.resolve(["reply"]);
  await clock.passBusy(500, 1000);
  assertEquals([client.names, sent.last?.state], [[["FIRST"], ["LAST"]], "pending"]);
  client.writes[1]!.resolve(["reply"]);
  await clock.settle();
  assertEquals([sent.last?.state, client.resets.length], ["reply", 0]);
  await batch.close();
});

Deno.test("Batch ends a call on time although the timer of those before is overdue", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const sent = sendBehind(batch, [{ timeout: 100 }, { timeout: 100 }], () => clock.beBusy(130));
  await clock.settle();
  client.writes[0]!.resolve(["reply"]);
  await clock.pass(99);
  assertEquals(sent.last?.state, "pending");
  await clock.pass(1);
  assertEquals(sent.last?.state, "timeout");
  await batch.close();
});

Deno.test("Batch gives each call a gracePeriod of its own when the process was busy", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const sent = sendBehind(batch, [{ timeout: 100 }], () => clock.beBusy(300));
  await clock.settle();
  client.writes[0]!.resolve(["reply"]);
  await clock.pass(100); // the timer of the first is overdue
  await clock.passBusy(400, 600); // and now that of the last
  assertEquals([sent.last?.state, client.resets.length], ["pending", 0]);
  await clock.pass(249);
  assertEquals([sent.last?.state, client.resets.length], ["pending", 0]);
  await clock.pass(2);
  assertEquals([sent.last?.state, client.resets.length], ["timeout", 1]);
  await batch.close();
});

Deno.test("Batch clears its timer by the clock that it was set with", async () => {
  const { setTimeout, clearTimeout } = globalThis;
  const cleared = { real: [] as unknown[], fake: [] as unknown[] };
  const real = {
    setTimeout,
    clearTimeout: (timer: number) => (cleared.real.push(timer), clearTimeout(timer)),
  };
  const fake = {
    setTimeout: () => 1,
    clearTimeout(timer: number) {
      cleared.fake.push(timer);
      if (globalThis.setTimeout === setTimeout) throw new Error("the time is not faked");
    },
  };
  const { client, batch } = start();
  client.answer = ({ name }) => name;
  try {
    Object.assign(globalThis, real);
    await batch.send("GET", []);
    Object.assign(globalThis, fake); // by those who were answered
    for (let i = 0; i < 50; i++) await Promise.resolve();
    assertEquals([cleared.real.length, cleared.fake.length], [1, 0]);
    await batch.send("GET", []);
    Object.assign(globalThis, real);
    for (let i = 0; i < 50; i++) await Promise.resolve();
    assertEquals([cleared.real.length, cleared.fake], [1, [1]]);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
  await batch.close();
});

/** A source of one command. */
function sourceOf(name: string, timeout?: number): { source: CallSource; errors: UnavailableError[] } {
  const errors: UnavailableError[] = [];
  const reject = (error: unknown) => void errors.push(error as UnavailableError);
  const take = () => [{ name, args: [], operation: name, resolve: () => {}, reject }];
  return { source: { operation: name, ...(timeout && { timeout }), take, fail: reject }, errors };
}

Deno.test("Batch counts the deadline of a call from its write, and gives it as much again to be written", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const first = batch.send("FIRST", []);
  await clock.settle();
  const { source, errors } = sourceOf("COLLECT");
  batch.join(source);
  await clock.pass(300);
  client.writes[0]!.resolve([1]);
  await first;
  await clock.pass(499);
  assertEquals([client.names, errors.length, client.resets.length], [[["FIRST"], ["COLLECT"]], 0, 0]);
  await clock.pass(1);
  assertEquals([errors.map(({ reason }) => reason), client.resets.length], [["timeout"], 1]);
  await batch.close();
});

Deno.test("Batch ends a source that is in a hurry by its own timeout, before its write and after it", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const first = batch.send("FIRST", []);
  await clock.settle();
  const unwritten = sourceOf("UNWRITTEN", 100);
  batch.join(unwritten.source);
  await clock.pass(99);
  assertEquals(unwritten.errors.length, 0);
  await clock.pass(1);
  assertEquals(unwritten.errors.map(({ reason }) => reason), ["timeout"]);
  client.writes[0]!.resolve([1]);
  await first;
  const written = sourceOf("WRITTEN", 100);
  batch.join(written.source);
  await clock.pass(99);
  assertEquals([client.names.at(-1), written.errors.length], [["WRITTEN"], 0]);
  await clock.pass(1);
  assertEquals([written.errors.map(({ reason }) => reason), client.resets.length], [["timeout"], 0]);
  await batch.close();
});

Deno.test("Batch asks a source again for what did not fit into a write, with a deadline of its own", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const left = ["A", "B", "C"];
  const ended: unknown[] = [];
  const source: CallSource = {
    operation: "collect",
    timeout: 100,
    take() {
      const name = left.shift()!;
      if (left.length > 0) batch.join(source);
      return [{
        name,
        args: [],
        operation: name,
        resolve: () => void ended.push(name),
        reject: (error) => void ended.push((error as UnavailableError).reason),
      }];
    },
    fail: (error) => void ended.push(error.reason),
  };
  batch.join(source);
  await clock.settle();
  for (let i = 0; i < 3; i++) {
    await clock.pass(90);
    client.writes[i]!.resolve([1]);
    await clock.settle();
  }
  assertEquals([client.names, ended], [[["A"], ["B"], ["C"]], ["A", "B", "C"]]);
  await batch.close();
});

Deno.test("Batch has one deadline for all commands of a call", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const within = new Deadline(500);
  const out = batch.send("OUT", []);
  await clock.pass(400);
  const one = batch.send("ONE", [], { within });
  client.writes[0]!.resolve([1]); // what it has waited for until now was not its own
  await out;
  await clock.pass(300);
  client.writes[1]!.resolve([1]);
  await one;
  const two = new Outcome(batch.send("TWO", [], { within }));
  await clock.pass(199);
  assertEquals([client.names.at(-1), two.state], [["TWO"], "pending"]);
  await clock.pass(1);
  assertEquals([two.state, client.resets.length], ["timeout", 0]);
  client.writes[2]!.resolve([1]);
  await clock.settle();
  // Nothing is left for another.
  const late = new Outcome(batch.send("LATE", [], { within }));
  await clock.settle();
  assertEquals([late.state, client.names.length], ["timeout", 3]);
  await batch.close();
});

Deno.test("Batch.hold() waits for others no longer than the deadline of the call, and looks once more when it was busy", async () => {
  using clock = new FakeClock();
  const { batch } = start();
  const never = new Promise<number>(() => {});
  const held = new Outcome(batch.hold(never, new Deadline(500), "write entry"));
  const answered = new Outcome(batch.hold(Promise.resolve(7), new Deadline(500), "write entry"));
  await clock.pass(499);
  assertEquals([held.state, answered.state], ["pending", 7]);
  await clock.pass(1);
  assertEquals([held.state, (held.error as UnavailableError).operation], ["timeout", "write entry"]);
  const within = new Deadline(500);
  const { promise, resolve } = Promise.withResolvers<number>();
  const busy = new Outcome(batch.hold(promise, within, "write entry"));
  await clock.passBusy(500, 200);
  assertEquals(busy.state, "pending");
  resolve(8);
  await clock.settle();
  assertEquals(busy.state, 8);
  await batch.close();
});

Deno.test("Batch looks again as often as it comes late, but not for ever", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const call = new Outcome(batch.send("GET", []));
  await clock.settle();
  await clock.passBusy(500, 100);
  for (let i = 0; i < 2; i++) {
    await clock.passBusy(251, 100);
    assertEquals([call.state, client.resets.length], ["pending", 0]);
  }
  await clock.passBusy(251, 100);
  assertEquals([call.state, client.resets.length], ["timeout", 1]);
  await batch.close();
});

Deno.test("Batch measures the round trip, and learns that it has become longer from what came late", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  assertEquals(batch.roundTrip, undefined);
  const trip = async (milliseconds: number, timeout?: number) => {
    const call = new Outcome(batch.send("GET", [], { ...(timeout && { timeout }) }));
    await clock.pass(milliseconds);
    client.writes.at(-1)!.resolve([1]);
    await clock.settle();
    return call.state;
  };
  for (const milliseconds of [3, 2, 40, 5]) await trip(milliseconds);
  assertEquals(batch.roundTrip, 2);
  assertEquals(await trip(120, 100), "timeout");
  assertEquals(batch.roundTrip, 120);
  await trip(4);
  assertEquals(batch.roundTrip, 4);
  // A process that was busy has measured itself.
  const busy = new Outcome(batch.send("GET", []));
  await clock.passBusy(500, 100);
  client.writes.at(-1)!.resolve([1]);
  await clock.settle();
  assertEquals([busy.state, batch.roundTrip], [1, 4]);
  await batch.close();
});

Deno.test("Batch.send() with a shorter timeout gives up earlier and leaves the connection alone", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const patient = new Outcome(batch.send("PATIENT", []));
  const hasty = new Outcome(batch.send("HASTY", [], { timeout: 100 }));
  const longer = new Outcome(batch.send("LONGER", [], { timeout: 10_000 }));
  await clock.pass(100);
  assertEquals([hasty.state, patient.state], ["timeout", "pending"]);
  await clock.pass(300);
  assertEquals(client.resets.length, 0);
  client.writes[0]!.resolve(["a", "b", "c"]);
  await clock.settle();
  assertEquals([hasty.state, patient.state, longer.state], ["timeout", "a", "c"]);
  const hung = new Outcome(batch.send("HUNG", [], { timeout: 10_000 }));
  await clock.pass(500);
  assertEquals(hung.state, "timeout"); // the batch's own timeout is the longest
  await batch.close();
});

Deno.test("Batch gives no caller the late replies of a connection that was given up", async () => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const given = new Outcome(batch.send("OLD", []));
  await clock.pass(500);
  assertEquals(given.state, "timeout");
  const next = new Outcome(batch.send("NEW", []));
  await clock.settle();
  client.writes[0]!.resolve(["old"]);
  await clock.settle();
  assertEquals([next.state, client.names], ["pending", [["OLD"], ["NEW"]]]);
  client.writes[1]!.resolve(["new"]);
  await clock.settle();
  assertEquals(next.state, "new");
  await batch.close();
});

Deno.test("Batch refuses calls beyond its bound, and takes calls again when the queue has moved", async () => {
  using clock = new FakeClock();
  const { client, batch } = start(3);
  client.change({ state: "disconnected" });
  const calls = [1, 2, 3, 4].map((id) => batch.send("GET", [id]));
  assertEquals((await assertRejects(() => calls[3]!, UnavailableError)).reason, "overload");
  client.answer = ({ args }) => args[0] as number;
  client.change({ state: "connected" });
  assertEquals(await Promise.all(calls.slice(0, 3)), [1, 2, 3]);
  assertEquals(await batch.send("GET", [5]), 5);
  await clock.settle();
  await batch.close();
});

Deno.test("Batch.send() ends the wait when its signal is aborted", async (t) => {
  using clock = new FakeClock();
  const { client, batch } = start();
  const reason = new Error("enough");

  await t.step("before: nothing is sent", async () => {
    const error = await assertRejects(() => batch.send("GET", [], { signal: AbortSignal.abort(reason) }));
    assertStrictEquals(error, reason);
    await clock.settle();
    assertEquals(client.names, []);
  });

  await t.step("while it waits: it is not sent", async () => {
    const controller = new AbortController();
    const out = batch.send("OUT", []);
    await clock.settle();
    const waiting = batch.send("WAITING", [], { signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => waiting), reason);
    client.writes[0]!.resolve([1]);
    assertEquals(await out, 1);
    await clock.settle();
    assertEquals(client.names, [["OUT"]]);
  });

  await t.step("when it is out: its reply is dropped, the others get theirs", async () => {
    const controller = new AbortController();
    const calls = [batch.send("A", [], { signal: controller.signal }), batch.send("B", [])];
    await clock.settle();
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => calls[0]!), reason);
    client.writes[1]!.resolve(["a", "b"]);
    assertEquals(await calls[1], "b");
  });

  await t.step("no listener stays behind", async () => {
    const listeners = new Set<unknown>();
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
      listeners.add(listener);
      add(type, listener);
    };
    signal.removeEventListener = (_type: string, listener: EventListenerOrEventListenerObject) => {
      listeners.delete(listener);
    };
    const answered = batch.send("A", [], { signal });
    await clock.settle();
    client.writes[2]!.resolve([1]);
    await answered;
    const late = new Outcome(batch.send("B", [], { signal }));
    assertEquals(listeners.size, 1);
    await clock.pass(500);
    assertEquals([late.state, listeners.size], ["timeout", 0]);
  });
  await batch.close();
});
