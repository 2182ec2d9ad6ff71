import { Cache } from "../../src/cache/cache.ts";
import { RedisStore } from "../../src/cache/redis/store.ts";
import { RedisMeter } from "../../src/observe/redis_meter.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisServer } from "../../tests/support/redis_server.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { NAMES, TAGS, TTL, VALUES } from "../workload.ts";

/** What measuring costs: reads by 64 callers that are measured beside such that are not. */
export const METRICS_OVERHEAD: Scenario = {
  name: "metrics-overhead",
  async run({ server, rounds }) {
    await using measured = await openCache(server, new RedisMeter());
    await using plain = await openCache(server, undefined);
    for (const [i, name] of NAMES.entries()) await measured.cache.set(name, VALUES[i], { ttl: TTL, tags: TAGS[i]! });
    const contenders = Object.entries({ "measured": measured, "not measured": plain }).map(([name, { cache }]) => ({
      name,
      run: (i: number) => cache.get(NAMES[i % NAMES.length]!),
    }));
    const rates = await inRounds(contenders, { callers: 64, rounds: 3 * rounds });
    return compare("read hit, 64 callers", rates, ["measured"], { "not measured": 0.95 });
  },
};

async function openCache(
  server: RedisServer,
  meter: RedisMeter | undefined,
): Promise<AsyncDisposable & { cache: Cache }> {
  const { hostname, port } = new URL(server.url);
  const client = new WireClient({ hostname, port: Number(port) });
  const batch = new Batch(client, { commandTimeout: 10_000, meter });
  await client.start();
  const cache = new Cache(new RedisStore(batch, { namespace: "metrics-overhead" }));
  return {
    cache,
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]();
      await batch.close();
    },
  };
}
