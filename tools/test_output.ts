/** How many tests passed and failed. */
export interface TestCounts {
  passed: number;
  failed: number;
}

/**
 * Reads the counts from the last summary that `deno test` printed.
 *
 * @param output What it printed, with or without colours.
 * @returns The counts, or `undefined` if it ended before its summary.
 */
export function parseCounts(output: string): TestCounts | undefined {
  const last = [...plain(output).matchAll(/^(?:ok|FAILED) \| (\d+) passed(?: \(.*?\))? \| (\d+) failed/gm)].at(-1);
  return last && { passed: Number(last[1]), failed: Number(last[2]) };
}

/** Text without colours. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

/** Which options `deno test` of a version needs. */
export interface RunnerTraits {
  /** Whether it can check types under the compiler options of this project. */
  checks: boolean;
  /** Whether it finds leaks only when it is told to. */
  sanitizersAreOff: boolean;
}

/**
 * Tells what has to be known of a version of Deno.
 *
 * @param version As in `Deno.version.deno`.
 * @returns The traits.
 */
export function traitsOf(version: string): RunnerTraits {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const atLeast = (wanted: number) => major > 2 || (major === 2 && minor >= wanted);
  return { checks: atLeast(6), sanitizersAreOff: atLeast(8) };
}

/** A test that was not run. */
export interface IgnoredTest {
  /** Its module, relative to the root. */
  file: string;
  /** Its name. */
  name: string;
}

/**
 * Finds the tests that were ignored in a report of `deno test --junit-path`. It calls those skipped, too, that a filter
 * left out: the output does not name them.
 *
 * @param report The report.
 * @param output What was printed, or its lines about ignored tests.
 * @returns Those tests, without their steps.
 */
export function parseIgnored(report: string, output: string): IgnoredTest[] {
  const printed = plain(output);
  const cases = casesIn(report);
  return cases
    .filter(({ name, file, skipped }) =>
      skipped && printed.includes(`${name} ... ignored`) &&
      !cases.some((other) => other.file === file && name.startsWith(`${other.name} > `))
    )
    .map(({ name, file }) => ({ file, name }));
}

/**
 * Finds the files of tests that failed in a report of `deno test --junit-path`; of a sample its document.
 *
 * @param report The report.
 * @returns The files, relative to the root.
 */
export function parseFailed(report: string): string[] {
  return [...new Set(report.split("<testsuite ").flatMap(failedIn))];
}

/** The files of the failures of one module, which may have the tests of several files. */
function failedIn(suite: string): string[] {
  const cases = casesIn(suite);
  return cases.filter(({ failed }) => failed).flatMap(({ name, file }) => {
    if (file.startsWith(".doc_tests/")) return name.replace(/:\d+.*$/, "");
    if (TEST_FILE.test(file)) return file;
    // A step is told where it was written, which may be in what several files share: then where its test is, or else
    // wherever a test of the module is.
    const test = cases.find((other) => TEST_FILE.test(other.file) && name.startsWith(`${other.name} > `));
    return test ? test.file : cases.map(({ file }) => file).filter((file) => TEST_FILE.test(file));
  });
}

/** A test or a step of a report, and where it is written, relative to the root. */
interface ReportedTest {
  readonly name: string;
  readonly file: string;
  readonly skipped: boolean;
  readonly failed: boolean;
}

function casesIn(report: string): ReportedTest[] {
  const found = report.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*(?:<(skipped|failure|error)\b)?/g,
  );
  return [...found].map(([, name, file, end]) => ({
    name: unescape(name!),
    file: unescape(file!).replace(/^\.\//, ""),
    skipped: end === "skipped",
    failed: end === "failure" || end === "error",
  }));
}

/** How a file of tests is named. */
export const TEST_FILE: RegExp = /_test\.ts$/;

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (all, code, name) => code ? String.fromCharCode(code) : ENTITIES[name] ?? all,
  );
}

/**
 * Says why tests were ignored.
 *
 * @param ignored The tests.
 * @param missing The programs that this machine lacks.
 * @returns Lines of text.
 */
export function explainIgnored(ignored: readonly IgnoredTest[], missing: readonly string[]): string[] {
  const wanted = ({ name }: IgnoredTest) => missing.find((program) => name.endsWith(`(needs ${program})`));
  const lines: string[] = [];
  for (const program of missing) {
    const count = ignored.filter((test) => wanted(test) === program).length;
    if (count > 0) lines.push(`Ignored for want of ${program}: ${tests(count)}`);
  }
  const others = ignored.filter((test) => wanted(test) === undefined);
  if (others.length > 0) {
    const names = others.slice(0, 5).map(({ file, name }) => `\n  ${file}: ${name}`).join("");
    const more = others.length > 5 ? `\n  and ${tests(others.length - 5)} more` : "";
    lines.push(`Ignored here, as they say themselves: ${tests(others.length)}${names}${more}`);
  }
  return lines;
}

const tests = (count: number): string => count === 1 ? "1 test" : `${count} tests`;

/**
 * Makes the arguments by which `deno test` runs some tests and no others.
 *
 * @param chosen The tests.
 * @returns The arguments.
 */
export function argumentsFor(chosen: readonly IgnoredTest[]): string[] {
  const names = [...new Set(chosen.map(({ name }) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")))];
  return [`--filter=/^(?:${names.join("|")})$/`, ...new Set(chosen.map(({ file }) => file))];
}
