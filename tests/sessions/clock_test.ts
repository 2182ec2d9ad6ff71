import { assertEquals } from "@std/assert";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisReply } from "../../src/redis/client.ts";
import { RedisSessionStore } from "../../src/sessions/redis/store.ts";
import type { NewSession } from "../../src/sessions/store.ts";
import { ScriptedClient } from "../redis/scripted_client.ts";

function doubles(...numbers: number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 8);
  numbers.forEach((number, i) => new DataView(bytes.buffer).setFloat64(i * 8, number));
  return bytes;
}

const session: NewSession = {
  userId: "ada",
  tags: [],
  device: "",
  fields: new Map(),
  idle: 60_000,
  absolute: 0,
  maxPerUser: 0,
};

Deno.test("RedisSessionStore keeps a login behind a revocation of its own, also while the clock of the server is set back", async (t) => {
  // What the server says: somebody is revoked at 50 s of its clock, somebody is not found at 60; then the clock goes
  // back by 50 s.
  const revocation = doubles(50e6, 50e6, 0, 0);
  const nobody = new Uint8Array([0x92, 0xc2, 0xa8, ...new TextEncoder().encode("60000000")]);
  const after = doubles(50e6 + 2, 10e6, 50e6, 0);
  const elsewhere = doubles(50e6 + 2, 10e6, 50e6 + 1, 0);
  const run = async (...replies: RedisReply[]): Promise<number> => {
    const client = new ScriptedClient();
    client.answer = () => replies.shift() ?? 1;
    const batch = new Batch(client, { commandTimeout: 1000 });
    const store = new RedisSessionStore(batch, { namespace: "test" });
    await store.revokeUser("ada", undefined);
    assertEquals(await store.touch("a"), false);
    const begun = client.writes.length;
    await store.create("b", session);
    await batch.close();
    return client.writes.length - begun;
  };
  await t.step("it is stored, and nothing else is done", async () => {
    assertEquals(await run(revocation, nobody, after), 1);
  });
  await t.step("one behind a revocation of another process, which may have come between, is taken back", async () => {
    assertEquals(await run(revocation, nobody, elsewhere), 2);
  });
});
