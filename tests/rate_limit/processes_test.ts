import { assertEquals } from "@std/assert";
import { DenoProcess } from "../support/deno_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { Order, Report } from "./processes_worker.ts";

Deno.test("RateLimiter.check() admits exactly the limit to 5 processes that ask at the same time", async (t) => {
  await using server = await RedisServer.start();
  const script = import.meta.resolve("./processes_worker.ts");
  const workers = Array.from({ length: 5 }, () => DenoProcess.start(script, server.url));
  await using _end = {
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker[Symbol.asyncDispose]();
    },
  };
  for (const worker of workers) assertEquals(await worker.receive(), "ready");
  const ask = async (name: Order["name"], id: string, calls: number) => {
    const order: Order = { name, id, calls, at: Date.now() + 30 };
    const reports = await Promise.all(workers.map(async (worker) => {
      await worker.send(order);
      return await worker.receive<Report>();
    }));
    for (const { sources } of reports) for (const source of sources) assertEquals(source, "redis");
    return reports.reduce((sum, { allowed }) => sum + allowed, 0);
  };
  for (let round = 1; round <= 5; round++) {
    await t.step(`AUTH, 50 calls, round ${round}`, async () => {
      assertEquals(await ask("AUTH", `198.51.100.${round}`, 10), 5);
    });
  }
  await t.step("DEFAULT, 1,000 calls", async () => assertEquals(await ask("DEFAULT", "a", 200), 100));
  await t.step("API, 5,000 calls", async () => assertEquals(await ask("API", "a", 1000), 1000));
});
