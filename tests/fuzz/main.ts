/**
 * Has every decoder of what is stored or told in Redis read damaged bytes: `deno task fuzz [inputs] [seed]`, by default
 * a million in all.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { RedisServer } from "../support/redis_server.ts";
import { decoders } from "./decoders.ts";
import { fuzz } from "./fuzz.ts";
import { LimitStrings } from "./limits.ts";
import { Random } from "./random.ts";

const [inputs = 1_000_000, seed = 20_261_128] = Deno.args.map(Number);
const all = await decoders();
const each = Math.ceil(inputs / (all.length + 1));
console.log(`${each} inputs for each of ${all.length + 1} decoders, seed ${seed}`);
for (const decoder of all) {
  const { name, read, refused, slowest, total, grown } = await fuzz(decoder, seed, each);
  const figures = [
    `${read} read`,
    `${refused} refused`,
    `slowest ${slowest.toFixed(1)} ms`,
    `${Math.round(total)} ms in all`,
  ];
  console.log(`${name}: ${[...figures, `heap +${(grown / 2 ** 20).toFixed(0)} MiB at most`].join(", ")}`);
}
await using server = await RedisServer.start();
await using strings = await LimitStrings.open(server);
const begun = performance.now();
const count = await strings.run(new Random(seed), each);
console.log(
  `limit string: ${count} read by the scripts, each with an answer that makes sense, ${
    Math.round(performance.now() - begun)
  } ms in all`,
);
