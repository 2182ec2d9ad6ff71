/**
 * Runs the tests: `deno task test [options and files for deno test]`. Finds a Redis, takes the stand-ins of
 * tests/offline when JSR does not answer, says which tests were ignored and why, and ends with the line
 * `N passed, N failed`. `deno task test --ignored` runs what the last run ignored, `--failed` the files in which tests
 * of it failed.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { writeDocTests } from "./doc_tests.ts";
import { importMapArguments } from "./jsr.ts";
import { findRedis, type FoundRedis, NO_REDIS } from "./redis.ts";
import { findProgram, type Program, PROGRAMS } from "../tests/support/program.ts";
import { writeTestGroups } from "./test_groups.ts";
import { argumentsFor, explainIgnored, parseCounts, parseFailed, parseIgnored, traitsOf } from "./test_output.ts";
import type { IgnoredTest } from "./test_output.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
/** Where tests are, the examples of the documents among them. */
const EVERYTHING = ["tests", "mod.ts", "src", "README.md", "docs"];
/** Where the samples of documents are put, and modules of several test files. */
const DOCUMENTS = `.doc_tests/${Deno.pid}`;
/** Where is kept what the last run ignored. */
const IGNORED = `${ROOT}.cache/ignored.json`;
/** Where is kept in which files tests of the last run failed. */
const FAILED = `${ROOT}.cache/failed.json`;
/** At most so many test files at a time, however many processors there are. */
const JOBS = 5;
/** Many tests wait for what they have started, so there is room for more of them than there are processors. */
const SPARE_JOBS = 3;
/** Variables that would change what the tests see. */
const AMBIENT = /^REDIS_|^LARDER_/;

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}${path}`).then(() => true, () => false);
}

/** The permissions that the tests have: loopback, temporary folders, and the programs that they start. */
function permissions(run: string[], redis: FoundRedis, temporary: string): string[] {
  return [
    "--no-prompt",
    `--allow-net=${["127.0.0.1", "localhost", ...redis.net].join(",")}`,
    "--allow-read",
    `--allow-write=${temporary}`,
    `--allow-run=${run.join(",")}`,
    "--allow-env", // ioredis looks through all of it
    "--allow-sys=hostname,osRelease", // so do the clients that the adapters are tested with
  ];
}

/** Where the tests write: Deno 2.1 lets nobody write to a folder with programs in it that may be run. */
function temporaryFolder(run: string[]): string {
  const usual = Deno.env.get("TMPDIR")?.replace(/\/+$/, "") || "/tmp";
  return run.some((program) => program.startsWith(`${usual}/`)) ? `${ROOT}.cache/tmp` : usual;
}

/** The environment of the tests. */
function environment(redis: FoundRedis, temporary: string): Record<string, string> {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !AMBIENT.test(name));
  const colour: Record<string, string> = Deno.stdout.isTerminal() && !Deno.noColor ? { FORCE_COLOR: "1" } : {};
  const jobs = { DENO_JOBS: String(Math.min(JOBS, navigator.hardwareConcurrency + SPARE_JOBS)) };
  return { ...jobs, ...Object.fromEntries(env), ...colour, ...redis.env, TMPDIR: temporary };
}

/** Passes the output of the runner on, and keeps its end and its lines about ignored tests. */
async function tee(output: ReadableStream<Uint8Array>): Promise<{ end: string; ignored: string }> {
  const decoder = new TextDecoder();
  let end = "";
  let ignored = "";
  let line = "";
  for await (const chunk of output) {
    for (let written = 0; written < chunk.length;) written += await Deno.stdout.write(chunk.subarray(written));
    const text = decoder.decode(chunk, { stream: true });
    end = (end + text).slice(-10_000);
    const lines = (line + text).split("\n");
    line = lines.pop()!;
    for (const one of lines) if (one.includes("ignored")) ignored += `${one}\n`;
  }
  return { end, ignored };
}

/** Takes the report of a run, and keeps where it failed and, unless it was a part of another run, what it ignored. */
async function ignoredIn(report: string, output: string, again: boolean): Promise<IgnoredTest[]> {
  const text = await Deno.readTextFile(report).catch(() => "");
  const ignored = parseIgnored(text, output);
  await Deno.remove(report).catch(() => {});
  await Deno.writeTextFile(FAILED, JSON.stringify(parseFailed(text)));
  if (!again) await Deno.writeTextFile(IGNORED, JSON.stringify(ignored));
  return ignored;
}

/** The options and files for `deno test`. */
async function chosen(args: string[]): Promise<string[]> {
  if (args.includes("--ignored")) {
    const last: IgnoredTest[] = JSON.parse(await Deno.readTextFile(IGNORED).catch(() => "[]"));
    return last.length === 0 ? [] : [...args.filter((arg) => arg !== "--ignored"), ...argumentsFor(last)];
  }
  if (args.includes("--failed")) {
    const last: string[] = JSON.parse(await Deno.readTextFile(FAILED).catch(() => "[]"));
    return last.length === 0 ? [] : await chosen([...args.filter((arg) => arg !== "--failed"), ...last]);
  }
  const named = await Promise.all(args.map((arg) => arg.startsWith("-") ? false : exists(arg)));
  const options = args.filter((_, i) => !named[i]);
  const files = named.includes(true) ? args.filter((_, i) => named[i]) : EVERYTHING;
  const { modules, others } = await writeDocTests(ROOT, DOCUMENTS, files);
  return [...options, ...await writeTestGroups(ROOT, DOCUMENTS, others), ...modules];
}

async function main(args: string[]): Promise<number> {
  const options = await chosen(args);
  if (options.length === 0) {
    console.log(
      `The last run ${args.includes("--failed") ? "failed nowhere" : "ignored nothing"}.\n0 passed, 0 failed`,
    );
    return 0;
  }
  const importMap = await importMapArguments();
  const redis = await findRedis(`${ROOT}.cache`);
  if (!redis) {
    console.error(NO_REDIS);
    return 1;
  }
  console.log(`Redis: ${redis.description}.`);
  const { sanitizersAreOff } = traitsOf(Deno.version.deno);
  const programs = await Promise.all((Object.keys(PROGRAMS) as Program[]).map(async (program) => ({
    program,
    path: await findProgram(program),
  })));
  const run = [Deno.execPath(), ...programs.flatMap(({ path }) => path ?? []), ...redis.run];
  const temporary = temporaryFolder(run);
  if (temporary.startsWith(ROOT)) await Deno.mkdir(temporary, { recursive: true });
  await Deno.mkdir(`${ROOT}.cache`, { recursive: true });
  const report = `${ROOT}.cache/tests.${Deno.pid}.xml`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--parallel", `--junit-path=${report}`, ...importMap],
      ...permissions(run, redis, temporary),
      // What is promised of types is a test of its own; all types are checked by `deno task check`.
      ...(args.some((arg) => /^--(no-)?check/.test(arg)) ? [] : ["--no-check"]),
      ...(sanitizersAreOff ? ["--sanitize-ops", "--sanitize-resources"] : []),
      ...options,
    ],
    cwd: ROOT,
    clearEnv: true,
    env: environment(redis, temporary),
    stdin: "inherit",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const [output, { code }] = await Promise.all([tee(child.stdout), child.status]);
  await redis.sweep();
  await Deno.remove(`${ROOT}${DOCUMENTS}`, { recursive: true }).catch(() => {});
  const ignored = await ignoredIn(report, output.ignored, args.includes("--failed"));
  const counts = parseCounts(output.end);
  if (!counts) {
    console.error(`Cannot count the tests: the runner ended with code ${code} before its summary`);
    return code || 1;
  }
  // A file that could not be loaded is in no summary.
  const failed = counts.failed || (code === 0 ? 0 : 1);
  if (failed !== counts.failed) console.error(`The runner ended with code ${code} besides: see above`);
  const missing = programs.filter(({ path }) => path === undefined).map(({ program }) => program);
  for (const line of explainIgnored(ignored, missing)) console.log(line);
  console.log(`${counts.passed} passed, ${failed} failed`);
  return code || (failed > 0 ? 1 : 0);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
