/**
 * Brings the programs that tests use and this machine lacks: `deno run --allow-all tools/programs.ts`. Installs Debian
 * packages where it may, else unpacks them; packages of npm go into the cache folder. The last line is the PATH with
 * all of them.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { findProgram, type Program, PROGRAMS } from "../tests/support/program.ts";
import { unpackDebian } from "./debian.ts";

const CACHE = decodeURIComponent(new URL("../.cache", import.meta.url).pathname);

async function run(program: string, ...args: string[]): Promise<boolean> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  try {
    // What it prints goes beside the PATH.
    const options = { args, env, stdin: "null", stdout: "piped", stderr: "inherit" } as const;
    const { success, stdout } = await new Deno.Command(program, options).output();
    if (!success) console.error(new TextDecoder().decode(stdout));
    return success;
  } catch {
    return false; // there is none
  }
}

const missing: Program[] = [];
for (const program of Object.keys(PROGRAMS) as Program[]) if (!await findProgram(program)) missing.push(program);
const packageOf = (program: Program): string => PROGRAMS[program];
const isOfNpm = (program: Program) => packageOf(program).startsWith("npm:");
const npm = missing.filter(isOfNpm);
const debian = missing.filter((program) => !isOfNpm(program));
const paths = [Deno.env.get("PATH")!];

if (debian.length > 0 && Deno.uid() === 0 && await run("apt-get", "update", "-qq")) {
  await run(
    "apt-get",
    "install",
    "-y",
    "-qq",
    "--no-install-recommends",
    ...debian.map((program) => packageOf(program)),
  );
}
for (const program of debian) {
  if (await findProgram(program)) continue;
  const folder = `${CACHE}/programs/${program}`;
  if (await unpackDebian(folder, { package: packageOf(program), path: `usr/bin/${program}` })) paths.unshift(folder);
}
if (npm.length > 0) {
  const folder = `${CACHE}/programs/npm`;
  const packages = npm.map((program) => packageOf(program).replace("npm:", ""));
  if (await run("npm", "install", "--silent", "--prefix", folder, ...packages)) {
    paths.unshift(`${folder}/node_modules/.bin`);
  }
}
console.log(paths.join(":"));
