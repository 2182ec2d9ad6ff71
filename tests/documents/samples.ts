import { documentsIn, type Fence, fencesOf } from "../../tools/fences.ts";
import { ROOT } from "../examples/child.ts";

/** All code in the documents of the project. */
export async function allFences(): Promise<Fence[]> {
  const files = await Promise.all(["README.md", "docs", "mod.ts", "src"].map((path) => documentsIn(ROOT, path)));
  const fences: Fence[] = [];
  for (const file of files.flat()) {
    const text = await Deno.readTextFile(`${ROOT}${file}`).catch(() => ""); // where there is no README, as in a package
    fences.push(...fencesOf(file, text));
  }
  return fences;
}

/** A folder with samples, the first of them `0.ts`, and with what they read. */
export async function folderForSamples(samples: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/public/images`, { recursive: true });
  await Deno.copyFile(`${ROOT}tests/images/fixtures/png.png`, `${folder}/public/images/logo.png`);
  await Deno.mkdir(`${folder}/build`); // of a framework
  await Deno.writeTextFile(
    `${folder}/build/handler.js`,
    "export const handler = (_, response) => response.end('page');",
  );
  for (const [i, code] of samples.entries()) await Deno.writeTextFile(`${folder}/${i}.ts`, `${code}export {};\n`);
  return folder;
}
