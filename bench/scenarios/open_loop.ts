import { Redis } from "npm:ioredis@6.0.0";
import { delayed } from "../delayed.ts";
import { addressOf } from "../peers/bentocache.ts";
import { openLarder } from "../peers/larder.ts";
import { openNodeRedis } from "../peers/node_redis.ts";
import { fill } from "../readers.ts";
import { median, type Row } from "../row.ts";
import type { Contender } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { NAMES } from "../workload.ts";

/** Milliseconds for which each asks in each round. */
const SLICE = 500;
/** Rounds that count: each takes long. */
const FEW = 7;

/**
 * Reads that come at a fixed rate, however long those before them take, as from the outside. The latency counts from
 * the moment at which a read was to come, so that nobody gains by asking late.
 */
export const OPEN_LOOP: Scenario = {
  name: "open-loop",
  async run({ server, rounds }) {
    const few = Math.min(rounds, FEW);
    using far = await delayed(server, 1);
    return [
      ...await latencies(server.url, "2,000/s", 2_000, few),
      ...await latencies(server.url, "10,000/s", 10_000, few),
      ...await latencies(far.url, "2,000/s, 1 ms per direction", 2_000, few),
    ];
  },
};

async function latencies(url: string, what: string, rate: number, rounds: number): Promise<Row[]> {
  await using larder = await openLarder(url);
  await using node = await openNodeRedis(url);
  await fill([larder, node]);
  await larder.invalidateByTag("another");
  const io = new Redis({ ...addressOf(url), enableAutoPipelining: true });
  const contenders: Contender[] = [
    { name: "get", run: (i) => larder.read(i) },
    { name: "ioredis auto-pipelined get", run: (i) => io.get(`node-redis:${NAMES[i % NAMES.length]!}`) },
    { name: node.reading, run: (i) => node.read(i) },
  ];
  const found = new Map(contenders.map(({ name }) => [name, { p50: [] as number[], p99: [] as number[] }]));
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round + 1) % contenders.length]!;
      const sorted = (await ask(contender, rate)).sort((a, b) => a - b);
      if (round < 0) continue;
      const { p50, p99 } = found.get(contender.name)!;
      p50.push(sorted[Math.floor(sorted.length * 0.5)]!);
      p99.push(sorted[Math.floor(sorted.length * 0.99)]!);
    }
  }
  io.disconnect();
  const ours = found.get("get")!;
  return [...found].filter(([name]) => name !== "get").flatMap(([name, theirs]) =>
    (["p50", "p99"] as const).map((part): Row => ({
      work: `open loop, ${what}: ${part}`,
      ours: { value: median(ours[part]), unit: "ms" },
      peer: { name, figure: { value: median(theirs[part]), unit: "ms" } },
      ratio: median(ours[part].map((value, round) => theirs[part][round]! / value)),
    }))
  );
}

/** Asks so many times a second, and tells how many milliseconds each took. */
async function ask({ run }: Contender, rate: number): Promise<number[]> {
  const took: number[] = [];
  const running: Promise<unknown>[] = [];
  const start = performance.now();
  const amount = rate * SLICE / 1000;
  for (let next = 0; next < amount;) {
    const due = Math.min(amount, Math.floor((performance.now() - start) * rate / 1000));
    for (; next < due; next++) {
      const at = start + next * 1000 / rate;
      running.push(run(next).then(() => took.push(performance.now() - at)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  return took;
}
