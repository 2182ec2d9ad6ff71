import { assertEquals, assertGreater } from "@std/assert";
import { RedisServer } from "../support/redis_server.ts";
import { decoders } from "./decoders.ts";
import { fuzz } from "./fuzz.ts";
import { LimitStrings } from "./limits.ts";
import { Random } from "./random.ts";

/** A short part of `deno task fuzz`. */
const INPUTS = 3000;

Deno.test("Every decoder reads damaged bytes or refuses them, in bounded time and memory", async (t) => {
  for (const decoder of await decoders()) {
    await t.step(decoder.name, async () => {
      const report = await fuzz(decoder, 1, INPUTS);
      assertEquals(report.inputs, INPUTS);
      // Some of both, else it is tried with nothing.
      assertGreater(report.read, 0);
      assertGreater(report.refused, decoder.name === "channel message" ? -1 : 0);
    });
  }
});

Deno.test({
  name: "Limits answer with sense whatever somebody else has put in the place of their strings",
  fn: async () => {
    await using server = await RedisServer.start();
    await using strings = await LimitStrings.open(server);
    assertGreater(await strings.run(new Random(1), INPUTS), INPUTS - 1);
  },
});
