import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { Batch } from "../../src/redis/batch.ts";
import { ScriptedClient } from "./scripted_client.ts";

Deno.test("Batch.send() rejects only the calls whose node of a cluster cannot be reached", async () => {
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  const cause = new Error("gone");
  const calls = [batch.send("A", []), batch.send("B", [], { operation: "read" }), batch.send("C", [])];
  const outcomes = Promise.allSettled(calls);
  while (client.writes.length === 0) await Promise.resolve();
  client.writes[0]!.resolve([1, new UnavailableError("send", "connection", { cause }) as never, 3]);
  const [a, b, c] = await outcomes;
  assertEquals([a, c], [{ status: "fulfilled", value: 1 }, { status: "fulfilled", value: 3 }]);
  assertEquals(b!.status, "rejected");
  const error = (b as PromiseRejectedResult).reason;
  assertInstanceOf(error, UnavailableError);
  assertEquals([error.operation, error.reason], ["read", "connection"]);
  assertStrictEquals(error.cause, cause);
  assertEquals(batch.circuit, "closed");
  await batch.close();
});
