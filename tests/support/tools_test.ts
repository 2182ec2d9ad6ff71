import { assertEquals } from "@std/assert";
import { parseCounts, traitsOf } from "../../tools/test_output.ts";

Deno.test("parseCounts() reads the last summary in every form that it has", () => {
  const cases: [string, { passed: number; failed: number } | undefined][] = [
    ["running 1 test\n\nok | 12 passed | 0 failed (365ms)\n", { passed: 12, failed: 0 }],
    ["ok | 176 passed (96 steps) | 0 failed | 1 ignored (9s)\n", { passed: 176, failed: 0 }],
    ["FAILED | 175 passed (95 steps) | 1 failed (1 step) | 1 ignored (10s)\n\n", { passed: 175, failed: 1 }],
    ["ok | 0 passed | 0 failed | 3 filtered out (1ms)\n", { passed: 0, failed: 0 }],
    ["\x1b[0m\x1b[32mok\x1b[0m | 2 passed | 0 failed \x1b[90m(1ms)\x1b[0m\n", { passed: 2, failed: 0 }],
    ["ok | 1 passed | 0 failed (1ms)\nFAILED | 3 passed | 4 failed (1ms)\n", { passed: 3, failed: 4 }],
    ["a test prints: ok | 9 passed | 0 failed\n", undefined],
    ["error: Type checking failed.\n", undefined],
  ];
  for (const [output, counts] of cases) assertEquals(parseCounts(output), counts, output);
});

Deno.test("traitsOf() knows what each version of Deno needs", () => {
  assertEquals(traitsOf("2.1.4"), { checks: false, sanitizersAreOff: false });
  assertEquals(traitsOf("2.6.0"), { checks: true, sanitizersAreOff: false });
  assertEquals(traitsOf("2.8.0"), { checks: true, sanitizersAreOff: true });
  assertEquals(traitsOf("3.0.0"), { checks: true, sanitizersAreOff: true });
});
