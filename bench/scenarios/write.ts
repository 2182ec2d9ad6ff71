import { openAll } from "../peers/all.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

/** Stores with three tags; only Larder and bentocache keep the tags. */
export const WRITE: Scenario = {
  name: "write",
  async run({ server, rounds }) {
    await using all = await openAll(server.url);
    const contenders = [all.larder, ...all.others].map((peer) => ({
      name: peer.writing,
      run: (i: number) => peer.write(i),
    }));
    const rates = await inRounds(contenders, { callers: 64, rounds });
    const goals = { "node-redis stringify + set": 0.6 };
    return compare("write, 3 tags, 64 callers", rates, [all.larder.writing], goals);
  },
};
