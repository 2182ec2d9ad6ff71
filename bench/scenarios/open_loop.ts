import { openContenders } from "../contender_processes.ts";
import { delayed } from "../delayed.ts";
import { median, type Row } from "../row.ts";
import type { Scenario } from "../scenario.ts";

const READS = import.meta.resolve("../contenders/reads.ts");
const OURS = "get";
const PEERS = ["ioredis auto-pipelined get + parse", "node-redis get + parse"];
/** Milliseconds for which each asks in each round. */
const SLICE = 500;
/** Rounds that count, and those before them. */
const [FEW, FIRST] = [7, 2];

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
  const names = [OURS, ...PEERS];
  const contenders = await openContenders(READS, names, [url]);
  const found = new Map(names.map((name) => [name, { p50: [] as number[], p99: [] as number[] }]));
  for (let round = -FIRST; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round + FIRST) % contenders.length]!;
      const [p50, p99] = await contender.latencies(rate, SLICE);
      if (round < 0) continue;
      found.get(contender.name)!.p50.push(p50);
      found.get(contender.name)!.p99.push(p99);
    }
  }
  await Promise.all(contenders.map((contender) => contender.end()));
  const ours = found.get(OURS)!;
  return PEERS.flatMap((name) =>
    (["p50", "p99"] as const).map((part): Row => {
      const theirs = found.get(name)![part];
      return {
        work: `open loop, ${what}: ${part}`,
        ours: { value: median(ours[part]), unit: "ms" },
        peer: { name, figure: { value: median(theirs), unit: "ms" } },
        ratio: median(ours[part].map((value, round) => theirs[round]! / value)),
      };
    })
  );
}
