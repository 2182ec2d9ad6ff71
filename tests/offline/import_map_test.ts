import { assertEquals } from "@std/assert";

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
  for (const [name, address] of Object.entries<string>(project.imports)) {
    const replaced = standIns.some((standIn) => standIn === name || standIn.startsWith(`${name}/`));
    assertEquals([name, replaced], [name, address.startsWith("jsr:")]);
  }
});

Deno.test("npm packages are pinned to one version, since there is no lock file", () => {
  for (const address of Object.values<string>(project.imports)) {
    if (address.startsWith("npm:")) assertEquals(address.match(/@\d+\.\d+\.\d+$/)?.length, 1, address);
  }
});
