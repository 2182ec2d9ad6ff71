import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Locks, MemoryLockStore } from "../../src/locks/mod.ts";
import { RedisLockStore } from "../../src/locks/redis/store.ts";
import { Batch } from "../../src/redis/batch.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { until } from "../support/until.ts";
import { memoryWorld, redisWorld } from "./stores.ts";

Deno.test("Locks.once() runs a job in one of all processes, and keeps when it ran", async (t) => {
  for (const open of [memoryWorld, redisWorld, () => redisWorld(3)]) {
    await using world = await open();
    await t.step(world.name, async () => {
      const all = await Promise.all([world.open(), world.open(), world.open()]);
      let runs = 0;
      const call = (i: number) =>
        all[i % 3]!.once("job", { every: "1h" }, async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return ++runs;
        });
      const results = await Promise.all(Array.from({ length: 12 }, (_, i) => call(i)));
      assertEquals([runs, results.filter(({ ran }) => ran).length], [1, 1]);
      const again = await call(1);
      assertEquals(again.ran, false);
      assert(again.at && Math.abs(again.at.getTime() - Date.now()) < 60_000);
      assertEquals((await all[0]!.once("other", { every: "1h" }, () => "b")).ran, true);
    });
    await t.step(`${world.name}: a job that throws counts as not run`, async () => {
      const locks = await world.open();
      await assertRejects(
        () => locks.once("bad", { every: "1h" }, () => Promise.reject(new Error("no paper"))),
        Error,
        "no",
      );
      const result = await locks.once("bad", { every: "1h" }, () => 7);
      assertEquals([result.ran, result.ran && result.value], [true, 7]);
    });
    await t.step(`${world.name}: it is due again when the time has passed`, async () => {
      const locks = await world.open();
      let runs = 0;
      await until(async () => {
        await locks.once("soon", { every: "1s" }, () => ++runs);
        return runs === 2;
      }, "it has run twice");
    });
  }
});

Deno.test("Locks.once() makes up for what was missed, once, or skips it", async () => {
  const clock = new ManualClock();
  await using locks = new Locks(new MemoryLockStore({ now: clock.now }));
  const ran = async (missed: "run" | "skip") => (await locks.once(missed, { every: "1h", missed }, () => {})).ran;
  assertEquals([await ran("run"), await ran("skip")], [true, true]);
  clock.advance("59m");
  assertEquals([await ran("run"), await ran("skip")], [false, false]);
  clock.advance("3m"); // 1 h 2 min: in time
  assertEquals([await ran("run"), await ran("skip")], [true, true]);
  clock.advance("58m"); // 2 h: in time by the hour, and less than an hour after the last run
  assertEquals([await ran("run"), await ran("skip")], [false, true]);
  clock.advance("210m"); // 5 h 30 min: late
  assertEquals([await ran("run"), await ran("skip")], [true, false]);
  assertEquals(await ran("run"), false);
  clock.advance("35m"); // 6 h 5 min: in time
  assertEquals([await ran("run"), await ran("skip")], [false, true]);
});

Deno.test("Locks.once() goes on after the clock of the server jumped, either way", async (t) => {
  for (const kind of ["memory", "redis"] as const) {
    await using world = kind === "redis" ? await redisWorld() : undefined;
    let now = Date.parse("2026-01-01");
    const batch = world && new Batch(new WireClient(world.server!), { commandTimeout: 10_000 });
    await (batch?.client as WireClient | undefined)?.start();
    const store = batch
      ? new RedisLockStore(batch, { namespace: "jumps", now: () => now * 1000 })
      : new MemoryLockStore({ now: () => now });
    const locks = new Locks(store);
    const run = async (missed: "run" | "skip") => (await locks.once(missed, { every: "1h", missed }, () => {})).ran;
    await t.step(kind, async () => {
      assertEquals([await run("run"), await run("skip")], [true, true]);
      now += 36_500 * 86_400_000; // set a hundred years forward, and right again
      assertEquals(await run("run"), true);
      now -= 36_500 * 86_400_000;
      assertEquals(await run("run"), true, "it does not wait for a hundred years");
      assertEquals(await run("run"), false);
      now -= 86_400_000;
      assertEquals([await run("run"), await run("skip")], [true, true]);
      assertEquals([await run("run"), await run("skip")], [false, false]);
      now -= 5000; // as a clock is set right by a little
      assertEquals([await run("run"), await run("skip")], [false, false]);
      now += 3_606_000;
      assertEquals([await run("run"), await run("skip")], [true, true]);
    });
    await locks[Symbol.asyncDispose]();
    await batch?.close();
  }
});

Deno.test("Locks.once() does not keep a run whose lock was lost", async () => {
  await using world = memoryWorld();
  const [a, b] = await Promise.all([world.open(), world.open()]);
  await a.once("x", { every: "1h", ttl: "100ms" }, async ({ signal }) => {
    for (const end = performance.now() + 200; performance.now() < end;);
    await until(() => signal.aborted, "it is lost");
    await b.once("x", { every: "1h" }, () => Promise.reject(new Error("not run"))).catch(() => {});
  });
  assertEquals((await b.once("x", { every: "1h" }, () => {})).ran, true);
});

Deno.test("Locks.once() refuses what cannot be meant", async () => {
  await using world = memoryWorld();
  const locks = await world.open();
  const bad: (() => Promise<unknown>)[] = [
    () => locks.once("", { every: "1h" }, () => {}),
    () => locks.once("x", {} as never, () => {}),
    () => locks.once("x", { every: "1ms" }, () => {}),
    () => locks.once("x", { every: "2000d" }, () => {}),
    () => locks.once("x", { every: "1h", missed: "never" as never }, () => {}),
    () => locks.once("x", { every: "1h", wait: 1 } as never, () => {}),
    () => locks.once("x", { every: "1h" }, undefined as never),
  ];
  for (const call of bad) {
    const error = await assertRejects(call, Error);
    assert(error instanceof TypeError || error instanceof RangeError);
    assertStringIncludes(error.message, "wanted");
  }
});
