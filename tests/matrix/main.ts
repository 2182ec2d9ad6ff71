/**
 * Runs the contract suites on each client, with each version of the protocol, with copies in the process and without,
 * and prints how many tests passed as a table: `deno task matrix`, or `deno task matrix ioredis` for the clients whose
 * names have that in them, `deno task matrix ioredis local` for those with copies. It takes about half an hour, and
 * ends with 1 where one failed.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { importMapArguments } from "../../tools/jsr.ts";
import { KINDS } from "../support/client_kinds.ts";
import { EMBEDDED } from "../support/contract_target.ts";
import { HAS_DB_REDIS } from "../support/jsr.ts";
import { type Counts, countsIn, type Row, type Suite, SUITES, tableOf } from "./table.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);
/** Many tests wait for what they have started. */
const AT_A_TIME = 3;

const importMap = await importMapArguments();

/** Closing iovalkey leaves timers of its own behind for a while. */
function sanitizersFor(client: string): string[] {
  return client.startsWith("iovalkey") ? [] : ["--sanitize-ops", "--sanitize-resources"];
}

/** Runs one suite on one client; what fails goes to the console. */
async function run(client: string, local: boolean, { files }: Suite): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...importMap],
      ...sanitizersFor(client),
      ...files,
    ],
    cwd: ROOT,
    env: { TEST_CLIENT: client, TEST_LOCAL: local ? "1" : "", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) console.log(new TextDecoder().decode(stdout));
  const text = await Deno.readTextFile(report);
  await Deno.remove(report);
  const counts = countsIn(text);
  return success || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

/** Runs all suites on one client, a few at a time. */
async function runAll(client: string, local: boolean): Promise<Counts[]> {
  const counts: Counts[] = [];
  const left = [...SUITES.entries()];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) counts[next[0]] = await run(client, local, next[1]);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return counts;
}

const [part = "", only] = Deno.args;
const rows: Row[] = [];
for (const { name, subscribes } of [{ name: EMBEDDED, subscribes: true }, ...KINDS]) {
  if (!name.includes(part)) continue;
  for (const local of subscribes === false ? [false] : [false, true]) {
    if (only === "local" && !local) continue;
    rows.push({ client: name, local, counts: await runAll(name, local) });
    console.error(tableOf(rows.slice(-1)).split("\n").at(-1));
  }
}
console.log(tableOf(rows));
if (!HAS_DB_REDIS) console.log("@db/redis was left out: JSR does not answer.");
const failed = rows.some(({ counts }) => counts.some(({ failed }) => failed > 0));
Deno.exit(failed ? 1 : 0);
