import { deepEqual } from "node:assert/strict";
import { connect } from "../../mod.ts";
import { openConnectRedis } from "../peers/connect_redis.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const SESSIONS = 1_000;
const PEER = "connect-redis get + touch";

/** What a shop keeps of somebody. */
function dataOf(i: number): Record<string, unknown> {
  return {
    name: `Customer number ${i}`,
    email: `customer${i}@example.com`,
    roles: ["customer", "reviewer"],
    theme: "dark",
    basket: [{ product: i, count: 1 }, { product: i + 1, count: 2 }],
  };
}

/** A request that reads its session and changes nothing: one round trip, against two of express-session. */
export const SESSIONS_GET: Scenario = {
  name: "sessions-get",
  async run({ server, rounds }) {
    const open = (touchEvery?: number) =>
      connect({
        url: server.url,
        namespace: `larder-bench-${touchEvery ?? "default"}`,
        commandTimeout: "10s",
        ...(touchEvery !== undefined && { sessions: { touchEvery } }),
      });
    await using larder = await open();
    await using eager = await open(0);
    await using peer = await openConnectRedis(server.url);
    const ids: string[] = [];
    const eagerIds: string[] = [];
    for (let i = 0; i < SESSIONS; i++) {
      ids.push((await larder.sessions.create(`user${i}`, dataOf(i))).id);
      eagerIds.push((await eager.sessions.create(`user${i}`, dataOf(i))).id);
      await peer.set(ids[i]!, { userId: `user${i}`, ...dataOf(i) });
    }
    const get = (i: number) => larder.sessions.get(ids[i % SESSIONS]!);
    const roll = (i: number) => eager.sessions.get(eagerIds[i % SESSIONS]!);
    const use = (i: number) => peer.use(ids[i % SESSIONS]!);
    for (const session of [await get(7), await roll(7)]) deepEqual(session?.data, dataOf(7));
    const { cookie: _, userId, ...data } = await use(7);
    deepEqual([userId, data], ["user7", dataOf(7)]);

    const contenders = [
      { name: "get, rolled every 5 min", run: get },
      { name: "get, rolled each time", run: roll },
      { name: PEER, run: use },
    ];
    const rates = await inRounds(contenders, { callers: 64, rounds });
    const [rolled, eachTime] = contenders.map(({ name }) => name) as [string, string];
    const work = "session, 64 callers";
    const peers = new Map([...rates].filter(([name]) => name !== eachTime));
    // Writing each time is what the peer does, and what touchEvery is there to save.
    const without = new Map([...rates].filter(([name]) => name !== rolled));
    return [...compare(work, peers, [rolled], { [PEER]: 1.6 }), ...compare(work, without, [eachTime])];
  },
};
