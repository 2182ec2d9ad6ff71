import { assert, assertEquals } from "@std/assert";
import { documentsIn, type Fence, fencesOf, serves } from "../../tools/fences.ts";
import { readUntil, REDIS_CLIENT, ROOT, startDeno } from "../examples/child.ts";
import { type Exchange, exchangesOf, Visitor } from "./visitor.ts";

/** How often each question is asked: what the module closed when it ended is still open for the first, at times. */
const ROUNDS = 3;
const PERMISSIONS = ["--allow-net=127.0.0.1", "--allow-read", "--allow-env", "--allow-sys"];

async function allFences(): Promise<Fence[]> {
  const files = await Promise.all(["README.md", "docs", "mod.ts", "src"].map((path) => documentsIn(ROOT, path)));
  const fences: Fence[] = [];
  for (const file of files.flat()) {
    const text = await Deno.readTextFile(`${ROOT}${file}`).catch(() => ""); // where there is no README, as in a package
    fences.push(...fencesOf(file, text));
  }
  return fences;
}

/** A folder with what the samples read. */
async function folderWithImages(code: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/public/images`, { recursive: true });
  await Deno.copyFile(`${ROOT}tests/images/fixtures/png.png`, `${folder}/public/images/logo.png`);
  await Deno.writeTextFile(`${folder}/sample.ts`, code);
  return folder;
}

/** Whether a process is gone: one that cannot be told apart from one that is about to go counts as running. */
async function hasEnded(child: Deno.ChildProcess): Promise<boolean> {
  return await Promise.race([
    child.status.then(() => true),
    new Promise<false>((resolve) => setTimeout(resolve, 100, false)),
  ]);
}

async function assertServes({ code }: Fence): Promise<void> {
  const folder = await folderWithImages(code);
  const host = `${ROOT}tests/documents/serve.ts`;
  const child = startDeno(
    [
      "run",
      "--no-prompt",
      "--no-check",
      `--config=${ROOT}deno.json`,
      ...new Set([...REDIS_CLIENT, ...PERMISSIONS]), // each once, or Deno 2.1 refuses
      host,
      `file://${folder}/sample.ts`,
    ],
    { cwd: folder },
  );
  const errors = new Response(child.stderr).text();
  try {
    const [, port] = await readUntil(/serves on port (\d+)/, child.stdout);
    const visitor = new Visitor(`http://127.0.0.1:${port}`);
    const told = exchangesOf(code);
    const asked: Exchange[] = told.length > 0 ? told : [{ method: "GET", path: "/" }];
    for (let round = 0; round < ROUNDS; round++) {
      for (const exchange of asked) {
        const { status, text } = await visitor.ask(exchange);
        const { method, path, status: wanted } = exchange;
        const message = `${method} ${path}, round ${round + 1}: ${status} ${text.slice(0, 200)}`;
        if (wanted === undefined) assert(status < 500, message);
        else assertEquals(status, wanted, message);
      }
    }
    child.kill("SIGTERM");
    const { code: ended, signal } = await child.status;
    if (/addSignalListener\("SIGTERM"/.test(code)) assertEquals({ ended, signal }, { ended: 0, signal: null });
  } catch (error) {
    if (!await hasEnded(child)) child.kill("SIGKILL");
    throw new Error(`The server failed; it said:\n${await errors}`, { cause: error });
  } finally {
    await Promise.all([child.status, child.stdout.cancel(), errors]);
    await Deno.remove(folder, { recursive: true });
  }
}

const fences = await allFences();

for (const fence of fences) {
  if (!serves(fence)) continue;
  Deno.test(`${fence.file}:${fence.line} serves`, () => assertServes(fence));
}

Deno.test("No server of a document is left out", () => {
  const left = fences.filter((fence) => serves(fence) && /\bignore\b/.test(fence.info));
  assertEquals(left.map(({ file, line }) => `${file}:${line}`), []);
});

Deno.test("fencesOf() finds code in Markdown and in JSDoc, at its line", () => {
  const markdown = "# A\n\n```ts\nDeno.serve(() => new Response());\n```\n\n```sh\nls\n```\n";
  assertEquals(fencesOf("a.md", markdown).map(({ line, info }) => ({ line, info })), [
    { line: 4, info: "ts" },
    { line: 8, info: "sh" },
  ]);
  const jsdoc =
    "const a = 1;\n/**\n * ```ts ignore\n * await a;\n *\n * b;\n * ```\n */\nexport const b = `\n```ts\n`;\n";
  assertEquals(fencesOf("a.ts", jsdoc), [{ file: "a.ts", line: 4, info: "ts ignore", code: "await a;\n\nb;\n" }]);
});

Deno.test("serves() is about what starts a server and leaves it running", () => {
  const judged = (code: string) => serves({ file: "a.md", line: 1, info: "ts", code });
  assert(judged("Deno.serve(app);\n"));
  assert(judged("const server = Deno.serve({ port: 80 }, app);\n"));
  assert(judged("await Deno.serve(app).finished;\n"));
  assert(!judged("// Deno.serve(app);\n"));
  assert(!judged("const server = Deno.serve(app);\nawait fetch(url);\nawait server.shutdown();\n"));
});
