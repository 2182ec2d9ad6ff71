/** How a program is run. */
export interface RunOptions {
  /** Variables on top of those of this process. */
  env?: Record<string, string>;
  /** What it reads from standard input. */
  stdin?: string;
  /** Where it runs. */
  cwd?: string;
}

/**
 * Runs a program and gives what it printed, both outputs together.
 *
 * @throws {Error} If it fails.
 */
export async function run(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { env = {}, stdin, cwd } = options;
  const child = new Deno.Command(program, {
    args,
    env,
    ...(cwd !== undefined && { cwd }),
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { success, code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const text = (decoder.decode(stdout) + decoder.decode(stderr)).trim();
  if (success) return text;
  throw new Error(`"${program} ${args.join(" ").slice(0, 200)}" ended with ${code}: ${text.slice(-2000)}`);
}

/** Whether a program runs and succeeds. */
export async function succeeded(program: string, args: string[], env: Record<string, string> = {}): Promise<boolean> {
  try {
    await run(program, args, { env });
    return true;
  } catch {
    return false;
  }
}
