import { deepEqual } from "node:assert/strict";
import type { LarderPeer } from "./peers/larder.ts";
import type { Peer } from "./peers/peer.ts";
import type { Contender } from "./rounds.ts";
import { KEYS, VALUES } from "./workload.ts";

/** Stores all products. */
export async function fill(peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    for (let i = 0; i < KEYS; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => peer.write(i + j)));
  }
}

/** Reading by each of the peers. */
export function readers(peers: readonly Peer[]): Promise<Contender[]> {
  return checked(peers.map((peer) => ({ name: peer.reading, run: (i) => peer.read(i) })));
}

/** Reading by Larder in both ways. */
export function ourReaders(larder: LarderPeer): Promise<Contender[]> {
  return checked([
    { name: "get", run: (i) => larder.read(i) },
    { name: "getOrSet", run: (i) => larder.readThrough(i) },
  ]);
}

/** Makes sure that each of them hits: a benchmark of misses is soon written. */
async function checked(contenders: Contender[]): Promise<Contender[]> {
  for (const { run } of contenders) {
    const value = await run(7);
    deepEqual(typeof value === "string" ? JSON.parse(value) : value, VALUES[7]);
  }
  return contenders;
}
