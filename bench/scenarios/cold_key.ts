import type { Row } from "../row.ts";
import type { Scenario } from "../scenario.ts";
import { startProcess } from "../start_process.ts";

const PROCESSES = 8;
const CALLERS = 1_250;
const PEERS = ["larder", "bentocache"] as const;
const PROGRAM = import.meta.resolve("../cold_key_process.ts");

/** What a process reports, see `cold_key_process.ts`. */
interface Report {
  loads: number;
  milliseconds: number;
}

/** Ten thousand callers in eight processes want one key that is not there: how often is it loaded? */
export const COLD_KEY: Scenario = {
  name: "cold-key",
  async run({ server }) {
    const [ours, theirs] = [await coldKey(PEERS[0], server.url), await coldKey(PEERS[1], server.url)];
    const work = `one cold key, ${(PROCESSES * CALLERS).toLocaleString("en")} callers in ${PROCESSES} processes`;
    const name = "bentocache getOrSet";
    return [
      row(`${work}: loads`, "loads", name, ours.loads, theirs.loads, { of: "ours", most: 1 }),
      row(`${work}: until the last has it (a load takes 200 ms)`, "ms", name, ours.milliseconds, theirs.milliseconds),
    ];
  },
};

async function coldKey(peer: typeof PEERS[number], url: string): Promise<Report> {
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, () => startProcess<Report>(PROGRAM, peer, url, String(CALLERS))),
  );
  const reports = await Promise.all(processes.map((go) => go()));
  return {
    loads: reports.reduce((sum, { loads }) => sum + loads, 0),
    milliseconds: Math.max(...reports.map(({ milliseconds }) => milliseconds)),
  };
}

function row(
  work: string,
  unit: "loads" | "ms",
  name: string,
  ours: number,
  theirs: number,
  goal?: Row["goal"],
): Row {
  return {
    work,
    ours: { value: ours, unit },
    peer: { name, figure: { value: theirs, unit } },
    ratio: theirs / ours,
    ...(goal && { goal }),
  };
}
