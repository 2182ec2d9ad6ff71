import { deepEqual } from "node:assert/strict";
import { connect } from "../../mod.ts";
import type { Contenders } from "../contender_processes.ts";
import type { Run } from "../drive.ts";

const SESSIONS = 1_000;

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

/** Reads of sessions, at a URL. */
export const CONTENDERS: Contenders = {
  "get, rolled every 5 min": (url) => reading(url),
  "get, rolled each time": (url) => reading(url, 0),
  async "connect-redis get + touch"(url) {
    const peer = await (await import("../peers/connect_redis.ts")).openConnectRedis(url);
    const ids = Array.from({ length: SESSIONS }, () => crypto.randomUUID());
    for (const [i, id] of ids.entries()) await peer.set(id, { userId: `user${i}`, ...dataOf(i) });
    const { cookie: _, userId, ...data } = await peer.use(ids[7]!);
    deepEqual([userId, data], ["user7", dataOf(7)]);
    return (i) => peer.use(ids[i % SESSIONS]!);
  },
};

async function reading(url: string, touchEvery?: number): Promise<Run> {
  const { sessions } = await connect({
    url,
    namespace: `larder-bench-${touchEvery ?? "default"}`,
    commandTimeout: "10s",
    ...(touchEvery !== undefined && { sessions: { touchEvery } }),
  });
  const ids: string[] = [];
  for (let i = 0; i < SESSIONS; i++) ids.push((await sessions.create(`user${i}`, dataOf(i))).id);
  deepEqual((await sessions.get(ids[7]))?.data, dataOf(7));
  return (i) => sessions.get(ids[i % SESSIONS]!);
}
