import { collectGarbage } from "./collect_garbage.ts";
import { drive, driveFor } from "./drive.ts";
import { median, type Row } from "./row.ts";

/** One of those that do the same work. */
export interface Contender {
  /** What it is. */
  readonly name: string;
  /** Does the work once, with key `i`. */
  run(i: number): Promise<unknown>;
}

/** How to measure. */
export interface RoundOptions {
  /** How many callers wait for an answer at any time. */
  readonly callers: number;
  /** How many rounds count. */
  readonly rounds: number;
  /** Milliseconds that each contender has in each round. @default {50} */
  readonly slice?: number;
}

/** Rounds before those that count: the compiler gets to know the code, then the slices are measured out. */
const WARM_UP = 4;

/**
 * Measures all contenders in turn, round after round, so that whatever else the machine does meets all of them. Each
 * round begins with another one.
 *
 * @returns What each did per second in each round, by name.
 */
export async function inRounds(
  contenders: readonly Contender[],
  options: RoundOptions,
): Promise<Map<string, number[]>> {
  const { callers, rounds, slice = 50 } = options;
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const amounts = new Map<string, number>();
  // Not between the slices: a full collection makes the engine forget what it had compiled, and all would start cold.
  collectGarbage();
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + Math.max(0, round)) % contenders.length]!;
      if (round < 0) {
        const rate = await driveFor(contender.run, callers, slice);
        amounts.set(contender.name, Math.max(callers, Math.round(rate * slice / 1000)));
      } else {
        rates.get(contender.name)!.push(await drive(contender.run, callers, amounts.get(contender.name)!));
      }
    }
  }
  return rates;
}

/** One line for each of ours against each of the peers. */
export function compare(
  work: string,
  rates: ReadonlyMap<string, readonly number[]>,
  ours: readonly string[],
  goals: Readonly<Record<string, number>> = {},
): Row[] {
  const peers = [...rates.keys()].filter((name) => !ours.includes(name));
  return ours.flatMap((name) =>
    peers.map((peer): Row => {
      const [own, other] = [rates.get(name)!, rates.get(peer)!];
      const least = goals[peer];
      return {
        work: `${work}: ${name}`,
        ours: { value: median(own), unit: "/s" },
        peer: { name: peer, figure: { value: median(other), unit: "/s" } },
        ratio: median(own.map((rate, round) => rate / other[round]!)),
        ...(least !== undefined && { goal: { of: "ratio", least } }),
      };
    })
  );
}
