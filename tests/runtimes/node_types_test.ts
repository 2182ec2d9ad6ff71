import { assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";

const ROOT = new URL("../../", import.meta.url);

/** As in a project that knows Node.js alone; all declarations are checked, as far as they are reached. */
const OPTIONS = {
  target: "ES2023",
  lib: ["ESNext"],
  types: ["node"],
  module: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
};

/** What Larder imports and what is needed here, each of a version that is known. */
async function packages(): Promise<Record<string, string>> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const own = Object.entries<string>(imports).flatMap(([name, target]) => {
    const version = /^npm:.+@(.+)$/.exec(target)?.[1];
    return version === undefined ? [] : [[name, version]];
  });
  return { ...Object.fromEntries(own), typescript: "5.9.3", "@types/node": "22.18.0" };
}

const name = "TypeScript that knows Node.js and no browser takes the declarations";

Deno.test(
  await testWith("node22", name, async (node) => {
    const folder = await Deno.makeTempDir({ prefix: "larder-types-" });
    const write = (name: string, value: unknown) => Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value));
    const run = async (program: string, ...args: string[]) => {
      const command = new Deno.Command(program, { args, cwd: folder, stdin: "null" });
      const { success, stdout, stderr } = await command.output();
      const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
      assertEquals(success, true, text);
    };
    try {
      await write("package.json", { name: "app", private: true, type: "module", dependencies: await packages() });
      await write("deno.json", { nodeModulesDir: "auto", lock: false });
      await write("tsconfig.json", { compilerOptions: OPTIONS, files: ["app.ts"] });
      const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
      // The one for @db/redis is for Deno.
      const entries = Object.keys(exports).filter((name) => name !== "./db-redis");
      await Deno.writeTextFile(
        `${folder}/app.ts`,
        entries.map((name, i) => `export * as _${i} from "@larder/larder${name.slice(1)}";\n`).join(""),
      );
      await run(Deno.execPath(), "install", "--quiet");
      await Deno.copyFile(new URL("declarations.mjs", import.meta.url), `${folder}/declarations.mjs`);
      await run(node, "declarations.mjs", ROOT.pathname);
      await run(node, "node_modules/typescript/bin/tsc", "-p", ".");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }),
);
