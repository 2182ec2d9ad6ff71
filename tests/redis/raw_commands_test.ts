import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { RedisError } from "../../src/errors.ts";
import { Batch } from "../../src/redis/batch.ts";
import { rawCommands } from "../../src/redis/raw_commands.ts";
import { ScriptedClient } from "./scripted_client.ts";

function start(): { client: ScriptedClient; batch: Batch } {
  const client = new ScriptedClient();
  return { client, batch: new Batch(client, { commandTimeout: 500 }) };
}

Deno.test("RawCommands.sendCommand() sends what it is given and asks for text", async () => {
  const { client, batch } = start();
  const bytes = new TextEncoder().encode("é");
  client.answer = () => [bytes, 7, null, ["text", [bytes]]];
  assertEquals(await rawCommands(batch).sendCommand("LRANGE", ["list", 0, bytes]), ["é", 7, null, ["text", ["é"]]]);
  const [command] = client.writes[0]!.commands;
  assertEquals([command!.name, command!.args, command!.text], ["LRANGE", ["list", 0, bytes], true]);
  await batch.close();
});

Deno.test("RawCommands.sendCommand() rejects with error replies, also inside a list", async () => {
  const { client, batch } = start();
  const { sendCommand } = rawCommands(batch);
  client.answer = () => new RedisError("WRONGTYPE no");
  await assertRejects(() => sendCommand("GET", ["list"]), RedisError, "WRONGTYPE no");
  client.answer = () => [1, new RedisError("ERR inner")];
  await assertRejects(() => sendCommand("EVAL", ["…", 0]), RedisError, "ERR inner");
  await batch.close();
});

Deno.test("RawCommands.sendCommand() ends the wait when its signal is aborted", async () => {
  const { client, batch } = start();
  const reason = new Error("enough");
  const error = await assertRejects(() =>
    rawCommands(batch).sendCommand("GET", ["a"], { signal: AbortSignal.abort(reason) })
  );
  assertStrictEquals(error, reason);
  assertEquals(client.writes.length, 0);
  await batch.close();
});

Deno.test("RawCommands.sendCommand() refuses what is no command, or would break the connection for others", async () => {
  const { client, batch } = start();
  const { sendCommand } = rawCommands(batch);
  for (const name of ["", 7, undefined, null, ["GET"]]) {
    await assertRejects(() => sendCommand(name as string), TypeError, "Cannot send command: wanted its name");
  }
  const refused: [string, (string | number)[]?][] = [
    ["SUBSCRIBE", ["a"]],
    ["unsubscribe", ["a", "b"]],
    ["PSUBSCRIBE", ["a"]],
    ["punsubscribe"],
    ["MONITOR"],
    ["PSYNC", ["?", -1]],
    ["Multi"],
    ["EXEC"],
    ["WATCH", ["a"]],
    ["SELECT", [1]],
    ["AUTH", ["secret"]],
    ["HELLO", [3]],
    ["QUIT"],
    ["RESET"],
    ["CLIENT", ["REPLY", "OFF"]],
    ["client", ["tracking", "on"]],
    ["BLPOP", ["a", 0]],
    ["WAIT", [1, 0]],
    ["XREAD", ["COUNT", 1, "BLOCK", 0, "STREAMS", "a", "$"]],
    ["xreadgroup", ["GROUP", "g", "c", "block", 0, "streams", "a", ">"]],
  ];
  for (const [name, args] of refused) {
    const error = await assertRejects(() => sendCommand(name, args), TypeError);
    assertEquals(
      error.message,
      `Cannot send command: wanted one that leaves the shared connection as it is, got "${name.toUpperCase()}"`,
    );
  }
  assertEquals(client.writes.length, 0);
  client.answer = () => 1;
  const allowed: [string, (string | number)[]][] = [
    ["CLIENT", ["LIST"]],
    ["XREAD", ["STREAMS", "block", 0]],
    ["PUBLISH", ["subscribe", "multi"]],
    ["SETEX", ["a", 1, "b"]],
    ["WAITING", []],
  ];
  for (const [name, args] of allowed) assertEquals(await sendCommand(name, args), 1);
  await batch.close();
});
