/** What the command line asks for. */
export interface BenchOptions {
  /** Part of the names of the scenarios to run. */
  readonly only: string | undefined;
  /** How many rounds count. */
  readonly rounds: number;
  /** Whether to print JSON in place of the table. */
  readonly json: boolean;
}

/** How the program is called. */
export const USAGE = "deno task bench [--only NAME] [--rounds N] [--json]";
const ROUNDS = 15;

/**
 * Reads the command line.
 *
 * @throws {TypeError} If it says something else.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  let only: string | undefined;
  let rounds = ROUNDS;
  let json = false;
  const rest = args.flatMap((arg) => arg.startsWith("--") ? arg.split("=") : [arg]);
  for (let i = 0; i < rest.length; i++) {
    const arg = rest[i]!;
    if (arg === "--json") json = true;
    else if (arg === "--only") only = rest[++i];
    else if (arg === "--rounds") rounds = Number(rest[++i]);
    else throw new TypeError(`Cannot run the benchmark: wanted --only, --rounds or --json, got "${arg}"`);
  }
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new TypeError(`Cannot run the benchmark: wanted a whole number of rounds, got ${rounds}`);
  }
  return { only, rounds, json };
}
