import { assertEquals } from "@std/assert";
import { documentsIn } from "../../tools/fences.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Behind a type, Deno 2.1 takes `<` and `>` for those of type arguments, and cannot read the module. */
const COMPARED = /\bas (?:const|[a-z]+) [<>]=? /;

Deno.test("No module compares behind `as`, which the oldest Deno that is supported cannot read", async () => {
  const files = (await Promise.all(["mod.ts", "src", "tests", "examples"].map((path) => documentsIn(ROOT, path))))
    .flat();
  const found: string[] = [];
  for (const file of files.filter((file) => file.endsWith(".ts"))) {
    const lines = (await Deno.readTextFile(`${ROOT}${file}`)).split("\n");
    for (const [i, line] of lines.entries()) {
      const code = line.replace(/"[^"]*"|`[^`]*`|\/\/.*|^\s*\/?\*.*/g, "");
      if (COMPARED.test(code)) found.push(`${file}:${i + 1}`);
    }
  }
  assertEquals(found, []);
});
