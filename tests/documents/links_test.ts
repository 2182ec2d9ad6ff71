import { assertEquals } from "@std/assert";
import { importMap } from "../support/deno_process.ts";

const ROOT = new URL("../../", import.meta.url);

interface Documentation {
  nodes: { name: string }[] | Record<string, { symbols: { name: string }[] }>;
}

/** The links to symbols that the documentation of an entry point has, and that it does not document. */
async function deadLinks(path: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...importMap(), path],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const { nodes } = JSON.parse(text) as Documentation;
  // Deno 2.1 gives a list, later ones give one for each module.
  const symbols = Array.isArray(nodes) ? nodes : Object.values(nodes).flatMap(({ symbols }) => symbols);
  const names = new Set(symbols.map(({ name }) => name));
  const links = [...text.matchAll(/\{@link(?:code|plain)?\s+([^}]+?)\s*\}/g)].map(([, target]) => target!);
  return links.filter((target) => !target.startsWith("https://") && !names.has(target.split(/[.|\s]/)[0]!));
}

Deno.test("Links in the documentation of each entry point lead somewhere", async (t) => {
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const [name, path] of Object.entries<string>(exports)) {
    await t.step(name, async () => assertEquals(await deadLinks(path), []));
  }
});
