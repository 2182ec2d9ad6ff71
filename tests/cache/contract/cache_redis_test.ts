import { ON_REDIS, startContractServer } from "../../support/contract_target.ts";
import { CACHE_CASES, STORE_CASES } from "./cache_suite.ts";
import { RedisHarness } from "./harness.ts";
import { runCases } from "../../support/run_cases.ts";

Deno.test({
  name: "RedisStore fills the port of the cache",
  ignore: !ON_REDIS,
  fn: async (t) => {
    await using server = await startContractServer();
    await runCases(t, STORE_CASES, () => new RedisHarness(server));
  },
});

Deno.test({
  name: "RedisStore with several buckets fills the port of the cache",
  ignore: !ON_REDIS,
  fn: async (t) => {
    await using server = await startContractServer();
    await runCases(t, STORE_CASES, () => new RedisHarness(server, { buckets: 3 }));
  },
});

Deno.test({
  name: "Cache on Redis",
  ignore: !ON_REDIS,
  fn: async (t) => {
    await using server = await startContractServer();
    await runCases(t, CACHE_CASES, () => new RedisHarness(server));
  },
});
