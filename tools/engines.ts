/**
 * Runs the tests on each engine that Larder is made for: `deno task engines [options and files for deno test]`. Fetches
 * those that this machine lacks, prints what passed with which version as a table, and ends with 1 where a test failed.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { ENGINES, findRedis } from "./redis.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
const decoder = new TextDecoder();

/** The version that a program says it has, as in "Valkey server v=8.1.1". */
async function versionOf(program: string): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args: ["--version"], stdin: "null" }).output();
  const [, name, version] = /^(\w+) server v=(\S+)/.exec(decoder.decode(stdout)) ?? [];
  return name === undefined ? program : `${name} ${version}`;
}

/** Runs the tests on one engine; the last line is what counts. */
async function run(engine: string, args: readonly string[]): Promise<string[]> {
  Deno.env.set("TEST_REDIS", engine);
  const redis = await findRedis(`${ROOT}.cache`);
  if (!redis) return [engine, "cannot be had on this machine", ""];
  const began = performance.now();
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", `${ROOT}tools/test.ts`, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const text = decoder.decode(stdout);
  const counts = text.trimEnd().split("\n").at(-1) ?? "";
  if (!counts.endsWith(" 0 failed")) console.error(text);
  return [await versionOf(redis.run[0]!), counts, `${Math.round((performance.now() - began) / 1000)} s`];
}

const lines: string[][] = [];
for (const engine of ENGINES) {
  console.error(`${engine} …`);
  lines.push(await run(engine, Deno.args));
}
const table = [["engine", "tests", "took"], ["---", "---", "---"], ...lines];
console.log(table.map((line) => `| ${line.join(" | ")} |`).join("\n"));
Deno.exit(lines.every(([, counts]) => counts!.endsWith(" 0 failed")) ? 0 : 1);
