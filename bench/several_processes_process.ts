/**
 * One of the processes of the scenario `several-processes`: says that it is ready, waits until its input ends, reads
 * for a while and reports how often.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { openLarder } from "./peers/larder.ts";
import { openNodeRedis } from "./peers/node_redis.ts";

const [peer, url = "", callers, milliseconds] = Deno.args;
const { read } = await (peer === "larder" ? openLarder : openNodeRedis)(url);
for (let i = 0; i < 20_000; i += 64) await Promise.all(Array.from({ length: 64 }, (_, j) => read(i + j)));
console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
const end = performance.now() + Number(milliseconds);
let reads = 0;
await Promise.all(Array.from({ length: Number(callers) }, async () => {
  while (performance.now() < end) {
    if (await read(reads++) === undefined) throw new Error("It is not there");
  }
}));
console.log(JSON.stringify({ reads }));
Deno.exit(0);
