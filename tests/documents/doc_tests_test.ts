import { assertEquals, assertMatch } from "@std/assert";
import { writeDocTests } from "../../tools/doc_tests.ts";

Deno.test("writeDocTests() makes a module of each sample, and leaves out servers and what is ignored", async () => {
  const root = `${await Deno.makeTempDir()}/`;
  await Deno.mkdir(`${root}docs`);
  const fence = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`;
  const text = fence("ts", "const a = 1;") + fence("sh", "ls") + fence("ts ignore", "b;") +
    fence("ts", "Deno.serve(c);") + fence("js", "d;");
  await Deno.writeTextFile(`${root}docs/a.md`, text);
  const { modules, others } = await writeDocTests(root, "out", ["docs", "tests", "none.txt"]);
  assertEquals({ modules, others }, { modules: ["out/docs_samples_test.ts"], others: ["tests", "none.txt"] });
  const module = await Deno.readTextFile(`${root}${modules[0]}`);
  assertEquals([...module.matchAll(/import\("(.*?)"\)/g)].map(([, path]) => path), [
    "./docs/a.md/2.ts",
    "./docs/a.md/14.js",
  ]);
  assertEquals(await Deno.readTextFile(`${root}out/docs/a.md/2.ts`), "const a = 1;\nexport {};\n");
  await Deno.remove(root, { recursive: true });
});

Deno.test("A sample that fails is a test that fails, under the name of its document and line", async () => {
  const root = `${await Deno.makeTempDir()}/`;
  await Deno.writeTextFile(`${root}a.md`, '# A\n\n```ts\nthrow new Error("no");\n```\n');
  const { modules: [module] } = await writeDocTests(root, "out", ["a.md"]);
  const options = { args: ["test", "--no-config", "--no-lock", module!], cwd: root, env: { NO_COLOR: "1" } };
  const { code, stdout } = await new Deno.Command(Deno.execPath(), options).output();
  assertEquals(code, 1);
  assertMatch(new TextDecoder().decode(stdout), /a\.md:4 \.\.\. FAILED/);
  await Deno.remove(root, { recursive: true });
});
