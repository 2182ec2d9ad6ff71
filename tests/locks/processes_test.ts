import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { DenoProcess } from "../support/deno_process.ts";
import { sized } from "../support/effort.ts";
import { RedisServer } from "../support/redis_server.ts";
import { redisWorld } from "./stores.ts";

const SCRIPT = import.meta.resolve("./worker.ts");
/** With `TEST_EFFORT=10` as many as are wanted of it: 1,000. */
const EACH = sized(40, 1000);

Deno.test("5 processes that add to a number in a file lose nothing, though holders are killed at random", async () => {
  await using server = await RedisServer.start();
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, JSON.stringify({ value: 0, fence: 0 }));
  let [told, kills] = [0, 0];
  const run = async (process: number) => {
    let left = EACH;
    let spared = process % 2 === 0 ? 2 : 0; // these are killed so often
    while (left > 0) {
      await using worker = DenoProcess.start(SCRIPT, server.url, "count", file, String(left));
      assertEquals(await worker.receive(), "ready");
      const until = spared-- > 0 ? left - 1 - Math.floor(Math.random() * EACH / 4) : 0;
      while (left > Math.max(0, until)) {
        assertEquals(await worker.receive(), left);
        left--;
        told++;
      }
      if (left > 0) {
        kills++;
        await worker.kill();
      }
    }
  };
  await Promise.all(Array.from({ length: 5 }, (_, i) => run(i)));
  const { value } = JSON.parse(await Deno.readTextFile(file));
  assertEquals(told, 5 * EACH);
  assertGreater(kills, 0);
  // Who was killed may have written, and some more before it was dead, without having told.
  assertGreaterOrEqual(value, told);
  assertLessOrEqual(value, told + kills * EACH);
  await Deno.remove(file);
});

Deno.test({
  name: "a holder that was stopped for longer than its ttl knows it at its first look, and its late write is refused",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using world = await redisWorld();
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, JSON.stringify({ value: 0, fence: 0 }));
    await using worker = DenoProcess.start(SCRIPT, world.server!.url, "hold", file);
    const token = await worker.receive<number>();
    worker.signal("SIGSTOP");
    const locks = await world.open();
    const lock = await locks.acquire("file", { wait: "60s" });
    assertGreater(lock.token, token);
    await Deno.writeTextFile(file, JSON.stringify({ value: 1, fence: lock.token }));
    await worker.send("look");
    worker.signal("SIGCONT");
    const { held, wrote } = await worker.receive<{ held: boolean; wrote: boolean }>();
    assertEquals({ held, wrote }, { held: false, wrote: false });
    assertEquals(JSON.parse(await Deno.readTextFile(file)).value, 1);
    assert(lock.held);
    await lock.release();
    await Deno.remove(file);
  },
});
