import { RedisServer } from "../../support/redis_server.ts";
import { CACHE_CASES, STORE_CASES } from "./cache_suite.ts";
import { RedisHarness } from "./harness.ts";
import { runCases } from "../../support/run_cases.ts";

Deno.test("RedisStore fills the port of the cache", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, STORE_CASES, () => new RedisHarness(server));
});

Deno.test("RedisStore with several buckets fills the port of the cache", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, STORE_CASES, () => new RedisHarness(server, { buckets: 3 }));
});

Deno.test("Cache on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, CACHE_CASES, () => new RedisHarness(server));
});
