import { REAL_CLIENT } from "./peers/db_redis.ts";

/** Starts a program of the benchmark, with the client that this process has. */
export function spawnProgram(program: string, ...args: string[]): Deno.ChildProcess {
  const importMap = REAL_CLIENT ? [] : [`--import-map=${import.meta.resolve("../tests/offline/import_map.json")}`];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", ...importMap, program, ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

/**
 * Starts a process of a scenario and waits until it says that it is connected.
 *
 * @param program Its address.
 * @param args What it is told.
 * @returns Gives it the word, and takes its report.
 */
export async function startProcess<Report>(program: string, ...args: string[]): Promise<() => Promise<Report>> {
  const child = spawnProgram(program, ...args);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await lines.read(); // "ready"
  return async () => {
    await child.stdin.close();
    const { value } = await lines.read();
    await child.status;
    return JSON.parse(value!);
  };
}
