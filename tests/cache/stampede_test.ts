import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { DenoProcess } from "../support/deno_process.ts";
import { namespaceOf } from "../support/open_cache.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { Order, Report } from "./stampede_worker.ts";

/** Processes that are connected. */
class Workers implements AsyncDisposable {
  readonly all: readonly DenoProcess[];

  private constructor(all: readonly DenoProcess[]) {
    this.all = all;
  }

  static async start(count: number, server: RedisServer): Promise<Workers> {
    const script = import.meta.resolve("./stampede_worker.ts");
    const start = () => DenoProcess.start(script, server.url, namespaceOf(server));
    const workers = new Workers(Array.from({ length: count }, start));
    for (const worker of workers.all) assertEquals(await worker.receive(), "ready");
    return workers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((worker) => worker[Symbol.asyncDispose]()));
  }
}

const spread = (numbers: readonly number[]): string => `${Math.min(...numbers)} to ${Math.max(...numbers)} ms`;

Deno.test("Cache.getOrSet() loads once for 10,000 callers in 8 processes", async () => {
  await using server = await RedisServer.start();
  await using workers = await Workers.start(8, server);
  for (const takes of [200, 0]) {
    const order: Order = { what: "get", key: `cold-${takes}`, callers: 1250, takes, lease: "10s" };
    const reports = await Promise.all(workers.all.map(async (worker) => {
      await worker.send(order);
      let report = await worker.receive<Report | "missed">();
      if (report === "missed") report = await worker.receive<Report>();
      return report as Report;
    }));
    assertEquals(reports.map(({ returned }) => returned.length), Array(8).fill(1250));
    assertEquals(reports.reduce((sum, { loads }) => sum + loads, 0), 1);
    assertEquals(new Set(reports.flatMap(({ values }) => values)).size, 1);
  }
});

Deno.test("Cache.getOrSet() replaces a loader that was killed once its lease ends", async (t) => {
  await using server = await RedisServer.start();
  await using workers = await Workers.start(7, server);
  const holders = workers.all.slice(0, 3);
  const waiters = workers.all.slice(3);
  for (const [i, after] of [0, 450, 1300].entries()) {
    await t.step(`killed after ${after} ms`, async () => {
      const holder = holders[i]!;
      const key = `killed-${after}`;
      await holder.send({ what: "hold", key, callers: 1, takes: 0, lease: "1s" } satisfies Order);
      assertEquals(await holder.receive(), "loading");
      const order: Order = { what: "get", key, callers: 100, takes: 0, lease: "1s" };
      await Promise.all(waiters.map(async (waiter) => {
        await waiter.send(order);
        assertEquals(await waiter.receive(), "missed");
      }));
      await new Promise((resolve) => setTimeout(resolve, after)); // the point of the lease at which it dies
      const killed = Date.now();
      await holder.kill();
      const reports = await Promise.all(waiters.map((waiter) => waiter.receive<Report>()));
      assertEquals(reports.reduce((sum, { loads }) => sum + loads, 0), 1);
      const waits = reports.flatMap(({ returned }) => returned.map((time) => time - killed));
      assertEquals(waits.length, 400);
      assert(Math.min(...waits) >= 0, "somebody did not wait for the holder");
      // The lease, and what a busy machine takes on top.
      assertLessOrEqual(Math.max(...waits), 3000, spread(waits));
      // deno-lint-ignore no-console
      console.log(`400 callers of 4 processes waited ${spread(waits)} after the kill`);
    });
  }
});
