// One suite for the stand-in and for the original: when JSR answers, both are held to it.
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as imported from "@std/testing/time";
import * as standIn from "./time.ts";

type Module = Pick<typeof standIn, "FakeTime" | "TimeError">;

const modules: [string, Module][] = [["stand-in", standIn]];
if (imported.FakeTime as unknown !== standIn.FakeTime) modules.push(["original", imported as unknown as Module]);

for (const [which, { FakeTime, TimeError }] of modules) {
  const test = (name: string, fn: () => void | Promise<void>) => Deno.test(`FakeTime (${which}) ${name}`, fn);

  test("moves only when told, and takes Date along", () => {
    using time = new FakeTime(1000);
    assertEquals([time.now, time.start, Date.now(), new Date().getTime()], [1000, 1000, 1000, 1000]);
    time.tick(500);
    assertEquals([time.now, time.start, Date.now()], [1500, 1000, 1500]);
    time.now = 2000;
    assertEquals(Date.now(), 2000);
    assertThrows(() => time.now = 1999, RangeError);
    assert(new Date() instanceof Date);
    assertEquals(new Date(2020, 1, 2).getFullYear(), 2020);
    assertEquals(Date.UTC(1970, 0, 1), 0);
  });

  test("starts at a number, a Date, a text or now", () => {
    for (const start of [86_400_000, new Date(86_400_000), "1970-01-02T00:00:00Z"]) {
      using time = new FakeTime(start);
      assertEquals(time.now, 86_400_000);
    }
    const before = Date.now();
    using time = new FakeTime();
    assert(time.now >= before);
    assertThrows(() => new FakeTime(0), TimeError);
  });

  test("runs Deno's own timers in order, with their arguments", () => {
    using time = new FakeTime(0);
    const calls: unknown[] = [];
    setTimeout((...args: unknown[]) => calls.push(["b", Date.now(), ...args]), 20, 1, 2);
    setTimeout(() => calls.push(["a", Date.now()]), 10);
    setTimeout(() => calls.push(["a2", Date.now()]), 10);
    const cleared = setTimeout(() => calls.push("never"), 15);
    clearTimeout(cleared);
    clearTimeout(undefined);
    time.tick(9);
    assertEquals(calls, []);
    time.tick(11);
    assertEquals(calls, [["a", 10], ["a2", 10], ["b", 20, 1, 2]]);
    time.tick(1000);
    assertEquals(calls.length, 3);
  });

  test("repeats intervals until they are cleared", () => {
    using time = new FakeTime(0);
    const calls: number[] = [];
    const interval = setInterval(() => {
      if (calls.push(Date.now()) === 3) clearInterval(interval);
    }, 100);
    time.tick(1000);
    assertEquals(calls, [100, 200, 300]);
  });

  test("runs what a timer sets in the same tick, 0 ms too", () => {
    using time = new FakeTime(0);
    const calls: number[] = [];
    setTimeout(() => setTimeout(() => setTimeout(() => calls.push(Date.now()), 5), 0), 10);
    time.tick(15);
    assertEquals(calls, [15]);
  });

  test("next() and runAll() go from timer to timer", async () => {
    using time = new FakeTime(0);
    const calls: string[] = [];
    setTimeout(() => calls.push("a"), 10);
    setTimeout(() => calls.push("a2"), 10);
    setTimeout(() => calls.push("b"), 20);
    assertEquals([time.next(), time.now, calls.join()], [true, 10, "a,a2"]);
    assertEquals([await time.nextAsync(), time.now, calls.join()], [true, 20, "a,a2,b"]);
    assertEquals([time.next(), time.now], [false, 20]);
    setTimeout(() => setTimeout(() => calls.push("d"), 10), 10);
    time.runAll();
    assertEquals([time.now, calls.at(-1)], [40, "d"]);
  });

  test("tickAsync() and runMicrotasks() let promises go first", async () => {
    using time = new FakeTime(0);
    const calls: string[] = [];
    Promise.resolve().then(() => setTimeout(() => calls.push("timer"), 10));
    await time.tickAsync(10);
    assertEquals(calls, ["timer"]);
    Promise.resolve().then(() => calls.push("micro"));
    await time.runMicrotasks();
    assertEquals([calls.at(-1), time.now], ["micro", 10]);
  });

  test("moves AbortSignal.timeout()", () => {
    using time = new FakeTime(0);
    const signal = AbortSignal.timeout(50);
    time.tick(49);
    assertEquals(signal.aborted, false);
    time.tick(1);
    assertEquals([signal.aborted, signal.reason.name], [true, "TimeoutError"]);
  });

  test("passes the error of a timer on", () => {
    using time = new FakeTime(0);
    setTimeout(() => {
      throw new Error("boom");
    }, 10);
    assertThrows(() => time.tick(10), Error, "boom");
  });

  test("puts everything back", () => {
    const real = [Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout];
    {
      using _time = new FakeTime(0);
      assert(real[1] !== setTimeout);
    }
    const now = [Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout];
    for (const [i, value] of now.entries()) assertStrictEquals(value, real[i]);
    const time = new FakeTime(0);
    time.restore();
    assertThrows(() => time.restore(), TimeError);
    assertThrows(() => FakeTime.restore(), TimeError);
  });
}
