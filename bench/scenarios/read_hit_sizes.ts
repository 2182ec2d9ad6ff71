import { deepEqual } from "node:assert/strict";
import { Redis } from "npm:ioredis@6.0.0";
import { createClient } from "redis";
import { connect } from "../../mod.ts";
import { addressOf } from "../peers/bentocache.ts";
import { compare, type Contender, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { KEYS, NAMES, type Product, tagsOf, TTL, valueOf } from "../workload.ts";

const CALLERS = 64;
const [NODE_REDIS, IOREDIS] = ["node-redis get + parse", "ioredis auto-pipelined get + parse"];

/** Hits on entries with many tags, and on longer values, by those who are fastest with short ones. */
export const READ_HIT_SIZES: readonly Scenario[] = [
  readHit(
    "read-hit-20-tags",
    "20 tags",
    1.3,
    valueOf,
    (i) => Array.from({ length: 20 }, (_, j) => `tag:${j}:${i % 50}`),
  ),
  readHit("read-hit-2-kb", "3 tags, 2 KB", 1.2, (i) => long(i, 2_000), tagsOf),
  readHit("read-hit-50-kb", "3 tags, 50 KB", 1, (i) => long(i, 50_000), tagsOf),
];

function long(i: number, length: number): Product {
  return { ...valueOf(i), description: "A thing that everybody needs. ".repeat(length / 30) };
}

function readHit(
  name: string,
  what: string,
  goal: number,
  value: (i: number) => Product,
  tags: (i: number) => string[],
): Scenario {
  return {
    name,
    async run({ server, rounds }) {
      await using larder = await connect({
        url: server.url,
        namespace: "larder-bench",
        commandTimeout: "10s",
        cache: { ttl: TTL },
      });
      const { cache } = larder;
      await using ends = new AsyncDisposableStack();
      const node = createClient({ url: server.url });
      await node.connect();
      ends.defer(() => node.close());
      const io = new Redis({ ...addressOf(server.url), enableAutoPipelining: true });
      ends.defer(() => io.disconnect());
      const plain = NAMES.map((name) => `plain:${name}`);
      for (let i = 0; i < KEYS; i++) {
        await node.set(plain[i]!, JSON.stringify(value(i)));
        await cache.set(NAMES[i]!, value(i), { tags: tags(i) });
      }
      await cache.invalidateByTag("another");
      const parsed = (text: string | null) => text === null ? undefined : JSON.parse(text);
      const contenders: Contender[] = [
        { name: "get", run: (i) => cache.get(NAMES[i % KEYS]!) },
        { name: IOREDIS!, run: async (i) => parsed(await io.get(plain[i % KEYS]!)) },
        { name: NODE_REDIS!, run: async (i) => parsed(await node.get(plain[i % KEYS]!)) },
      ];
      for (const { run } of contenders) deepEqual(await run(7), value(7));
      const rates = await inRounds(contenders, { callers: CALLERS, rounds });
      return compare(`read hit, ${what}, ${CALLERS} callers`, rates, ["get"], { [NODE_REDIS!]: goal });
    },
  };
}
