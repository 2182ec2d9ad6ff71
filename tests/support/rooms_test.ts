import { assertEquals } from "@std/assert";
import { longLines } from "../../tools/lines.ts";
import { FLOORS, importsIn, misplaced } from "../../tools/rooms.ts";

Deno.test("misplaced() names the file that imports from a floor above, or from a neighbour", () => {
  const up = importsIn("src/util/keys.ts", 'import type { Cache } from "../cache/cache.ts";\n');
  assertEquals(up, [{ from: "src/util/keys.ts", to: "src/cache/cache.ts" }]);
  assertEquals(misplaced(up), [
    "src/util/keys.ts imports src/cache/cache.ts: up, from src/util/ to src/cache/ (FLOORS of tools/rooms.ts)",
  ]);
  const across = importsIn("src/sessions/a.ts", 'export {\n  b,\n} from "../cache/b.ts";\n');
  assertEquals(misplaced(across), [
    "src/sessions/a.ts imports src/cache/b.ts: across, from src/sessions/ to src/cache/ (FLOORS of tools/rooms.ts)",
  ]);
  assertEquals(misplaced(importsIn("src/cache/redis/a.ts", 'import { b } from "../b.ts";\n')), []);
});

Deno.test("misplaced() knows the files that stand on another floor than their folder", () => {
  assertEquals(misplaced(importsIn("src/cache/mod.ts", 'export * from "./redis/store.ts";\n')), []);
  assertEquals(misplaced(importsIn("src/cache/cache.ts", 'const a = await import("./mod.ts");\n')).length, 1);
  assertEquals(misplaced(importsIn("src/lost.ts", 'import "./util/keys.ts";\n')), [
    "src/lost.ts stands in no room: name one in FLOORS of tools/rooms.ts",
  ]);
});

Deno.test("misplaced() tells the way around of files that import each other", () => {
  const imports = ["a", "b", "c"].flatMap((file, i) =>
    importsIn(`src/util/${file}.ts`, `import { x } from "./${["b", "c", "a"][i]}.ts";\n`)
  );
  assertEquals(misplaced(imports), [
    "Files import each other in a circle: src/util/a.ts → src/util/b.ts → src/util/c.ts → src/util/a.ts",
  ]);
  assertEquals(misplaced(imports.slice(0, 2)), []);
});

Deno.test("FLOORS names rooms that there are", async () => {
  for (const room of FLOORS.flat()) await Deno.stat(new URL(`../../${room}`, import.meta.url));
});

Deno.test("longLines() names lines beyond 120 columns; in tests those of comments only", () => {
  const long = "x".repeat(130);
  assertEquals(longLines("src/a.ts", `short\nconst a = "${long}";\n`), ["src/a.ts:2 has 143 columns: 120 at most"]);
  assertEquals(longLines("tests/a_test.ts", `Deno.test("${long}", () => {});\n`), []);
  assertEquals(longLines("tests/a_test.ts", ` * ${long}\n// ${long}\n`).length, 2);
});
