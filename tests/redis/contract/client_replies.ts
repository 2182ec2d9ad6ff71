import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { RedisError } from "../../../src/errors.ts";
import type { RedisArgument, RedisClient, RedisReply } from "../../../src/redis/client.ts";

const encoder = new TextEncoder();
const empty = new Uint8Array(0);
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
/** All keys are in one slot, so that the cases hold for a cluster as well. */
const TAG = `{replies-${crypto.randomUUID()}}`;

type Line = [name: string, ...args: RedisArgument[]];

async function send(client: RedisClient, ...lines: Line[]): Promise<RedisReply[]> {
  return await client.pipeline(lines.map(([name, ...args]) => ({ name, args }))) as RedisReply[];
}

async function texts(client: RedisClient, ...lines: Line[]): Promise<RedisReply[]> {
  return await client.pipeline(lines.map(([name, ...args]) => ({ name, args, text: true }))) as RedisReply[];
}

/** Fills with numbers that differ from place to place. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

function assertSame(actual: RedisReply | undefined, expected: Uint8Array): void {
  assertInstanceOf(actual, Uint8Array);
  assertEquals(actual.length, expected.length);
  assert(actual.every((byte, i) => byte === expected[i]), "the bytes are the same");
}

/** What only some clients can read: an error inside a list. */
export async function errorInList(client: RedisClient): Promise<void> {
  const script = "return {1, redis.error_reply('MYERR it is so'), 'two'}";
  const [list, after] = await texts(client, ["EVAL", script, 1, TAG], ["PING"]);
  const [one, error, two] = list as RedisReply[];
  assertInstanceOf(error, RedisError);
  assertEquals([one, error.code, two, after], [1, "MYERR", "two", "PONG"]);
}

/** What each client has to answer. */
export const clientReplies: Readonly<Record<string, (client: RedisClient) => Promise<void>>> = {
  "errors show no arguments, nor do their causes": async (client) => {
    const [error] = await send(client, ["LARDER.NOSUCH", TAG, "hunter2"]);
    assertInstanceOf(error, RedisError);
    assertEquals(error.message.toLowerCase(), "err unknown command 'larder.nosuch'");
    assertEquals(Deno.inspect(error, { depth: 9, showHidden: true }).includes("hunter2"), false);
  },
  "strings are bytes": async (client) => {
    const key = `${TAG}:bytes`;
    const [ok, got, pong, nothing] = await send(
      client,
      ["SET", key, BYTES],
      ["GET", key],
      ["PING"],
      ["ECHO", ""],
    );
    assertEquals(ok, encoder.encode("OK"));
    assertEquals(got, BYTES);
    assertEquals(pong, encoder.encode("PONG"));
    assertEquals(nothing, empty);
    // A Buffer is a Uint8Array whose slice() is no copy.
    for (const reply of [ok, got, pong, nothing]) assertStrictEquals(reply?.constructor, Uint8Array);
  },

  "arguments are text, numbers and bytes, also those of a part of a buffer": async (client) => {
    const key = `${TAG}:arguments`;
    const part = BYTES.subarray(100, 110);
    const script = "return ARGV";
    assertEquals(await send(client, ["EVAL", script, 1, key, "h\r\né", -1.5, 2 ** 53, part, "", new Uint8Array(0)]), [
      [
        encoder.encode("h\r\né"),
        encoder.encode("-1.5"),
        encoder.encode("9007199254740992"),
        part.slice(),
        empty,
        empty,
      ],
    ]);
  },

  "integers are numbers, and nothing is null": async (client) => {
    const key = `${TAG}:integer`;
    const lines: Line[] = [
      ["DEL", key],
      ["INCRBY", key, 2 ** 52],
      ["DECRBY", key, 1],
      ["GET", `${TAG}:none`],
      ["LPOP", `${TAG}:none`, 2],
      ["TTL", key],
    ];
    assertEquals(await send(client, ...lines), [0, 2 ** 52, 2 ** 52 - 1, null, null, -1]);
    await send(client, ["DEL", key]);
  },

  "lists may be nested and empty": async (client) => {
    const script = "return {1, {'a', {2, false, {}}, redis.status_reply('fine')}, -3}";
    assertEquals(await send(client, ["EVAL", script, 1, TAG], ["LRANGE", `${TAG}:none`, 0, -1]), [
      [1, [encoder.encode("a"), [2, null, []], encoder.encode("fine")], -3],
      [],
    ]);
  },

  "text is text, wherever it is": async (client) => {
    const script = "return {1, {'é', {2, false}}, redis.status_reply('fine')}";
    const lines: Line[] = [["EVAL", script, 1, TAG], ["PING"], ["ECHO", "h\r\né"], ["GET", `${TAG}:none`]];
    assertEquals(await texts(client, ...lines), [[1, ["é", [2, null]], "fine"], "PONG", "h\r\né", null]);
  },

  "a command for text beside one for bytes": async (client) => {
    const replies = await client.pipeline([
      { name: "ECHO", args: ["a"] },
      { name: "ECHO", args: ["b"], text: true },
      { name: "ECHO", args: ["c"] },
    ]);
    assertEquals(replies, [encoder.encode("a"), "b", encoder.encode("c")]);
  },

  "names may be in any case, and hashes and sets are lists": async (client) => {
    const [hash, set] = [`${TAG}:hash`, `${TAG}:set`];
    const lines: Line[] = [["hset", hash, "b", "1", "a", "2"], ["HGETALL", hash], ["sadd", set, "x"], [
      "Smembers",
      set,
    ]];
    assertEquals(await texts(client, ...lines), [2, ["b", "1", "a", "2"], 1, ["x"]]);
    await send(client, ["DEL", hash, set]);
  },

  "errors come in place": async (client) => {
    const key = `${TAG}:error`;
    const replies = await send(
      client,
      ["SET", key, "text"],
      ["INCR", key],
      ["HGET", key, "field"],
      ["EVALSHA", "0".repeat(40), 1, key],
      ["EVAL", "return redis.error_reply('MYERR it is so')", 1, key],
      ["NONSENSE"],
      ["GET", key],
    );
    const errors = replies.slice(1, 6);
    for (const error of errors) assertInstanceOf(error, RedisError);
    assertEquals(errors.map((error) => (error as RedisError).code), ["ERR", "WRONGTYPE", "NOSCRIPT", "MYERR", "ERR"]);
    assertEquals((errors[3] as RedisError).message.startsWith("MYERR it is so"), true);
    assertEquals([replies[0], replies[6]], [encoder.encode("OK"), encoder.encode("text")]);
  },

  "replies come in the order of the commands, of 10,000 too": async (client) => {
    const replies = await texts(client, ...Array.from({ length: 10_000 }, (_, i): Line => ["ECHO", `${i}`]));
    assertEquals(replies.length, 10_000);
    assert(replies.every((reply, i) => reply === `${i}`));
  },

  "pipelines that are out together keep their replies apart": async (client) => {
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => texts(client, ["ECHO", `${i}a`], ["ECHO", `${i}b`])),
    );
    assertEquals(all, Array.from({ length: 50 }, (_, i) => [`${i}a`, `${i}b`]));
  },

  "big values": async (client) => {
    const key = `${TAG}:big`;
    const big = pattern(8_000_000);
    const [, got, length] = await send(client, ["SET", key, big], ["GET", key], ["STRLEN", key]);
    assertSame(got, big);
    assertEquals(length, big.length);
    await send(client, ["DEL", key]);
  },

  "many values that are big together": async (client) => {
    const keys = Array.from({ length: 200 }, (_, i) => `${TAG}:many:${i}`);
    const value = pattern(64_000);
    await send(client, ...keys.map((key, i): Line => ["SET", key, value.subarray(i)]));
    const replies = await send(client, ...keys.map((key): Line => ["GET", key]));
    for (const [i, reply] of replies.entries()) assertSame(reply, value.subarray(i));
    await send(client, ["DEL", ...keys]);
  },

  "a reply is not overwritten by later ones": async (client) => {
    const [kept] = await send(client, ["ECHO", BYTES]);
    for (let i = 0; i < 50; i++) await send(client, ["ECHO", pattern(300 + i)], ["PING"]);
    assertSame(kept, BYTES);
  },
};
