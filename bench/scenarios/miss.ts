import { createClient } from "redis";
import { openBentocache } from "../peers/bentocache.ts";
import { openLarder } from "../peers/larder.ts";
import { compare, type Contender, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { TTL, VALUES } from "../workload.ts";

/** Keys that are not there: each is looked up, loaded and stored. What is done by hand has no lease, and no tags. */
export const MISS_256: Scenario = {
  name: "miss-256",
  async run({ server, rounds }) {
    await using larder = await openLarder(server.url);
    await using bentocache = await openBentocache(server.url);
    const node = createClient({ url: server.url });
    await node.connect();
    const { cache } = larder.larder;
    let next = 0;
    const key = () => `new:${next++}`;
    const value = VALUES[7]!;
    const tags = ["some"];
    const contenders: Contender[] = [
      { name: "getOrSet", run: () => cache.getOrSet(key(), () => value, { tags }) },
      {
        name: "bentocache set after get",
        run: () => bentocache.get(key()).then(() => bentocache.set(key(), value, tags)),
      },
      {
        name: "node-redis get, set",
        async run() {
          const name = key();
          if (await node.get(name) === null) {
            await node.set(name, JSON.stringify(value), { expiration: { type: "EX", value: TTL } });
          }
        },
      },
    ];
    const rates = await inRounds(contenders, { callers: 256, rounds });
    await node.close();
    return compare("miss, load and store, 256 callers", rates, ["getOrSet"]);
  },
};
