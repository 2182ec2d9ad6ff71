import { delayed } from "../delayed.ts";
import { openAll } from "../peers/all.ts";
import { fill, ourReaders, readers } from "../readers.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const DELAY = 1;
/** One that waits varies less than one that computes, and takes longer. */
const FEW = 7;
const GOALS = { "@db/redis get": 60, "node-redis get + parse": 1 };

/** Hits with three tags over a network that takes a millisecond per direction. */
export const READ_HIT_DELAYED: Scenario = {
  name: "read-hit-delayed",
  async run({ server, rounds }) {
    using far = await delayed(server, DELAY);
    await using near = await openAll(server.url);
    await fill([near.larder, ...near.others]);
    await using all = await openAll(far.url);
    const own = await ourReaders(all.larder);
    const rates = await inRounds([...own, ...await readers(all.others)], {
      callers: 64,
      rounds: Math.min(rounds, FEW),
    });
    return compare("read hit, 3 tags, 64 callers, 1 ms per direction", rates, own.map(({ name }) => name), GOALS);
  },
};
