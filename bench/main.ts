/**
 * Measures Larder beside what else there is, in the same run, and prints the goals with it: `deno task bench`. See
 * README.md.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { RedisServer } from "../tests/support/redis_server.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { REAL_CLIENT } from "./peers/db_redis.ts";
import { isMet, type Row } from "./row.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { table } from "./table.ts";

const NO_DB_REDIS = "JSR did not answer, so there is no @db/redis among the peers.";

async function main({ only, rounds, json }: BenchOptions): Promise<void> {
  const chosen = SCENARIOS.filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length === 0) {
    throw new TypeError(`Cannot run "${only}": wanted one of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  }
  const [load, start] = [Deno.loadavg()[0]!, performance.now()];
  const rows: Row[] = [];
  let redis = "";
  for (const { name, run } of chosen) {
    const begun = performance.now();
    await using server = await RedisServer.start();
    redis ||= /redis_version:(\S+)/.exec(String(await server.cli("INFO", "server")))?.[1] ?? "?";
    rows.push(...await run({ server, rounds }));
    console.error(`${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }
  const about = {
    date: new Date().toISOString(),
    deno: Deno.version.deno,
    redis,
    cores: navigator.hardwareConcurrency,
    load,
    rounds,
    seconds: Math.round((performance.now() - start) / 1000),
  };
  if (json) {
    const judged = rows.map((row) => ({ ...row, met: isMet(row) }));
    console.log(JSON.stringify({ ...about, rows: judged }, null, 2));
    if (!REAL_CLIENT) console.error(NO_DB_REDIS);
    return;
  }
  console.log(table(rows));
  const machine = `${about.cores} cores, load ${load.toFixed(2)} before the run`;
  console.log(
    `\n${about.date} · Deno ${about.deno} · Redis ${redis} · ${machine} · ${rounds} rounds · ${about.seconds} s`,
  );
  if (!REAL_CLIENT) console.log(NO_DB_REDIS);
}

try {
  await main(parseOptions(Deno.args));
} catch (error) {
  if (!(error instanceof TypeError) || !error.message.startsWith("Cannot run")) throw error;
  console.error(`${error.message}\n${USAGE}`);
  Deno.exit(2);
}
// Peers leave timers and sockets behind.
Deno.exit(0);
