import { CACHE_CASES, STORE_CASES } from "./cache_suite.ts";
import { MemoryHarness } from "./harness.ts";
import { runCases } from "../../support/run_cases.ts";

Deno.test("MemoryStore fills the port of the cache", async (t) => {
  await runCases(t, STORE_CASES, () => new MemoryHarness());
});

Deno.test("Cache on the embedded store", async (t) => {
  await runCases(t, CACHE_CASES, () => new MemoryHarness());
});
