import { ON_MEMORY, ON_REDIS, startContractServer } from "../support/contract_target.ts";
import { runCases } from "../support/run_cases.ts";
import { MemorySessionHarness, RedisSessionHarness } from "./harness.ts";
import { SESSION_CASES } from "./suite.ts";

Deno.test({
  name: "Sessions on the embedded store",
  ignore: !ON_MEMORY,
  fn: async (t) => {
    await runCases(t, SESSION_CASES, () => new MemorySessionHarness());
  },
});

Deno.test({
  name: "Sessions on Redis",
  ignore: !ON_REDIS,
  fn: async (t) => {
    await using server = await startContractServer();
    await runCases(t, SESSION_CASES, () => new RedisSessionHarness(server));
  },
});

Deno.test({
  name: "Sessions on Redis with several buckets",
  ignore: !ON_REDIS,
  fn: async (t) => {
    await using server = await startContractServer();
    await runCases(t, SESSION_CASES, () => new RedisSessionHarness(server, { buckets: 12 }));
  },
});
