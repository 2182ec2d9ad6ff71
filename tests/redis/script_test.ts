import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { RedisError, UnavailableError } from "../../src/errors.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisCommand, RedisReply } from "../../src/redis/client.ts";
import { Script } from "../../src/redis/script.ts";
import { ScriptedClient } from "./scripted_client.ts";

const script = new Script("return {KEYS[1], ARGV[1]}");

/** A server that keeps scripts as Redis does: what was sent by EVAL is known until it is flushed. */
class ScriptServer {
  readonly known = new Set<string>();

  readonly answer = ({ name, args }: RedisCommand): RedisReply => {
    if (name === "EVALSHA" && !this.known.has(String(args[0]))) return new RedisError("NOSCRIPT No matching script");
    if (name === "EVAL") this.known.add(new Script(String(args[0])).sha);
    return args.slice(1) as RedisReply[];
  };
}

function start(): { client: ScriptedClient; batch: Batch; server: ScriptServer } {
  const client = new ScriptedClient();
  const server = new ScriptServer();
  client.answer = server.answer;
  return { client, batch: new Batch(client, { commandTimeout: 500 }), server };
}

Deno.test("Script.sha is the SHA-1 that Redis knows the text by", () => {
  assertEquals(new Script("return 1").sha, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
});

Deno.test("Script.run() sends the text once, and the hash from then on", async () => {
  const { client, batch } = start();
  const reply = await script.run(batch, ["key"], ["arg", 7]);
  assertEquals(reply, [1, "key", "arg", 7]);
  await script.run(batch, ["key"], []);
  assertEquals(client.names, [["EVALSHA"], ["EVAL"], ["EVALSHA"]]);
  assertEquals(client.writes[0]!.commands[0]!.args, [script.sha, 1, "key", "arg", 7]);
  assertEquals(client.writes[1]!.commands[0]!.args, [script.text, 1, "key", "arg", 7]);
  await batch.close();
});

Deno.test("Script.run() sends the text again after the server has forgotten it", async () => {
  const { client, batch, server } = start();
  await script.run(batch, [], []);
  server.known.clear();
  assertEquals(await script.run(batch, [], [1]), [0, 1]);
  assertEquals(client.names, [["EVALSHA"], ["EVAL"], ["EVALSHA"], ["EVAL"]]);
  await batch.close();
});

Deno.test("Script.run() repeats nothing but what the server does not know", async () => {
  const { client, batch } = start();
  client.answer = () => new RedisError("OOM command not allowed");
  await assertRejects(() => script.run(batch, [], []), RedisError, "OOM");
  client.answer = undefined;
  const lost = script.run(batch, [], [], { operation: "write entry" });
  while (client.writes.length < 2) await undefined;
  client.writes[1]!.reject(new Error("gone"));
  const error = await assertRejects(() => lost, UnavailableError);
  assertEquals([error.operation, error.reason], ["write entry", "connection"]);
  assertEquals(client.names, [["EVALSHA"], ["EVALSHA"]]);
  await batch.close();
});

Deno.test("Script.run() gives up when the server does not know the text either", async () => {
  const { client, batch } = start();
  client.answer = () => new RedisError("NOSCRIPT No matching script");
  await assertRejects(() => script.run(batch, [], []), RedisError, "NOSCRIPT");
  assertEquals(client.names, [["EVALSHA"], ["EVAL"]]);
  await batch.close();
});

Deno.test("Script.call() does the same for a source of a batch", async () => {
  const { client, batch, server } = start();
  const run = () => {
    const { promise, resolve, reject } = Promise.withResolvers<RedisReply>();
    batch.join({
      operation: "read",
      take: () => [script.call(batch, [1, "key", "arg"], { operation: "read", resolve, reject })],
      fail: reject,
    });
    return promise;
  };
  assertEquals(await run(), [1, "key", "arg"]);
  assertEquals(await run(), [1, "key", "arg"]);
  server.known.clear();
  assertEquals(await run(), [1, "key", "arg"]);
  assertEquals(client.names, [["EVALSHA"], ["EVAL"], ["EVALSHA"], ["EVALSHA"], ["EVAL"]]);
  client.answer = () => new RedisError("NOSCRIPT No matching script");
  assertInstanceOf(await run().catch((error) => error), RedisError);
  assertEquals(client.names.slice(5), [["EVALSHA"], ["EVAL"]]);
  await batch.close();
});
