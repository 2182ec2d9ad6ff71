import { connect } from "../../mod.ts";
import { openByHand, openRedlock } from "../peers/locks.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const OURS = "locks.acquire, release";
const HAND = "SET NX PX by hand";

/** Locks that are free, each acquired and given up; and one that 8 callers hand over to each other. */
export const LOCKS: Scenario = {
  name: "locks",
  async run({ server, rounds }) {
    await using redis = await connect({ url: server.url, namespace: "larder-bench", commandTimeout: "10s" });
    await redis.ready({ timeout: "10s" });
    await using redlock = await openRedlock(server.url);
    await using byHand = await openByHand(server.url);
    const { locks } = redis;
    const contenders = [
      { name: OURS, run: async (i: number) => void await (await locks.acquire(`n${i}`)).release() },
      { name: "redlock acquire, release", run: (i: number) => redlock.cycle(`redlock${i}`) },
      { name: HAND, run: (i: number) => byHand.cycle(`hand${i}`) },
    ];
    const rows = [];
    for (const callers of [1, 64]) {
      const rates = await inRounds(contenders, { callers, rounds });
      rows.push(...compare(`free lock and release, ${callers} caller${callers > 1 ? "s" : ""}`, rates, [OURS]));
    }
    const handed = [
      { name: "hand-over", run: () => locks.withLock("one", { wait: "10m" }, () => {}) },
      { name: HAND, run: (i: number) => byHand.cycle(`alone${i}`) },
    ];
    const rates = await inRounds(handed, { callers: 8, rounds });
    return [...rows, ...compare("lock handed over by 8 callers, beside free ones", rates, ["hand-over"])];
  },
};
