import { deepEqual } from "node:assert/strict";
import type { Run } from "./drive.ts";
import type { Peer } from "./peers/peer.ts";

import { KEYS, VALUES } from "./workload.ts";

/** Stores all products. */
export async function fill(peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    for (let i = 0; i < KEYS; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => peer.write(i + j)));
  }
}

/** Makes sure that a read hits: a benchmark of misses is soon written. */
export async function checked(run: Run): Promise<Run> {
  const value = await run(7);
  deepEqual(typeof value === "string" ? JSON.parse(value) : value, VALUES[7]);
  return run;
}
