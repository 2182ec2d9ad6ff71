import { assertEquals } from "@std/assert";
import { documentsIn } from "../../tools/fences.ts";
import { ROOT } from "../examples/child.ts";

const project = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
const offline = JSON.parse(await Deno.readTextFile(new URL("./import_map.json", import.meta.url)));

Deno.test("The offline import map replaces what comes from JSR and has the same npm packages", async () => {
  const expected: Record<string, unknown> = {};
  for (const [name, address] of Object.entries<string>(project.imports)) {
    if (!address.startsWith("jsr:")) expected[name] = address;
  }
  const standIns: string[] = [];
  for (const [name, address] of Object.entries<string>(offline.imports)) {
    if (!address.startsWith("./")) continue;
    standIns.push(name);
    expected[name] = address;
    await Deno.stat(new URL(address, import.meta.url));
  }
  assertEquals(offline.imports, expected);
  assertEquals(offline.scopes, project.scopes);
  for (const [name, address] of Object.entries<string>(project.imports)) {
    const replaced = standIns.some((standIn) => standIn === name || standIn.startsWith(`${name}/`));
    assertEquals([name, replaced], [name, address.startsWith("jsr:")]);
  }
});

Deno.test("npm packages are pinned to one version, since there is no lock file", () => {
  const packages = { ...project.imports, ...project.scopes["file:///"] };
  for (const address of Object.values<string>(packages)) {
    if (address.startsWith("npm:")) assertEquals(address.match(/@\d+\.\d+\.\d+\/?$/)?.length, 1, address);
  }
});

Deno.test("What only tests, examples and samples need is in a scope: a task downloads all imports before it starts", async () => {
  const sources = await Promise.all(
    (await documentsIn(ROOT, "src")).map((file) => Deno.readTextFile(`${ROOT}${file}`)),
  );
  const code = sources.join("\n").replace(/\/\*\*[\s\S]*?\*\//g, "");
  const needed = (name: string) => new RegExp(`(?:from |import\\()"${name}["/]`).test(code);
  const ofTests = ["@std/assert", "@std/testing"]; // JSR's are not downloaded before they are imported
  assertEquals(Object.keys(project.imports).filter((name) => !needed(name)), ofTests);
  assertEquals(Object.keys(project.scopes["file:///"]).filter(needed), []);
});
