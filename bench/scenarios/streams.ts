import { connect } from "../../mod.ts";
import { openBullMq } from "../peers/bullmq.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const OURS = "stream";
const KEYED = "stream, 50 keys in order";
const PEER = "BullMQ";
const CONCURRENCY = 64;
/** How many are added and handled in one step. */
const JOBS = 200;

/** Jobs that are added, and that are added and handled, by 64 handlers of the same process. */
export const STREAMS: Scenario = {
  name: "streams",
  async run({ server, rounds }) {
    await using redis = await connect({ url: server.url, namespace: "larder-bench", commandTimeout: "10s" });
    await redis.ready({ timeout: "10s" });
    await using bull = await openBullMq(server.url, "larder-bench-bull", CONCURRENCY);
    const added = redis.streams.stream<{ id: number; text: string }>("added", { maxLength: 100_000 });
    const add = (id: number, key?: string) =>
      added.add({ id, text: "an order of cheese" }, key === undefined ? {} : { key });
    const adds = await inRounds([
      { name: OURS, run: (id) => add(id) },
      { name: KEYED, run: (id) => add(id, `k${id % 50}`) },
      { name: PEER, run: (id) => bull.add(id) },
    ], { callers: 64, rounds });

    const jobs = redis.streams.stream<{ id: number; text: string }>("jobs", { maxLength: 100_000 });
    let left = 0;
    let done = () => {};
    await using _worker = jobs.consume("workers", { concurrency: CONCURRENCY }, () => {
      if (--left === 0) done();
    });
    const handle = async (keyed: boolean) => {
      const handled = new Promise<void>((resolve) => done = resolve);
      left = JOBS;
      const all = Array.from({ length: JOBS }, (_, id) => id);
      await Promise.all(
        all.map((id) => jobs.add({ id, text: "an order of cheese" }, keyed ? { key: `k${id % 50}` } : {})),
      );
      await handled;
    };
    const processed = await inRounds([
      { name: OURS, run: () => handle(false) },
      { name: KEYED, run: () => handle(true) },
      { name: PEER, run: () => bull.handle(JOBS) },
    ], { callers: 1, rounds, slice: 200 });
    const perMessage = new Map(Array.from(processed, ([name, rates]) => [name, rates.map((rate) => rate * JOBS)]));
    return [
      ...compare("message added, 64 callers", adds, [OURS, KEYED]),
      ...compare(`message added and handled, ${CONCURRENCY} handlers`, perMessage, [OURS, KEYED]),
    ];
  },
};
