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
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const last = [...plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed(?: \(.*?\))? \| (\d+) failed/gm)].at(-1);
  return last && { passed: Number(last[1]), failed: Number(last[2]) };
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
