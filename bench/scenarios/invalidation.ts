import type { RedisServer } from "../../tests/support/redis_server.ts";
import { openBentocache } from "../peers/bentocache.ts";
import { openLarder } from "../peers/larder.ts";
import type { TaggedPeer } from "../peers/peer.ts";
import { median, type Row } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { valueOf } from "../workload.ts";

/** How many entries are affected. */
const SIZES = [1_000, 10_000, 100_000];
const ENTRIES = 100_000;
/** How often everything is cleared, by size: filling takes its time. */
const CLEARS = [9, 5, 3];
/** Measurements per round. */
const SAMPLES = 10;
/** Milliseconds that an invalidation of 100,000 entries may take. */
const MOST = 1;
/** Times longer that it may take for 100,000 entries than for 1,000, noise included. */
const GROWTH = 1.3;

/** How long an invalidation by tag takes, by the number of entries with the tag among 100,000. */
export const INVALIDATE_TAG: Scenario = {
  name: "invalidate-tag",
  async run({ server, rounds }) {
    await using larder = await openLarder(server.url);
    await using bentocache = await openBentocache(server.url);
    const peers = [larder, bentocache];
    for (const peer of peers) await fillWith(peer, ENTRIES, (i) => SIZES.filter((size) => i < size).map(tagOf));
    const times = new Map<TaggedPeer, number[][]>(peers.map((peer) => [peer, SIZES.map(() => [])]));
    for (let sample = 0; sample < rounds * SAMPLES; sample++) {
      for (const [i, size] of SIZES.entries()) {
        for (const peer of peers) times.get(peer)![i]!.push(await timed(() => peer.invalidateByTag(tagOf(size))));
      }
    }
    return rows("invalidate a tag", peers, times, (peer) => peer.invalidating);
  },
};

/** How long it takes to invalidate everything, by the number of entries. */
export const CLEAR: Scenario = {
  name: "clear",
  async run({ server }: Bench) {
    await using larder = await openLarder(server.url);
    await using bentocache = await openBentocache(server.url);
    const peers = [larder, bentocache];
    for (const peer of peers) await peer.clear();
    const times = new Map<TaggedPeer, number[][]>(peers.map((peer) => [peer, SIZES.map(() => [])]));
    for (const [i, size] of SIZES.entries()) {
      for (const peer of peers) {
        // What was cleared is given back in the background: the next sample starts when that is over.
        for (let sample = 0; sample < CLEARS[i]!; sample++) {
          await fillWith(peer, size, () => []);
          await settled(server);
          times.get(peer)![i]!.push(await timed(() => peer.clear()));
          while (Number(await server.cli("DBSIZE")) > 100) await settled(server);
        }
      }
    }
    return rows("clear", peers, times, () => "bentocache clear");
  },
};

function rows(
  work: string,
  [ours, other]: TaggedPeer[],
  times: ReadonlyMap<TaggedPeer, number[][]>,
  nameOf: (peer: TaggedPeer) => string,
): Row[] {
  const own = times.get(ours!)!.map(median);
  const theirs = times.get(other!)!.map(median);
  const name = nameOf(other!);
  return [
    ...SIZES.map((size, i): Row => ({
      work: `${work}: ${size.toLocaleString("en")} entries`,
      ours: { value: own[i]!, unit: "ms" },
      peer: { name, figure: { value: theirs[i]!, unit: "ms" } },
      ratio: theirs[i]! / own[i]!,
      goal: { of: "ours", most: MOST },
    })),
    {
      work: `${work}: growth from 1,000 to 100,000 entries`,
      ours: { value: own.at(-1)! / own[0]!, unit: "x" },
      peer: { name, figure: { value: theirs.at(-1)! / theirs[0]!, unit: "x" } },
      goal: { of: "ours", most: GROWTH },
    },
  ];
}

function tagOf(size: number): string {
  return `first-${size}`;
}

async function fillWith(peer: TaggedPeer, count: number, tagsOf: (i: number) => string[]): Promise<void> {
  let next = 0;
  const writer = async () => {
    for (let i = next++; i < count; i = next++) await peer.set(`entry:${i}`, valueOf(i), tagsOf(i));
  };
  await Promise.all(Array.from({ length: 256 }, writer));
}

/** Lets the server come to rest. */
async function settled(server: RedisServer): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.cli("PING");
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
