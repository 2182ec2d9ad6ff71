import { ON_MEMORY } from "../../support/contract_target.ts";
import { CACHE_CASES, STORE_CASES } from "./cache_suite.ts";
import { MemoryHarness } from "./harness.ts";
import { runCases } from "../../support/run_cases.ts";

Deno.test({
  name: "MemoryStore fills the port of the cache",
  ignore: !ON_MEMORY,
  fn: async (t) => {
    await runCases(t, STORE_CASES, () => new MemoryHarness());
  },
});

Deno.test({
  name: "Cache on the embedded store",
  ignore: !ON_MEMORY,
  fn: async (t) => {
    await runCases(t, CACHE_CASES, () => new MemoryHarness());
  },
});
