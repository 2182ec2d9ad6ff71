import { openBentocache } from "../peers/bentocache.ts";
import { openLarder } from "../peers/larder.ts";
import { fill, ourReaders, readers } from "../readers.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const LEAST = 2_000_000;

/** Hits on the copies that a process keeps of what is in Redis (L1), one caller. */
export const LOCAL_HIT: Scenario = {
  name: "local-hit",
  async run({ server, rounds }) {
    await using larder = await openLarder(server.url, { local: true });
    await using bentocache = await openBentocache(server.url, { local: true });
    await fill([larder, bentocache]);
    const own = await ourReaders(larder);
    const others = await readers([bentocache]);
    for (const { run } of [...own, ...others]) for (let i = 0; i < 1000; i++) await run(i);
    const rates = await inRounds([...own, ...others], { callers: 1, rounds });
    return compare("L1 hit, 3 tags, 1 caller", rates, own.map(({ name }) => name)).map((row) => (
      { ...row, goal: { of: "ours", least: LEAST } }
    ));
  },
};
