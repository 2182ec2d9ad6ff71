import { assert, assertEquals } from "@std/assert";
import { type Fence, fencesOf, serves } from "../../tools/fences.ts";
import { readUntil, REDIS_CLIENT, ROOT, startDeno } from "../examples/child.ts";
import { allFences, folderForSamples } from "./samples.ts";
import { type Exchange, exchangesOf, Visitor } from "./visitor.ts";

/** How often each question is asked: what the module closed when it ended is still open for the first, at times. */
const ROUNDS = 3;
const PERMISSIONS = ["--allow-net=127.0.0.1,localhost", "--allow-read", "--allow-env", "--allow-sys"];

/** Whether a process is gone: one that cannot be told apart from one that is about to go counts as running. */
async function hasEnded(child: Deno.ChildProcess): Promise<boolean> {
  return await Promise.race([
    child.status.then(() => true),
    new Promise<false>((resolve) => setTimeout(resolve, 100, false)),
  ]);
}

async function assertServes({ code }: Fence): Promise<void> {
  const folder = await folderForSamples([code]);
  const host = `${ROOT}tests/documents/serve.ts`;
  const child = startDeno(
    [
      "run",
      "--no-prompt",
      "--no-check",
      `--config=${ROOT}deno.json`,
      ...new Set([...REDIS_CLIENT, ...PERMISSIONS]), // each once, or Deno 2.1 refuses
      host,
      `file://${folder}/0.ts`,
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
  // Express has no types of its own, so that Deno cannot check what uses it; it is served all the same.
  const typed = fences.filter(({ code }) => !/from "express"/.test(code));
  const left = typed.filter((fence) => serves(fence) && /\bignore\b/.test(fence.info));
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
  assert(judged("app.listen(3000);\n"));
  assert(judged("await app.listen({ port: 3000 });\n"));
  assert(judged("await Deno.serve(app).finished;\n"));
  assert(!judged("// Deno.serve(app);\n"));
  assert(!judged("const server = Deno.serve(app);\nawait fetch(url);\nawait server.shutdown();\n"));
});
