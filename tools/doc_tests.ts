import { isBuiltin } from "node:module";
import { documentsIn, type Fence, fencesOf, serves } from "./fences.ts";

/** Where TypeScript is looked for in documents. */
const CODE = /^(?:ts|js|typescript|javascript)\b/;

/**
 * Puts the samples of documents where `deno test` finds them: each is a module of its own, and all of them are loaded
 * one after the other by one test module, so that Larder is loaded once and not once for each. Servers do not end, so
 * they are left to tests/documents/serving_test.ts.
 *
 * @param root The folder of the project, with a slash at the end.
 * @param folder Where to, in it.
 * @param paths Documents, and folders with documents.
 * @returns The test module, relative to the root, and paths that are no documents.
 */
export async function writeDocTests(
  root: string,
  folder: string,
  paths: readonly string[],
): Promise<{ modules: string[]; others: string[] }> {
  const others: string[] = [];
  const modules: string[] = [];
  for (const path of paths) {
    const documents = /^(?:\.\/)?tests\b/.test(path) ? [] : await documentsIn(root, path);
    if (documents.length === 0) others.push(path);
    const samples: Fence[] = [];
    for (const document of documents) {
      const fences = fencesOf(document, await Deno.readTextFile(`${root}${document}`));
      samples.push(
        ...fences.filter((fence) => CODE.test(fence.info) && !/\bignore\b/.test(fence.info) && !serves(fence)),
      );
    }
    if (samples.length > 0) modules.push(await writeModule(root, folder, path, samples));
  }
  return { modules, others };
}

async function writeModule(root: string, folder: string, path: string, samples: readonly Fence[]): Promise<string> {
  const name = path.replace(/^\.\//, "").replace(/\/+$/, "");
  const lines: string[] = [];
  for (const { file, line, info, code } of samples) {
    const sample = `${folder}/${file}/${line}.${info.startsWith("j") ? "js" : "ts"}`;
    await Deno.mkdir(`${root}${folder}/${file}`, { recursive: true });
    // A module even where nothing is imported, so that names of one are not those of another.
    await Deno.writeTextFile(`${root}${sample}`, `${code}export {};\n`);
    const lacking = lackingIn(code);
    const title = `${file}:${line}${lacking === undefined ? "" : ` (needs ${lacking})`}`;
    const options = lacking === undefined ? "" : "{ ignore: true }, ";
    const run = `async () => void await import("${relative(folder, name, sample)}")`;
    lines.push(`Deno.test("${title}", ${options}${run});\n`);
  }
  const module = `${folder}/${name}_samples_test.ts`;
  await Deno.mkdir(`${root}${module.replace(/[^/]*$/, "")}`, { recursive: true });
  await Deno.writeTextFile(`${root}${module}`, lines.join(""));
  return module;
}

/** What a sample imports of Node, and an older Deno does not have yet. */
function lackingIn(code: string): string | undefined {
  return [...code.matchAll(/from "(node:[\w/]+)"/g)].map(([, name]) => name!).find((name) => !isBuiltin(name));
}

/** The specifier of a sample within the module of its tests. */
function relative(folder: string, name: string, sample: string): string {
  const up = "../".repeat(name.split("/").length - 1);
  return `./${up}${sample.slice(folder.length + 1)}`;
}
