import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { calmly } from "../support/calm.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog } from "../support/until.ts";
import { CLIENTS, DISTANCES, measure, optionsFor } from "./far_away.ts";

for (const kind of CLIENTS) {
  Deno.test(`Every service works 50, 100 and 300 ms away, with what ready() asks for: ${kind}`, async () => {
    await using server = await RedisServer.start();
    await calmly(async () => {
      const measured = await Promise.all(
        DISTANCES.map(async (distance) =>
          [distance, await measure(kind, distance, server.port, optionsFor(distance))] as const
        ),
      );
      for (const [distance, all] of measured) {
        for (const { what, worked, milliseconds } of all) {
          assert(worked, `${what} at ${distance} ms failed after ${Math.round(milliseconds)} ms`);
        }
      }
    }, 3);
  });
}

Deno.test("ready() tells that commandTimeout is too short for a Redis that is 300 ms away", async () => {
  await using server = await RedisServer.start();
  for (const [distance, count] of [[50, 0], [300, 1]] as const) {
    await using proxy = TcpProxy.start(server);
    proxy.delay = distance / 2;
    const log = new EventLog();
    await using redis = await connect({ url: proxy.url, on: log.on });
    await redis.ready({ timeout: "20s" });
    const warnings = log.events.flatMap((event) => event.type === "warning" ? [event.message] : []);
    assertEquals(warnings.length, count);
    if (count > 0) assertStringIncludes(warnings[0]!, 'wanted a "commandTimeout" of at least "1');
  }
});
