import { assertEquals } from "@std/assert";
import {
  argumentsFor,
  explainIgnored,
  parseCounts,
  parseFailed,
  parseIgnored,
  traitsOf,
} from "../../tools/test_output.ts";
import { groupsOf, LONGEST, writeTestGroups } from "../../tools/test_groups.ts";

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

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="1" errors="0" time="0.1">
    <testsuite name="./tests/a_test.ts" tests="5" disabled="2" errors="0" failures="1">
        <testcase name="&quot;a&quot; &lt; b &amp; c (needs promtool)" classname="./tests/a_test.ts" time="0.000" line="1" col="6">
            <skipped/>
        </testcase>
        <testcase name="b" classname="./tests/a_test.ts" time="0.005" line="2" col="6">
        </testcase>
        <testcase name="b &gt; two" classname="./tests/a_test.ts" time="0.000" line="2" col="65">
            <skipped/>
        </testcase>
        <testcase name="c" classname="./tests/a_test.ts" time="0.001" line="3" col="6">
            <failure message="no">no</failure>
        </testcase>
        <testcase name="d" classname="./tests/a_test.ts" time="0.000" line="9" col="65">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

const PRINTED = `./tests/a_test.ts => "a" < b & c (needs promtool) ... \x1b[33mignored\x1b[0m (0ms)
./tests/a_test.ts => b ... two ... ignored (0ms)
./tests/a_test.ts => d ... ignored (0ms)`;

Deno.test("parseIgnored() finds the tests that were ignored, without steps and what a filter left out", () => {
  assertEquals(parseIgnored(REPORT, PRINTED), [
    { file: "tests/a_test.ts", name: '"a" < b & c (needs promtool)' },
    { file: "tests/a_test.ts", name: "d" },
  ]);
  assertEquals(parseIgnored(REPORT, "3 filtered out"), []);
  assertEquals(parseIgnored("", PRINTED), []);
});

Deno.test("parseFailed() finds the files of tests that failed, and the documents of samples", () => {
  const sample = '<testcase name="docs/a.md:7 (needs x)" classname="./.doc_tests/1/docs_samples_test.ts" time="0.0">\n';
  assertEquals(parseFailed(`${REPORT}${sample}<failure message="no">no</failure></testcase>`), [
    "tests/a_test.ts",
    "docs/a.md",
  ]);
  assertEquals(parseFailed(""), []);
});

Deno.test("parseFailed() finds the test of a step that is written in what several files share", () => {
  const fail = '<failure message="no">no</failure>';
  const one = (name: string, file: string, inside = "") =>
    `<testcase name="${name}" classname="./${file}" time="0.0" line="1" col="2">\n${inside}</testcase>`;
  const suite = (name: string, cases: string[]) => `<testsuite name="${name}" tests="1">${cases.join("")}</testsuite>`;
  const shared = "tests/support/run_cases.ts";
  assertEquals(
    parseFailed(
      suite("./tests/b_test.ts", [one("x", "tests/b_test.ts")]) +
        suite("./.doc_tests/1/000_test.ts", [
          one("x", "tests/c_test.ts", fail),
          one("y", "tests/d_test.ts"),
          one("x &gt; step", shared, fail),
        ]),
    ),
    ["tests/c_test.ts"],
  );
  assertEquals(
    parseFailed(suite("./.doc_tests/1/000_test.ts", [
      one("y", "tests/d_test.ts"),
      one("z (needs JSR)", "tests/support/jsr.ts", fail),
    ])),
    ["tests/d_test.ts"],
  );
});

Deno.test("explainIgnored() names the programs that are missing, and for how many", () => {
  assertEquals(explainIgnored(parseIgnored(REPORT, PRINTED), ["openssl", "promtool"]), [
    "Ignored for want of promtool: 1 test",
    "Ignored here, as they say themselves: 1 test\n  tests/a_test.ts: d",
  ]);
  assertEquals(explainIgnored([], ["promtool"]), []);
});

Deno.test("argumentsFor() chooses tests by their whole name", () => {
  assertEquals(argumentsFor(parseIgnored(REPORT, PRINTED)), [
    '--filter=/^(?:"a" < b & c \\(needs promtool\\)|d)$/',
    "tests/a_test.ts",
  ]);
});

Deno.test("groupsOf() has the longest files begin first, by themselves, and each file once", async () => {
  const files = [...Array.from({ length: 20 }, (_, i) => `tests/a/${i}_test.ts`), LONGEST[3]!, LONGEST[1]!];
  const groups = groupsOf(files);
  assertEquals(groups.slice(0, 2), [[LONGEST[1]!], [LONGEST[3]!]]);
  assertEquals(groups.map(({ length }) => length), [1, 1, 12, 8]);
  assertEquals(new Set(groups.flat()), new Set(files));
  for (const path of LONGEST) await Deno.stat(new URL(`../../${path}`, import.meta.url));
});

Deno.test("writeTestGroups() makes modules of what is in folders of tests, and leaves files and all else alone", async () => {
  const root = `${await Deno.makeTempDir()}/`;
  await Deno.mkdir(`${root}tests/a/b`, { recursive: true });
  for (const path of ["a/one_test.ts", "a/b/two_test.ts", "a/tool.ts"]) {
    await Deno.writeTextFile(`${root}tests/${path}`, "");
  }
  const paths = await writeTestGroups(root, ".doc_tests/1", ["./tests/a/", "tests/a/one_test.ts", "src"]);
  assertEquals(paths, ["tests/a/one_test.ts", "src", ".doc_tests/1/000_a_b_test.ts"]);
  assertEquals(
    await Deno.readTextFile(`${root}${paths[2]}`),
    'import "../../tests/a/b/two_test.ts";\nimport "../../tests/a/one_test.ts";\n',
  );
  await Deno.remove(root, { recursive: true });
});
