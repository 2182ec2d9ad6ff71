import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { MemoryLockStore } from "../../src/locks/mod.ts";
import { memoryWorld, redisWorld } from "./stores.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

Deno.test("Locks.idempotent() keeps what was done though its lock was lost, if nobody else has it or did it", async () => {
  await using world = await redisWorld();
  const [one, other] = [await world.open(), await world.open()];
  const runs: string[] = [];
  const run = async (locks: typeof one, name: string, during?: () => Promise<unknown>): Promise<string> => {
    const result = await locks.idempotent("k", {}, async () => {
      await during?.();
      runs.push(name);
      return { value: name, keep: encoder.encode(name) };
    });
    return result.state === "kept" ? `kept ${decoder.decode(result.kept)}` : result.state;
  };
  const lose = () => world.server!.cli("FLUSHALL");
  assertEquals(await run(one, "a", lose), "ran");
  assertEquals(await run(other, "b"), "kept a");

  await lose();
  const second = async () => {
    await lose();
    assertEquals(await run(other, "d"), "ran");
  };
  assertEquals(await run(one, "c", second), "ran");
  assertEquals(await run(one, "e"), "kept d");

  await lose();
  const gate = Promise.withResolvers<void>();
  let later: Promise<string> | undefined;
  const meanwhile = async () => {
    await lose();
    const running = Promise.withResolvers<void>();
    later = run(other, "g", async () => {
      running.resolve();
      await gate.promise;
    });
    await running.promise;
  };
  assertEquals(await run(one, "f", meanwhile), "ran");
  assertEquals(await run(one, "h"), "running"); // what another does now is not taken from him
  gate.resolve();
  assertEquals(await later, "ran");
  assertEquals(await run(one, "h"), "kept g");
  assertEquals(runs, ["a", "d", "c", "f", "g"]);
});

Deno.test("MemoryLockStore.keep() keeps for an owner who lost the lock, if nobody else has it or did it", async () => {
  await using store = new MemoryLockStore();
  const keep = (owner: string) => store.keep({ key: "i:k", owner, value: encoder.encode(owner), for: 1000 });
  await store.take({ key: "i:k", owner: "a|1|1000", ttl: 1000, permits: 1, wait: 0 });
  assertEquals(await keep("b|1|1000"), false);
  await store.leave({ key: "i:k", owner: "a|1|1000", permits: 1 });
  assertEquals(await keep("b|1|1000"), true);
  assertEquals(await keep("a|1|1000"), false);
  assertEquals(decoder.decode(await store.kept("i:k")), "b|1|1000");
});

Deno.test("Locks.idempotent() says what is wrong with what a job gives", async () => {
  await using world = memoryWorld();
  const locks = await world.open();
  for (
    const given of [undefined, null, 1, { value: 1, keep: "text" }, { id: 5 }, { value: 1, kept: new Uint8Array(1) }]
  ) {
    const error = await assertRejects(() => locks.idempotent("k", {}, () => given as never), TypeError);
    assertMatch(error.message, /wanted \{ value, keep \} of the job/);
  }
  assertEquals((await locks.idempotent("k", {}, () => ({ value: 1 }))).state, "ran");
});
