import { assert, assertEquals, assertGreater, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { LockLostError, type Locks, LockTimeoutError } from "../../src/locks/mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { NAMED, ON_MEMORY, ON_REDIS } from "../support/contract_target.ts";
import { until } from "../support/until.ts";
import { type LockWorld, memoryWorld, redisWorld } from "./stores.ts";

const WORLDS: readonly (() => LockWorld | Promise<LockWorld>)[] = [
  ...ON_MEMORY ? [memoryWorld] : [],
  ...ON_REDIS ? [() => redisWorld(), () => redisWorld(3)] : [],
];

/** Whether the client under test cannot be subscribed with. */
const DEAF = NAMED?.subscribes === false;

function contract(name: string, check: (world: LockWorld, t: Deno.TestContext) => Promise<void>): void {
  Deno.test(name, async (t) => {
    for (const open of WORLDS) {
      await using world = await open();
      await t.step(world.name, async (t) => await check(world, t));
    }
  });
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

contract("Locks.withLock() runs one job at a time, over processes", async (world) => {
  const all = await Promise.all([world.open(), world.open(), world.open()]);
  let [running, most, done] = [0, 0, 0];
  await Promise.all(Array.from({ length: 60 }, (_, i) =>
    all[i % 3]!.withLock("job", { wait: "60s" }, async () => {
      most = Math.max(most, ++running);
      await sleep(i % 7 === 0 ? 2 : 0);
      running--;
      done++;
    })));
  assertEquals([most, done], [1, 60]);
  assertEquals(await world.left(), 0);
});

contract("Lock.token only grows, whoever holds the lock", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const tokens: number[] = [];
  for (let i = 0; i < 20; i++) tokens.push(await (i % 2 ? a : b).withLock("n", (lock) => lock.token));
  for (let i = 0; i < 20; i++) {
    await Promise.all(
      [a, b, a, b].map((locks) => locks.withLock("n", { wait: "30s" }, (lock) => tokens.push(lock.token))),
    );
  }
  for (let i = 1; i < tokens.length; i++) assertGreater(tokens[i]!, tokens[i - 1]!);
  assert(tokens.every(Number.isSafeInteger));
});

contract(
  "Locks.tryAcquire() gives nothing while another holds it, and release() says whether it was held",
  async (world) => {
    const [a, b] = await Promise.all([world.open(), world.open()]);
    const lock = await a.tryAcquire("x");
    assert(lock);
    assertEquals([lock.name, lock.held, lock.signal.aborted], ["x", true, false]);
    assertEquals(await b.tryAcquire("x"), undefined);
    assertEquals(await a.tryAcquire("x"), undefined);
    assert(await b.tryAcquire("y").then((other) => other?.release()));
    assertEquals(await lock.release(), true);
    assertEquals([lock.held, await lock.release(), lock.signal.aborted], [false, true, false]);
    await using again = await b.acquire("x", { wait: 0 });
    assertGreater(again.token, lock.token);
  },
);

contract("Locks.acquire() rejects when the lock is not free in time, and leaves the line", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = await a.acquire("x");
  const error = await assertRejects(() => b.acquire("x", { wait: "80ms" }), LockTimeoutError);
  assertEquals([error.lock, error.milliseconds], ["x", 80]);
  await assertRejects(() => b.acquire("x", { wait: 0 }), LockTimeoutError);
  assertEquals(b.stats().waiting, 0);
  await lock.release();
  await until(async () => await world.left() === 0, "nothing is left");
});

contract("Locks.acquire() ends its wait by its signal, and leaves the line", async (world) => {
  const [a, b, c] = await Promise.all([world.open(), world.open(), world.open()]);
  const lock = await a.acquire("x");
  const controller = new AbortController();
  const waits = b.acquire("x", { wait: "60s", signal: controller.signal });
  waits.catch(() => {});
  await until(() => b.stats().waiting === 1, "b waits");
  const other = c.acquire("x", { wait: "60s" });
  await until(() => c.stats().waiting === 1, "c waits");
  controller.abort(new Error("enough"));
  await assertRejects(() => waits, Error, "enough");
  await lock.release();
  await (await other).release();
  await until(async () => await world.left() === 0, "nothing is left");
  await assertRejects(() => b.acquire("x", { signal: AbortSignal.abort(new Error("before")) }), Error, "before");
});

contract("Locks serve those in line in the order in which they came", async (world) => {
  const all = await Promise.all([world.open(), world.open(), world.open()]);
  const lock = await all[0]!.acquire("x");
  const served: number[] = [];
  const waits: Promise<unknown>[] = [];
  for (let i = 0; i < 30; i++) {
    const locks = all[i % 3]!;
    const before = locks.stats().waiting;
    waits.push(locks.withLock("x", { wait: "60s" }, () => void served.push(i)));
    await until(() => locks.stats().waiting === before + 1, "it waits");
    if (world.server && !DEAF) await until(async () => await lengthOfLine(world) === i + 1, "it stands in line");
  }
  await lock.release();
  await Promise.all(waits);
  // Who cannot be told that it is his turn looks now and then, and there is no order.
  if (DEAF) served.sort((a, b) => a - b);
  assertEquals(served, Array.from({ length: 30 }, (_, i) => i));
  assertEquals(await world.left(), 0);
});

async function lengthOfLine({ server }: LockWorld): Promise<number> {
  const [key] = await server!.cli("KEYS", "*:lockq:*") as string[];
  return key === undefined ? 0 : Number(await server!.cli("ZCARD", key));
}

contract("a job that throws gives its lock up, and the caller sees its error", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  await assertRejects(() => a.withLock("x", () => Promise.reject(new Error("no paper"))), Error, "no paper");
  const thrown = () => {
    throw new Error("no ink");
  };
  await assertRejects(() => a.withLock("x", thrown), Error, "no ink");
  assertEquals(await b.withLock("x", { wait: 0 }, () => "free"), "free");
});

contract("a lock is extended while it is held", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  await using lock = await a.acquire("x", { ttl: "900ms" });
  await sleep(2500);
  assertEquals([lock.held, lock.signal.aborted], [true, false]);
  assertEquals(await b.tryAcquire("x"), undefined);
});

contract("a lock that is held around a call is refused within it, with a sentence", async (world) => {
  const locks = await world.open();
  await locks.withLock("x", async () => {
    for (
      const again of [
        () => locks.withLock("x", () => {}),
        () => locks.acquire("x"),
        () => locks.tryAcquire("x"),
      ]
    ) {
      const error = await assertRejects(again, TypeError);
      assertStringIncludes(error.message, 'Cannot acquire lock "x": wanted one that is not held around this call');
    }
    await locks.withLock("y", () => {});
  });
  await locks.withLock("x", () => {});
});

contract("Locks.semaphore() lets so many in at a time, in order", async (world) => {
  const all = await Promise.all([world.open(), world.open()]);
  let [running, most] = [0, 0];
  const tokens: number[] = [];
  await Promise.all(
    Array.from(
      { length: 40 },
      (_, i) =>
        all[i % 2]!.semaphore("s", { permits: 3, wait: "60s" }).withPermit(async ({ token }) => {
          tokens.push(token);
          most = Math.max(most, ++running);
          await sleep(3);
          running--;
        }),
    ),
  );
  assertEquals(most, 3);
  assertEquals(new Set(tokens).size, 40);
  const semaphore = all[0]!.semaphore("s", { permits: 2 });
  const [a, b, c] = await Promise.all([semaphore.tryAcquire(), semaphore.tryAcquire(), semaphore.tryAcquire()]);
  assertEquals([a?.held, b?.held, c], [true, true, undefined]);
  await assertRejects(() => semaphore.acquire({ wait: "50ms" }), LockTimeoutError);
  await a!.release();
  await using d = await semaphore.acquire({ wait: "20s" });
  assertEquals(d.held, true);
  await using lock = await all[1]!.acquire("s", { wait: 0 }); // another thing
  assertEquals(lock.held, true);
  await b!.release();
});

contract("Locks tell what happens", async (world) => {
  const events: LarderEvent[] = [];
  const [a, b] = await Promise.all([world.open((event) => events.push(event)), world.open()]);
  const other = await b.acquire("x");
  const waits = a.acquire("x", { wait: "30s" });
  await until(() => a.stats().waiting === 1, "a waits");
  await other.release();
  const lock = await waits;
  await assertRejects(() => a.acquire("x", { wait: "30ms" }), LockTimeoutError);
  await lock.release();
  const told = events.filter(({ type }) => type.startsWith("lock.")).map((event) => {
    const { milliseconds: _, ...rest } = event as LarderEvent & { milliseconds: number };
    return rest;
  });
  assertEquals(told, [
    { type: "lock.waited", name: "x", acquired: true },
    { type: "lock.acquired", name: "x", token: lock.token },
    { type: "lock.waited", name: "x", acquired: false },
  ] as never);
  const { waitSeconds, idempotent, once, ...stats } = a.stats();
  assertEquals(stats, { acquired: 1, waited: 2, timedOut: 1, busy: 0, lost: 0, held: 0, waiting: 0 });
  assert(waitSeconds > 0.02, String(waitSeconds));
  assertEquals([idempotent, once], [{ ran: 0, kept: 0, running: 0, failed: 0 }, { ran: 0, skipped: 0, failed: 0 }]);
});

contract("Locks count who found one taken, and what is done once", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = (await a.tryAcquire("x"))!;
  assertEquals(await b.tryAcquire("x"), undefined);
  await lock.release();
  assertEquals([a.stats().busy, b.stats().busy], [0, 1]);
  const turn = Promise.withResolvers<void>();
  const keep = new Uint8Array([1]);
  const begun = Promise.withResolvers<void>();
  const first = a.idempotent("pay", { ttl: "1h" }, async () => {
    begun.resolve();
    await turn.promise;
    return { value: 1, keep };
  });
  await begun.promise;
  assertEquals((await a.idempotent("pay", { ttl: "1h" }, () => ({ value: 2, keep }))).state, "running");
  turn.resolve();
  await first;
  assertEquals((await a.idempotent("pay", { ttl: "1h" }, () => ({ value: 3, keep }))).state, "kept");
  await assertRejects(() => a.idempotent("broken", { ttl: "1h" }, () => Promise.reject(new Error("no"))), Error, "no");
  for (let i = 0; i < 2; i++) await a.once("clean", { every: "1h" }, () => {});
  await assertRejects(() => a.once("dirty", { every: "1h" }, () => Promise.reject(new Error("no"))), Error, "no");
  const { idempotent, once } = a.stats();
  assertEquals(idempotent, { ran: 1, kept: 1, running: 1, failed: 1 });
  assertEquals(once, { ran: 1, skipped: 1, failed: 1 });
});

Deno.test("Locks refuse what cannot be meant, before anything is sent", async (t) => {
  await using world = memoryWorld();
  const locks = await world.open();
  const bad: [string, () => unknown][] = [
    ["no name", () => locks.acquire("")],
    ["a name that is none", () => locks.acquire(7 as never)],
    ["a long name", () => locks.acquire("x".repeat(513))],
    ["a control character", () => locks.tryAcquire("a\nb")],
    ["ttl 0", () => locks.acquire("x", { ttl: 0 })],
    ["ttl too short", () => locks.acquire("x", { ttl: "99ms" })],
    ["ttl too long", () => locks.acquire("x", { ttl: "2d" })],
    ["ttl that is none", () => locks.acquire("x", { ttl: "soon" })],
    ["wait below zero", () => locks.acquire("x", { wait: -1 })],
    ["wait too long", () => locks.acquire("x", { wait: "25h" })],
    ["wait for ever", () => locks.acquire("x", { wait: Infinity })],
    ["an option that is none", () => locks.acquire("x", { tll: 5 } as never)],
    ["a wait where there is none", () => locks.tryAcquire("x", { wait: 5 } as never)],
    ["no job", () => locks.withLock("x", undefined as never)],
    ["a signal that is none", () => locks.acquire("x", { signal: {} as never })],
  ];
  for (const [name, call] of bad) {
    await t.step(name, async () => {
      const error = await assertRejects(async () => await call(), Error) as Error;
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assertStringIncludes(error.message, "wanted");
    });
  }
  for (const permits of [0, -1, 1.5, 1001, NaN, "2", undefined]) {
    await t.step(`permits ${permits}`, () => {
      const error = assertThrows(() => locks.semaphore("x", { permits: permits as never }), Error);
      assertStringIncludes(error.message, '"permits" from 1 to 1000');
    });
  }
  assertEquals(await world.left(), 0);
});

contract("locks end with what they came from: what is held is free, and who waits is told", async (world) => {
  const [a, b] = await Promise.all([world.open(), world.open()]);
  const lock = await a.acquire("x");
  const waits = a.acquire("x", { wait: "60s" });
  waits.catch(() => {});
  await until(() => a.stats().waiting === 1, "a waits");
  await a[Symbol.asyncDispose]();
  assertEquals(lock.held, false);
  await assertRejects(() => waits, Error, "closed");
  await assertRejects(() => a.acquire("x"), Error, "closed");
  await (await b.acquire("x", { wait: "20s" })).release();
});

contract("a lock whose extension does not come through is lost before anybody else can have it", async (world) => {
  const events: LarderEvent[] = [];
  const locks: Locks = await world.open((event) => events.push(event));
  const lock = await locks.acquire("x", { ttl: "600ms" });
  const end = performance.now() + 900;
  while (performance.now() < end); // as a process that was stopped: no timer runs
  assertEquals(lock.held, false);
  await until(() => lock.signal.aborted, "its signal is aborted");
  assert(lock.signal.reason instanceof LockLostError);
  assertEquals(events.filter(({ type }) => type === "lock.lost").length, 1);
  assertEquals(locks.stats().lost, 1);
  await lock.release();
});
