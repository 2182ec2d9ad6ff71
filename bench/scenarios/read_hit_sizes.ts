import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const SIZES = import.meta.resolve("../contenders/sizes.ts");
const CALLERS = 64;
const [NODE_REDIS, IOREDIS] = ["node-redis get + parse", "ioredis auto-pipelined get + parse"] as const;

/** Hits on entries with many tags, and on longer values, by those who are fastest with short ones. */
export const READ_HIT_SIZES: readonly Scenario[] = [
  readHit("read-hit-20-tags", "20 tags", 1.3),
  readHit("read-hit-2-kb", "3 tags, 2 KB", 1.2),
  readHit("read-hit-50-kb", "3 tags, 50 KB", 1),
];

function readHit(name: string, kind: string, goal: number): Scenario {
  return {
    name,
    async run({ server, rounds }) {
      const names = ["get", IOREDIS, NODE_REDIS];
      const rates = await inProcesses(SIZES, names, [server.url, kind], { callers: CALLERS, rounds });
      return compare(`read hit, ${kind}, ${CALLERS} callers`, rates, ["get"], { [NODE_REDIS]: goal });
    },
  };
}
