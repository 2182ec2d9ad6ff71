import { assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { KeyWaiters } from "../../src/cache/key_waiters.ts";

const LIVE = (): boolean => true;

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown>, time: FakeTime): Promise<boolean> {
  let done = false;
  promise.then(() => done = true, () => done = true);
  await time.runMicrotasks();
  return done;
}

Deno.test("Watch.next() resolves when its key changes, and only then", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  using watch = watches.watch("a", LIVE);
  const next = watch.next(1000);
  watches.notify("b");
  assertEquals(await settled(next, time), false);
  watches.notify("a");
  assertEquals(await settled(next, time), true);
});

Deno.test("Watch.next() resolves after so many milliseconds", async () => {
  using time = new FakeTime();
  using watch = new KeyWaiters().watch("a", LIVE);
  const next = watch.next(1000);
  await time.tickAsync(999);
  assertEquals(await settled(next, time), false);
  await time.tickAsync(1);
  assertEquals(await settled(next, time), true);
});

Deno.test("Watch.next() misses no change", async (t) => {
  await t.step("since the watch began", async () => {
    using time = new FakeTime();
    const watches = new KeyWaiters();
    using watch = watches.watch("a", LIVE);
    watches.notify("a");
    assertEquals(await settled(watch.next(1000), time), true);
  });
  await t.step("since it last resolved", async () => {
    using time = new FakeTime();
    const watches = new KeyWaiters();
    using watch = watches.watch("a", LIVE);
    watches.notify("a");
    await watch.next(1000);
    watches.notify("a");
    assertEquals(await settled(watch.next(1000), time), true);
    assertEquals(await settled(watch.next(1000), time), false);
    watches.notify("a");
    await time.runMicrotasks();
  });
  await t.step("that came before it is no change", async () => {
    using time = new FakeTime();
    const watches = new KeyWaiters();
    using first = watches.watch("a", LIVE);
    watches.notify("a");
    using second = watches.watch("a", LIVE);
    const next = second.next(1000);
    assertEquals(await settled(next, time), false);
    assertEquals(await settled(first.next(1000), time), true);
    watches.notify("a");
    assertEquals(await settled(next, time), true);
  });
});

Deno.test("Watch.next() wakes all who wait for the key", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  const all = Array.from({ length: 100 }, () => watches.watch("a", LIVE));
  const waits = all.map((watch) => watch.next(1000));
  assertEquals(await settled(Promise.race(waits), time), false);
  watches.notify("a");
  assertEquals(await settled(Promise.all(waits), time), true);
  for (const watch of all) watch[Symbol.dispose]();
});

Deno.test("Watch.next() waits no longer than asked, whoever else waits for the key", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  using patient = watches.watch("a", LIVE);
  using hasty = watches.watch("a", LIVE);
  const long = patient.next(1000);
  await time.tickAsync(10);
  const short = hasty.next(50);
  await time.tickAsync(50);
  assertEquals(await settled(short, time), true);
  await time.tickAsync(940);
  assertEquals(await settled(long, time), true);
});

Deno.test("Watch.next() rejects with the reason of its signal, and the others wait on", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  const given = watches.watch("a", LIVE);
  using other = watches.watch("a", LIVE);
  const abort = new AbortController();
  const wait = given.next(1000, abort.signal);
  const long = other.next(1000);
  abort.abort(new Error("enough"));
  await assertRejects(() => wait, Error, "enough");
  given[Symbol.dispose]();
  assertEquals(await settled(long, time), false);
  watches.notify("a");
  assertEquals(await settled(long, time), true);
});

Deno.test("KeyWaiters.notifyAll() wakes everybody", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  using a = watches.watch("a", LIVE);
  using b = watches.watch("b", LIVE);
  const waits = Promise.all([a.next(1000), b.next(1000)]);
  assertEquals(await settled(waits, time), false);
  watches.notifyAll();
  assertEquals(await settled(waits, time), true);
});

Deno.test("KeyWaiters keeps nothing of those that ended", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  const [first, second] = [watches.watch("a", LIVE), watches.watch("a", LIVE)];
  const wait = second.next(1000);
  first[Symbol.dispose]();
  assertEquals(watches.any, true);
  watches.notify("a");
  assertEquals(await settled(wait, time), true);
  second[Symbol.dispose]();
  assertEquals(watches.any, false);
  watches.notify("a");
  watches.notifyAll();
});

Deno.test("KeyWaiters clears its timer with the last who waits", async () => {
  using time = new FakeTime();
  const watches = new KeyWaiters();
  const watch = watches.watch("a", LIVE);
  const wait = watch.next(60_000);
  watch[Symbol.dispose]();
  assertEquals(await settled(wait, time), true);
  assertEquals(time.next(), false); // no timer is left
});

Deno.test("Watch.live says whether changes are told at present", () => {
  let live = false;
  using watch = new KeyWaiters().watch("a", () => live);
  assertEquals(watch.live, false);
  live = true;
  assertEquals(watch.live, true);
});
