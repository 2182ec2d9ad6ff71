import type { RedisServer } from "../../tests/support/redis_server.ts";
import { openLarder } from "../peers/larder.ts";
import { openNodeRedis } from "../peers/node_redis.ts";
import { fill } from "../readers.ts";
import { median, type Row } from "../row.ts";
import type { Scenario } from "../scenario.ts";
import { startProcess } from "../start_process.ts";

const PROCESSES = 8;
const CALLERS = 64;
const MILLISECONDS = 1000;
/** Rounds that count: each starts its processes anew. */
const FEW = 2;
const PEERS = ["larder", "node-redis"] as const;
const PROGRAM = import.meta.resolve("../several_processes_process.ts");

/** What processes read together, and what that cost the server. */
interface Total {
  /** Reads a second. */
  readonly rate: number;
  /** Microseconds of the server's processor for each. */
  readonly cost: number;
}

/** Eight processes read from one Redis, as the replicas of a service do: together they can be more than it bears. */
export const SEVERAL_PROCESSES: Scenario = {
  name: "several-processes",
  async run({ server, rounds }) {
    await using larder = await openLarder(server.url);
    await using node = await openNodeRedis(server.url);
    await fill([larder, node]);
    await larder.invalidateByTag("another");
    const totals: Record<typeof PEERS[number], Total[]> = { larder: [], "node-redis": [] };
    for (let round = 0; round < Math.min(rounds, FEW); round++) {
      for (const peer of PEERS) totals[peer].push(await together(peer, server));
    }
    const work = `read hit, ${PROCESSES} processes of ${CALLERS} callers`;
    return [
      row(
        `${work}: all of them`,
        "/s",
        totals.larder.map(({ rate }) => rate),
        totals["node-redis"].map(({ rate }) => rate),
      ),
      row(
        `${work}: processor of the server per read`,
        "µs",
        totals.larder.map(({ cost }) => cost),
        totals["node-redis"].map(({ cost }) => cost),
      ),
    ];
  },
};

async function together(peer: string, server: RedisServer): Promise<Total> {
  const processes = await Promise.all(
    Array.from(
      { length: PROCESSES },
      () => startProcess<{ reads: number }>(PROGRAM, peer, server.url, String(CALLERS), String(MILLISECONDS)),
    ),
  );
  const before = await processorOf(server);
  const reads = (await Promise.all(processes.map((go) => go()))).reduce((sum, { reads }) => sum + reads, 0);
  return { rate: reads * 1000 / MILLISECONDS, cost: (await processorOf(server) - before) * 1e6 / reads };
}

/** Seconds that the server has had a processor. */
async function processorOf(server: RedisServer): Promise<number> {
  const info = String(await server.cli("INFO", "cpu"));
  const seconds = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1]);
  return seconds("used_cpu_user") + seconds("used_cpu_sys");
}

function row(work: string, unit: "/s" | "µs", ours: readonly number[], theirs: readonly number[]): Row {
  return {
    work,
    ours: { value: median(ours), unit },
    peer: { name: "node-redis get + parse", figure: { value: median(theirs), unit } },
    ratio: median(ours.map((value, i) => unit === "/s" ? value / theirs[i]! : theirs[i]! / value)),
  };
}
