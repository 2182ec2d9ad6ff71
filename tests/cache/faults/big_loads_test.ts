/**
 * Loads of many keys at the default deadline: granted, extended, stored and given back in parts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { calmly } from "../../support/calm.ts";
import { EFFORT } from "../../support/effort.ts";
import { commandCounts } from "../../support/open_cache.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { manyOf, openOverALine, RATE } from "./slow_line.ts";

/** With `TEST_EFFORT=10` 30,000, which take the whole of a machine for a minute. */
const KEYS = EFFORT < 10 ? 6000 : 30_000;
const LAST = `key:${KEYS - 1}`;
const ignore = !RedisServer.controllable;

for (const rate of [Infinity, RATE]) {
  for (const slow of [0, 2000]) {
    // With `TEST_EFFORT=10` all four, else what is hardest for the line and what is easiest.
    if (EFFORT < 10 && (rate === Infinity) !== (slow === 0)) continue;
    const line = rate === Infinity ? "a fast line" : "a line of 8 MB/s";

    Deno.test({
      name: `Cache.getOrSetMany() loads ${KEYS} keys in ${slow} ms over ${line}`,
      ignore,
      fn: () =>
        calmly(async () => {
          await using opened = await openOverALine(rate);
          const { redis: { cache }, other, server, errors } = opened;
          const entries = manyOf(KEYS, (i) => ({ i, text: "x".repeat(200) }));
          await server.cli("CONFIG", "RESETSTAT");
          let loads = 0;
          const load = async (keys: readonly string[]) => {
            loads++;
            if (slow > 0) await delay(slow);
            return new Map(keys.map((key) => [key, entries.get(key)!]));
          };
          const found = await cache.getOrSetMany(entries.keys(), load, { ttl: 600 });
          assertEquals([found.size, found.get(LAST), loads], [KEYS, entries.get(LAST), 1]);
          assertEquals(errors, []);
          // Granted, extended and stored: some hundred keys with each script.
          const { evalsha = 0, eval: whole = 0 } = await commandCounts(server);
          assert(evalsha + whole < KEYS / 30, `${evalsha + whole} scripts`);
          assertEquals((await other.cache.getMany(entries.keys())).size, KEYS);
        }, 3),
    });
  }
}

Deno.test({
  name:
    "Cache.getOrSetMany() gives the leases of very many keys back in parts when its loader fails or finds none of them",
  ignore,
  fn: () =>
    calmly(async () => {
      await using opened = await openOverALine(RATE);
      const { redis: { cache }, other, server, errors } = opened;
      const entries = manyOf(KEYS, (i) => i);
      const fail = () => Promise.reject(new Error("down"));
      for (const load of [fail, () => new Map<string, number>()]) {
        await server.cli("CONFIG", "RESETSTAT");
        const found = await cache.getOrSetMany(entries.keys(), load).catch((error) => String(error));
        assertEquals(found, load === fail ? "Error: down" : new Map());
        // Nobody waits for them.
        const after = await other.cache.getOrSetMany(entries.keys(), () => entries);
        assertEquals([after.size, errors], [KEYS, []]);
        const { evalsha = 0, eval: whole = 0 } = await commandCounts(server);
        assert(evalsha + whole < 1500, `${evalsha + whole} scripts`);
        await cache.clear();
      }
    }, 3),
});
