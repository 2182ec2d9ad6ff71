/**
 * Checks the rooms of the source, the length of lines, the types of all that is in the project, and the documentation
 * of each entry point: `deno task check`.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { documentsIn } from "./fences.ts";
import { importMapArguments } from "./jsr.ts";
import { withRegistry } from "./jsr_stand_in.ts";
import { longLines } from "./lines.ts";
import { importsIn, misplaced } from "./rooms.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
const DOCUMENTS = ["README.md", "docs", "mod.ts", "src"];
const PLACES = ["mod.ts", "src", "tests", "tools", "examples", "bench"];

async function deno(args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, env, cwd: ROOT, stdin: "null" }).spawn().status;
  if (code !== 0) Deno.exit(code);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}${path}`).then(() => true, () => false);
}

/** The source files of a folder and below, from the root of the project. */
async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
    if (isDirectory) yield* sources(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

const source = ["mod.ts", ...await Array.fromAsync(sources("src"))];
const others = await Promise.all(
  ["tests", "tools", "examples", "bench", "deploy"].map((folder) => Array.fromAsync(sources(folder))),
);
const read = (file: string) => Deno.readTextFile(`${ROOT}${file}`);
const texts = new Map(
  await Promise.all([...source, ...others.flat()].map(async (file) => [file, await read(file)] as const)),
);
const wrong = [
  ...misplaced(source.flatMap((file) => importsIn(file, texts.get(file)!))),
  ...[...texts].flatMap(([file, text]) => longLines(file, text)),
];
for (const line of wrong) console.error(line);
if (wrong.length > 0) Deno.exit(1);

const present = await Promise.all(PLACES.map(exists));
const importMap = await importMapArguments();
await deno(["check", ...importMap, ...PLACES.filter((_, i) => present[i])]);

// The samples of documents, which are run as they are.
const documents = (await Promise.all(DOCUMENTS.map((path) => documentsIn(ROOT, path)))).flat();
await deno(["check", "--doc-only", ...importMap, ...documents]);

const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
await withRegistry((url) => deno(["doc", "--lint", ...Object.values<string>(exports)], { JSR_URL: url }));
