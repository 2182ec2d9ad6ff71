import { openBentocache } from "../peers/bentocache.ts";
import { openLarder } from "../peers/larder.ts";
import { fill, ourReaders, readers } from "../readers.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

/** Hits on the embedded store, one caller: no Redis at all. */
export const MEMORY_HIT: Scenario = {
  name: "memory-hit",
  async run({ rounds }) {
    await using larder = await openLarder("memory:");
    await using bentocache = await openBentocache("memory:");
    await fill([larder, bentocache]);
    const own = await ourReaders(larder);
    const rates = await inRounds([...own, ...await readers([bentocache])], { callers: 1, rounds });
    return compare("embedded store hit, 3 tags, 1 caller", rates, own.map(({ name }) => name));
  },
};
