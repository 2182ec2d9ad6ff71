/**
 * Checks the types of all that is in the project, and the documentation of each entry point: `deno task check`.
 *
 * @module
 */
import { importMapArguments } from "./jsr.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
const PLACES = ["mod.ts", "src", "tests", "tools", "examples", "bench"];

async function deno(...args: string[]): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" }).spawn().status;
  if (code !== 0) Deno.exit(code);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}${path}`).then(() => true, () => false);
}

const present = await Promise.all(PLACES.map(exists));
const importMap = await importMapArguments();
await deno("check", ...importMap, ...PLACES.filter((_, i) => present[i]));

const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
await deno("doc", "--lint", ...importMap, ...Object.values<string>(exports));
