/**
 * Runs the tests: `deno task test [options and files for deno test]`. Finds a Redis, takes the stand-ins of
 * tests/offline when JSR does not answer, and ends with the line `N passed, N failed`.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { documentsIn, fencesOf, serves, withoutServers } from "./fences.ts";
import { importMapArguments } from "./jsr.ts";
import { findRedis, type FoundRedis, NO_REDIS } from "./redis.ts";
import { parseCounts, traitsOf } from "./test_output.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
/** Where tests are, the examples of the documents among them. */
const EVERYTHING = ["tests", "mod.ts", "src", "README.md", "docs"];
/** Where the documents are put for Deno, without the servers, which tests/documents/serving_test.ts runs. */
const DOCUMENTS = `.doc_tests/${Deno.pid}`;
/** Variables that would change what the tests see. */
const AMBIENT = /^REDIS_|^LARDER_/;

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}${path}`).then(() => true, () => false);
}

/** Names the files of Deno's doc tests for those that were asked for; what is no document stays as it is. */
async function replaceDocuments(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const documents = /^(?:\.\/)?tests\b/.test(path) ? [] : await documentsIn(ROOT, path);
    if (documents.length === 0) files.push(path);
    for (const document of documents) {
      const text = await Deno.readTextFile(`${ROOT}${document}`);
      if (fencesOf(document, text).every((fence) => serves(fence) || /\bignore\b/.test(fence.info))) continue;
      const file = `${DOCUMENTS}/${document.replace(/(?<!\.md)$/, ".md")}`;
      await Deno.mkdir(`${ROOT}${file.replace(/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${ROOT}${file}`, withoutServers(document, text));
      files.push(file);
    }
  }
  return files;
}

/** The permissions that the tests have: loopback, temporary folders, and the programs that they start. */
function permissions(redis: FoundRedis): string[] {
  const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
  return [
    "--no-prompt",
    `--allow-net=${["127.0.0.1", "localhost", ...redis.net].join(",")}`,
    "--allow-read",
    `--allow-write=${temporary}`,
    `--allow-run=${[Deno.execPath(), "promtool", ...redis.run].join(",")}`,
    "--allow-env", // ioredis looks through all of it
    "--allow-sys=hostname,osRelease", // so do the clients that the adapters are tested with
  ];
}

/** The environment of the tests. */
function environment(redis: FoundRedis): Record<string, string> {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !AMBIENT.test(name));
  const colour: Record<string, string> = Deno.stdout.isTerminal() && !Deno.noColor ? { FORCE_COLOR: "1" } : {};
  return { ...Object.fromEntries(env), ...colour, ...redis.env };
}

/** Passes the output of the runner on and keeps its end. */
async function tee(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let end = "";
  for await (const chunk of output) {
    for (let written = 0; written < chunk.length;) written += await Deno.stdout.write(chunk.subarray(written));
    end = (end + decoder.decode(chunk, { stream: true })).slice(-10_000);
  }
  return end;
}

async function main(args: string[]): Promise<number> {
  const importMap = await importMapArguments();
  const redis = await findRedis(`${ROOT}.cache`);
  if (!redis) {
    console.error(NO_REDIS);
    return 1;
  }
  console.log(`Redis: ${redis.description}.`);
  const { checks, sanitizersAreOff } = traitsOf(Deno.version.deno);
  if (!checks) console.log(`Types are not checked: Deno ${Deno.version.deno} cannot, with "isolatedDeclarations".`);
  const named = await Promise.all(args.map((arg) => arg.startsWith("-") ? false : exists(arg)));
  const options = args.filter((_, i) => !named[i]);
  const files = await replaceDocuments(named.includes(true) ? args.filter((_, i) => named[i]) : EVERYTHING);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--doc", ...importMap, ...permissions(redis)],
      ...(checks || args.includes("--no-check") ? [] : ["--no-check"]),
      ...(sanitizersAreOff ? ["--sanitize-ops", "--sanitize-resources"] : []),
      ...options,
      ...files,
    ],
    cwd: ROOT,
    clearEnv: true,
    env: environment(redis),
    stdin: "inherit",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const [output, { code }] = await Promise.all([tee(child.stdout), child.status]);
  await redis.sweep();
  await Deno.remove(`${ROOT}${DOCUMENTS}`, { recursive: true }).catch(() => {});
  const counts = parseCounts(output);
  if (!counts) {
    console.error(`Cannot count the tests: the runner ended with code ${code} before its summary`);
    return code || 1;
  }
  // A file that could not be loaded is in no summary.
  const failed = counts.failed || (code === 0 ? 0 : 1);
  if (failed !== counts.failed) console.error(`The runner ended with code ${code} besides: see above`);
  console.log(`${counts.passed} passed, ${failed} failed`);
  return code || (failed > 0 ? 1 : 0);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
