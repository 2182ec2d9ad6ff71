/**
 * The process of one contender: opens it, says so, and does its work as it is told, line by line: `callers
 * milliseconds`, answered with how often it did per second; or `rate milliseconds open`, which many times a second it
 * begins anew, answered with the milliseconds that half of them took at most, and 99 of 100.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import type { Contenders } from "./contender_processes.ts";
import { drive, driveFor, latencies } from "./drive.ts";

const [module = "", name = "", ...args] = Deno.args;
const { CONTENDERS } = await import(module) as { CONTENDERS: Contenders };
const run = await CONTENDERS[name]!(...args);
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
/** How much fits into a turn, by what it is told. */
const amounts = new Map<string, number>();
console.log("ready");
for (let line = await lines.read(); !line.done; line = await lines.read()) {
  const [count = 1, milliseconds = 0] = line.value.split(" ").map(Number);
  if (line.value.endsWith("open")) {
    const sorted = (await latencies(run, count, milliseconds)).sort((a, b) => a - b);
    console.log([0.5, 0.99].map((part) => sorted[Math.floor(sorted.length * part)]).join(" "));
    continue;
  }
  const amount = amounts.get(line.value);
  const rate = await (amount === undefined ? driveFor(run, count, milliseconds) : drive(run, count, amount));
  if (amount === undefined) amounts.set(line.value, Math.max(count, Math.round(rate * milliseconds / 1000)));
  console.log(rate);
}
Deno.exit(0);
