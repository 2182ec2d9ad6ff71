import { assertEquals } from "@std/assert";
import { DenoProcess } from "../support/deno_process.ts";
import { EFFORT } from "../support/effort.ts";
import { RedisServer } from "../support/redis_server.ts";

/** How long each waits for the other one: half a second; with `TEST_EFFORT=10` as long as it is by default, 10 s. */
const WAIT = EFFORT < 10 ? "500ms" : "default";

Deno.test({
  name: "Loaders of two processes that wait for each other end, and each call has a value",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    const worker = import.meta.resolve("./cycle_worker.ts");
    await using one = DenoProcess.start(worker, server.url, "a", "b", WAIT);
    await using two = DenoProcess.start(worker, server.url, "b", "a", WAIT);
    const both = [one, two];
    assertEquals(await Promise.all(both.map((process) => process.receive())), ["loading", "loading"]);
    await Promise.all(both.map((process) => process.send("go on")));
    // Each gives up its wait after a while, and loads for itself what the other one has not come to.
    const found = await Promise.all(both.map((process) => process.receive<string>()));
    for (const [i, [own, other]] of [["a", "b"], ["b", "a"]].entries()) {
      const ways = [`${own} of ${other} by ${own}`, `${own} of ${other} of ${own} by ${other}`];
      assertEquals(ways.includes(found[i]!), true, found[i]);
    }
  },
});
