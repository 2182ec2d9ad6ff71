import type { Run } from "./drive.ts";
import type { RoundOptions } from "./rounds.ts";
import { spawnProgram } from "./start_process.ts";

/** Opens those that do the same work, each in a process of its own, by name. What it is given says where. */
export type Contenders = Readonly<Record<string, (...args: string[]) => Promise<Run>>>;

/** Milliseconds for which all work before it counts, at the same time: the compiler gets to know the code. */
const WARM_UP = 2_500;
/** Rounds before those that count: all are alone by then. */
const FIRST = 2;
const PROGRAM = import.meta.resolve("./contender_process.ts");

/** A contender whose process is ready. */
export interface ReadyContender {
  readonly name: string;
  /** Has it work for so many milliseconds; tells how often it did per second. */
  turn(callers: number, milliseconds: number): Promise<number>;
  /** Has it begin so many times a second; tells the milliseconds that half of them took at most, and 99 of 100. */
  latencies(rate: number, milliseconds: number): Promise<[p50: number, p99: number]>;
  /** Ends its process. */
  end(): Promise<void>;
}

/**
 * Measures contenders as `inRounds()` does, each in a process of its own: as in a service, no other client fills its
 * heap, and the compiler makes nothing of its code for the sake of others. One works at a time.
 *
 * @param module The address of what exports `CONTENDERS`.
 * @param names Who takes part. They are opened in this order, one after the other.
 * @param args What they are given.
 */
export async function inProcesses(
  module: string,
  names: readonly string[],
  args: readonly string[],
  options: RoundOptions,
): Promise<Map<string, number[]>> {
  const { callers, rounds, slice = 50 } = options;
  const rates = new Map<string, number[]>(names.map((name) => [name, []]));
  const all = await openContenders(module, names, args);
  await Promise.all(all.map((contender) => contender.turn(callers, WARM_UP)));
  for (let round = -FIRST; round < rounds; round++) {
    for (let i = 0; i < all.length; i++) {
      const contender = all[(i + round + FIRST) % all.length]!;
      const rate = await contender.turn(callers, slice);
      if (round >= 0) rates.get(contender.name)!.push(rate);
    }
  }
  await Promise.all(all.map((contender) => contender.end()));
  return rates;
}

/** Opens contenders, each in a process of its own, one after the other. */
export async function openContenders(
  module: string,
  names: readonly string[],
  args: readonly string[],
): Promise<ReadyContender[]> {
  const all: ReadyContender[] = [];
  for (const name of names) all.push(await open(module, name, args));
  return all;
}

async function open(module: string, name: string, args: readonly string[]): Promise<ReadyContender> {
  const child = spawnProgram(PROGRAM, module, name, ...args);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = child.stdin.getWriter();
  const encoder = new TextEncoder();
  const told = async (line: string) => {
    await input.write(encoder.encode(line));
    return await answer();
  };
  const answer = async () => {
    const { value } = await lines.read();
    if (value === undefined) throw new Error(`Cannot measure ${name}: its process has ended`);
    return value;
  };
  await answer(); // "ready"
  return {
    name,
    turn: async (callers, milliseconds) => Number(await told(`${callers} ${milliseconds}`)),
    latencies: async (rate, milliseconds) =>
      (await told(`${rate} ${milliseconds} open`)).split(" ").map(Number) as [number, number],
    async end() {
      await input.close();
      await child.status;
    },
  };
}
