import { assert, assertEquals } from "@std/assert";
import { Locks, MemoryLockStore, type TakeAnswer, type TakeRequest } from "../../src/locks/mod.ts";
import { until } from "../support/until.ts";

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** A store whose answers may come later than its messages, which take another way. */
class LateStore extends MemoryLockStore {
  /** Milliseconds by which answers come late. */
  late = 0;
  /** How often it was asked. */
  asked = 0;

  override async take(request: TakeRequest, signal?: AbortSignal): Promise<TakeAnswer> {
    this.asked++;
    const answer = await super.take(request, signal);
    if (this.late > 0) await sleep(this.late);
    return answer;
  }
}

Deno.test("Locks.acquire() hears that it was given the lock although the answer comes later", async () => {
  const store = new LateStore();
  await using locks = new Locks(store);
  const first = await locks.acquire("x");
  const second = locks.acquire("x", { wait: "60s" }); // from now on they listen
  await until(() => locks.stats().waiting === 1, "one waits");
  await first.release();
  const lock = await second;
  store.late = 50;
  const third = locks.acquire("x", { wait: "60s", ttl: "1h" });
  await lock.release();
  const since = performance.now();
  await using last = await third;
  assert(performance.now() - since < 30_000, "it was not told");
  assertEquals(last.held, true);
});

Deno.test("a lock that is handed over is held from the message on: nobody asks for it once more", async () => {
  const store = new LateStore();
  await using locks = new Locks(store);
  const first = await locks.acquire("warm");
  const second = locks.acquire("warm", { wait: "60s" });
  await until(() => locks.stats().waiting === 1, "one waits, and listens");
  await first.release();
  await (await second).release();
  store.asked = 0;
  const lock = await locks.acquire("x");
  const waits = Array.from({ length: 20 }, () => locks.withLock("x", { wait: "60s" }, ({ held }) => held));
  await until(() => locks.stats().waiting === 20, "all are in line");
  await lock.release();
  assertEquals(await Promise.all(waits), new Array(20).fill(true));
  assertEquals(store.asked, 21);
});
