import { assertEquals, assertThrows } from "@std/assert";
import type { RedisArgument, RedisCommand } from "../../../src/redis/client.ts";
import { CommandEncoder } from "../../../src/redis/wire/encoder.ts";

/** Commands as the protocol writes them, argument by argument. */
function plain(commands: readonly RedisCommand[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = commands.flatMap(({ name, args }) => [
    encoder.encode(`*${args.length + 1}\r\n`),
    ...[name, ...args].flatMap((arg) => {
      const bytes = arg instanceof Uint8Array ? arg : encoder.encode(String(arg));
      return [encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n")];
    }),
  ]);
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const ARGUMENTS: readonly RedisArgument[][] = [
  [],
  ["a", 1, -1.5, 2 ** 53, 1e21],
  [new Uint8Array(0), new Uint8Array([13, 10, 0, 255]), "", "h\r\ni"],
  ["é", "€", "😀", "\ud800", "\udc00x", "a\ud83d", "\u0000", "\ufeff"],
  ["x".repeat(200), "é".repeat(200), new Uint8Array(200)],
  Array.from({ length: 300 }, (_, i) => i % 3 === 0 ? i : i % 3 === 1 ? `key:${i}` : new Uint8Array([i & 255])),
  ["plain", new Uint8Array([1]), "é", new Uint8Array([2]), "plain"],
];

Deno.test("CommandEncoder writes text, numbers and bytes as the protocol says, whatever stands beside them", () => {
  for (const first of ARGUMENTS) {
    for (const second of ARGUMENTS) {
      const encoder = new CommandEncoder();
      const commands = [{ name: "ONE", args: first }, { name: "TWO", args: second }];
      encoder.add(commands);
      encoder.add(commands);
      assertEquals(encoder.take(), plain([...commands, ...commands]));
      encoder.clear();
      encoder.add(commands);
      assertEquals(encoder.take(), plain(commands));
    }
  }
});

Deno.test("CommandEncoder writes values of many megabytes, and does not keep their room", () => {
  const encoder = new CommandEncoder();
  const command = { name: "SET", args: ["k", new Uint8Array(3_000_000).fill(7), "x".repeat(2_000_000)] };
  encoder.add([command]);
  assertEquals(encoder.take().length, plain([command]).length);
  encoder.clear();
  encoder.add([{ name: "PING", args: [] }]);
  assertEquals(encoder.take().buffer.byteLength < 1_000_000, true);
});

Deno.test("CommandEncoder writes nothing of commands of which one cannot be written", () => {
  const encoder = new CommandEncoder();
  encoder.add([{ name: "PING", args: [] }]);
  const broken = { name: "SET", args: ["é", new Uint8Array(3), undefined as unknown as string] };
  assertThrows(() => encoder.add([{ name: "ECHO", args: ["a"] }, broken]), TypeError);
  encoder.add([{ name: "PING", args: [] }]);
  assertEquals(encoder.take(), plain([{ name: "PING", args: [] }, { name: "PING", args: [] }]));
});
