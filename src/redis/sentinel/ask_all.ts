import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { type NodeAddress, nodeName } from "../cluster/slot_map.ts";

/** What a Sentinel tells. */
export interface Told {
  /** Where the primary is. */
  readonly primary: NodeAddress;
  /** Since which failover it is that; the newest is right. 0 where the Sentinel does not say. */
  readonly epoch: number;
  /** The other Sentinels that it knows. */
  readonly others: readonly NodeAddress[];
}

/** How long the others are waited for at least once one has told, or could not, in milliseconds. */
const [TOLD, FAILED] = [150, 1000];

/**
 * Asks all Sentinels at once. One may not know yet of a failover, and one may be gone without a sign: what is told by
 * most of them is enough, and by whoever answers in time where they do not.
 *
 * @param sentinels Those who are asked.
 * @param ask Asks one; gives nothing where that one does not answer or does not know, and never rejects.
 * @returns What they told, those of the newest failover first, and then what most of them told.
 */
export async function askAll(
  sentinels: readonly NodeAddress[],
  ask: (at: NodeAddress) => Promise<Told | undefined>,
): Promise<Told[]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const told: Told[] = [];
  const began = performance.now();
  let out = sentinels.length;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (milliseconds: number) => {
    clearTimeout(timer);
    timer = setTimeout(resolve, milliseconds);
  };
  if (out === 0) resolve();
  for (const at of sentinels) {
    ask(at).then((answer) => {
      out--;
      if (answer) told.push(answer);
      if (out === 0 || told.length > sentinels.length / 2) resolve();
      // Where they are far away, the others may come later by as much.
      else if (answer && told.length === 1) end(Math.max(TOLD, 2 * (performance.now() - began)));
      else if (timer === undefined) end(FAILED);
    });
  }
  await promise;
  clearTimeout(timer);
  const votes = (one: Told) => told.filter(({ primary }) => nodeName(primary) === nodeName(one.primary)).length;
  return [...told].sort((a, b) => b.epoch - a.epoch || votes(b) - votes(a));
}
