import { assertEquals } from "@std/assert";
import type { NodeAddress } from "../../../src/redis/cluster/slot_map.ts";
import { askAll, type Told } from "../../../src/redis/sentinel/ask_all.ts";

const NEVER = new Promise<undefined>(() => {});
const at = (port: number): NodeAddress => ({ host: "10.0.0.1", port });
const told = (port: number, epoch: number): Told => ({ primary: at(port), epoch, others: [] });

/** Asks Sentinels that answer so, and tells the ports of the primaries in the order of trust. */
async function ask(...answers: (Told | undefined | Promise<undefined>)[]): Promise<number[]> {
  const sentinels = answers.map((_, i) => at(26379 + i));
  const all = await askAll(sentinels, ({ port }) => Promise.resolve(answers[port - 26379]));
  return all.map(({ primary }) => primary.port);
}

Deno.test("askAll() waits for no Sentinel that hangs once most have answered", async () => {
  assertEquals(await ask(NEVER, told(1, 4), told(1, 4)), [1, 1]);
});

Deno.test("askAll() goes on with the one that answers, where most are gone without a sign", async () => {
  assertEquals(await ask(NEVER, NEVER, told(1, 4)), [1]);
});

Deno.test("askAll() trusts the newest failover, not who was first", async () => {
  assertEquals(await ask(told(1, 4), told(2, 5), NEVER), [2, 1]);
});

Deno.test("askAll() trusts most of them, where they may not say which failover they know of", async () => {
  assertEquals((await ask(told(1, 0), NEVER, told(2, 0), told(2, 0), NEVER))[0], 2);
});

Deno.test("askAll() does not wait for one that hangs where the others know nothing", async () => {
  assertEquals(await ask(undefined, NEVER, undefined), []);
});

Deno.test("askAll() tells nothing where nobody knows", async () => {
  assertEquals(await ask(undefined, undefined, undefined), []);
  assertEquals(await ask(), []);
});
