import { assertEquals } from "@std/assert";
import type { LarderEvent } from "../../src/observe/events.ts";
import { Batch } from "../../src/redis/batch.ts";
import { ScriptedClient } from "./scripted_client.ts";

Deno.test("Batch tells a write that took longer than slowerThan, once for all its commands", async () => {
  const told: LarderEvent[] = [];
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 60_000, slowerThan: 1, on: (event) => told.push(event) });
  const calls = ["GET", "SET"].map((name) => batch.send(name, [], { operation: `run ${name}` }));
  while (client.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.writes[0]!.resolve([null, "OK"]);
  await Promise.all(calls);
  const [{ type, server, operation, commands, milliseconds }] = told as [LarderEvent & { type: "redis.slow" }];
  assertEquals([told.length, type, server, operation, commands], [1, "redis.slow", "all", "run GET", 2]);
  assertEquals(milliseconds > 1, true);
  await batch.close();
});
