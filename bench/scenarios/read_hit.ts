import { openAll } from "../peers/all.ts";
import { openLarder } from "../peers/larder.ts";
import { fill, ourReaders, readers } from "../readers.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

/** What is aimed at with 64 callers. */
const GOALS = {
  "@db/redis get": 20,
  "bentocache getOrSet": 15,
  "ioredis auto-pipelined get + parse": 1.5,
  "node-redis get + parse": 1.5,
};

/** Hits with three tags, another tag having been invalidated since, as in any service that runs. */
export const READ_HIT_64: Scenario = readHit("read-hit-64", 64, GOALS, {
  "@db/redis get": 20,
  "node-redis get + parse": 1.3,
});
/** The same by one caller, where each command waits for the one before. */
export const READ_HIT_1: Scenario = readHit("read-hit-1", 1, { "node-redis get + parse": 0.9 });
/** The same by many. */
export const READ_HIT_256: Scenario = readHit("read-hit-256", 256, { "node-redis get + parse": 1.4 });
/** The same by few. */
export const READ_HIT_8: Scenario = readHit("read-hit-8", 8, { "node-redis get + parse": 1 });

/** Hits on entries that are older than an invalidation of another tag, as most are in a service that runs. */
export const READ_HIT_INVALIDATED: Scenario = {
  name: "read-hit-invalidated",
  async run({ server, rounds }) {
    await using all = await openAll(server.url);
    const { larder, bentocache, others } = all;
    await fill([larder, ...others]);
    await larder.invalidateByTag("another");
    await bentocache.invalidateByTag("another");
    // A process that was there heard of the invalidation; one that starts later has the server look each tag up.
    await using late = await openLarder(server.url);
    const later = (await ourReaders(late)).map(({ name, run }) => ({ name: `${name}, started later`, run }));
    const own = [...await ourReaders(larder), ...later];
    const rates = await inRounds([...own, ...await readers([bentocache, others.at(-1)!])], { callers: 64, rounds });
    return compare("read hit, 64 callers, another tag was invalidated", rates, own.map(({ name }) => name));
  },
};

function readHit(
  name: string,
  callers: number,
  goals: Record<string, number> = {},
  goalsOfLoads: Record<string, number> = goals,
): Scenario {
  return {
    name,
    async run({ server, rounds }) {
      await using all = await openAll(server.url);
      const { larder, others } = all;
      await fill([larder, ...others]);
      // Without an invalidation, no tag is looked at: that would flatter.
      await larder.invalidateByTag("another");
      const own = await ourReaders(larder);
      const rates = await inRounds([...own, ...await readers(others)], { callers, rounds });
      const work = `read hit, 3 tags, ${callers} ${callers === 1 ? "caller" : "callers"}`;
      const [get, getOrSet] = own.map(({ name }) => name) as [string, string];
      const without = (name: string) => new Map([...rates].filter(([other]) => other !== name));
      return [
        ...compare(work, without(getOrSet), [get], goals),
        ...compare(work, without(get), [getOrSet], goalsOfLoads),
      ];
    },
  };
}
