import { RedisServer } from "../support/redis_server.ts";
import { runCases } from "../support/run_cases.ts";
import { MemorySessionHarness, RedisSessionHarness } from "./harness.ts";
import { SESSION_CASES } from "./suite.ts";

Deno.test("Sessions on the embedded store", async (t) => {
  await runCases(t, SESSION_CASES, () => new MemorySessionHarness());
});

Deno.test("Sessions on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, SESSION_CASES, () => new RedisSessionHarness(server));
});

Deno.test("Sessions on Redis with several buckets", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, SESSION_CASES, () => new RedisSessionHarness(server, { buckets: 12 }));
});
