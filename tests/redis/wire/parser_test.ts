import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { RedisError } from "../../../src/errors.ts";
import type { RedisReply, StringTaker } from "../../../src/redis/client.ts";
import { ProtocolError, ReplyParser } from "../../../src/redis/wire/parser.ts";
import { randomFrom } from "../../support/random.ts";

const encoder = new TextEncoder();

/** Takes replies, as a connection does. */
class Taker {
  readonly replies: RedisReply[] = [];
  readonly #wanted: boolean | StringTaker;

  constructor(wanted: boolean | StringTaker) {
    this.#wanted = wanted;
  }

  begins(): boolean | StringTaker {
    return this.#wanted;
  }

  take(reply: RedisReply): void {
    this.replies.push(reply);
  }
}

/** Hands bytes over in pieces, and returns the replies. */
function parse(pieces: Iterable<Uint8Array>, text = false): RedisReply[] {
  const taker = new Taker(text);
  const parser = new ReplyParser(taker);
  for (const piece of pieces) feed(parser, piece);
  return taker.replies;
}

function feed(parser: ReplyParser, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const space = parser.space();
    assert(space.length > 0, "there is always space");
    const size = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + size));
    parser.filled(size);
    at += size;
  }
}

/** A reply as the protocol writes it. */
function write(reply: RedisReply | Error): string {
  if (reply === null) return "$-1\r\n";
  if (typeof reply === "number") return `:${reply}\r\n`;
  if (reply instanceof Error) return `-${reply.message}\r\n`;
  if (Array.isArray(reply)) return `*${reply.length}\r\n${reply.map(write).join("")}`;
  const text = typeof reply === "string" ? reply : new TextDecoder().decode(reply);
  return `$${encoder.encode(text).length}\r\n${text}\r\n`;
}

const REPLIES: RedisReply[] = [
  "one",
  "",
  null,
  0,
  -1,
  2 ** 53 - 1,
  "h\r\né€😀",
  [],
  ["a", null, ["b", [1, [], "c\r\n"]], new RedisError("MYERR inside a list"), "d"],
  new RedisError("WRONGTYPE Operation against a key"),
  "x".repeat(300),
];
const STREAM = encoder.encode(`+OK\r\n${REPLIES.map(write).join("")}*-1\r\n:+7\r\n$3\r\nend\r\n`);
const EXPECTED: RedisReply[] = ["OK", ...REPLIES, null, 7, "end"];

function assertReplies(actual: readonly RedisReply[], expected: readonly RedisReply[]): void {
  assertEquals(actual.length, expected.length);
  for (const [i, reply] of actual.entries()) {
    const wanted = expected[i];
    if (Array.isArray(wanted)) assertReplies(reply as RedisReply[], wanted);
    else if (wanted instanceof RedisError) {
      assertInstanceOf(reply, RedisError);
      assertEquals([reply.code, reply.message], [wanted.code, wanted.message]);
    } else assertEquals(reply, wanted);
  }
}

Deno.test("ReplyParser reads each type, wherever what arrives is split", () => {
  assertReplies(parse([STREAM], true), EXPECTED);
  for (let at = 1; at < STREAM.length; at++) {
    assertReplies(parse([STREAM.subarray(0, at), STREAM.subarray(at)], true), EXPECTED);
  }
  assertReplies(parse(Array.from(STREAM, (_, i) => STREAM.subarray(i, i + 1)), true), EXPECTED);
});

Deno.test("ReplyParser reads strings as bytes where no text is wanted", () => {
  const [ok, list] = parse([encoder.encode("+OK\r\n*2\r\n$2\r\n\u00e9\r\n$0\r\n\r\n")]);
  assertEquals([ok, list], [encoder.encode("OK"), [encoder.encode("\u00e9"), new Uint8Array(0)]]);
});

Deno.test("ReplyParser hands over the strings of a list one by one, wherever what arrives is split", () => {
  const values = ["one", null, "", "h\r\né", "x".repeat(300)];
  const stream = encoder.encode(`${write(values)}${write([])}$3\r\nend\r\n-WRONGTYPE no list\r\n*-1\r\n:7\r\n`);
  for (let at = 0; at < stream.length; at++) {
    const strings: { bytes: Uint8Array; from: number; end: number }[] = [];
    const taker = new Taker((bytes, from, end) => void strings.push({ bytes, from, end }));
    const parser = new ReplyParser(taker);
    feed(parser, stream.subarray(0, at));
    feed(parser, stream.subarray(at));
    feed(parser, encoder.encode(`$300000\r\n${"y".repeat(300_000)}\r\n`)); // in chunks of its own
    const read = strings.map(({ bytes, from, end }) =>
      from === -1 ? null : new TextDecoder().decode(bytes.subarray(from, end))
    );
    assertEquals(read, values);
    const [count, none, end, error, nothing, number, long] = taker.replies;
    assertEquals([count, none, end, nothing, number], [values.length, [], encoder.encode("end"), null, 7]);
    assertInstanceOf(error, RedisError);
    assertEquals((long as Uint8Array).length, 300_000);
  }
});

Deno.test("ReplyParser takes nothing but strings for those of a list", () => {
  for (const other of [":1\r\n", "*1\r\n$1\r\na\r\n", "-ERR inside\r\n", "+OK\r\n", "*-1\r\n", "*0\r\n"]) {
    const parser = new ReplyParser(new Taker(() => {}));
    assertThrows(() => feed(parser, encoder.encode(`*2\r\n$1\r\na\r\n${other}`)), ProtocolError);
  }
});

Deno.test("ReplyParser hands out views that stay as they are, however much comes after them", () => {
  const taker = new Taker(false);
  const parser = new ReplyParser(taker);
  const random = randomFrom(7);
  const values: Uint8Array[] = [];
  for (let i = 0; i < 2_000; i++) {
    const value = new Uint8Array(Math.floor(random() ** 4 * 20_000)).fill(i & 255);
    values.push(value);
    feed(parser, encoder.encode(`$${value.length}\r\n`));
    feed(parser, value);
    feed(parser, encoder.encode("\r\n"));
  }
  assertEquals(taker.replies.length, values.length);
  for (const [i, reply] of taker.replies.entries()) {
    const bytes = reply as Uint8Array;
    assert(bytes.length === values[i]!.length && bytes.every((byte) => byte === (i & 255)), `value ${i}`);
  }
});

Deno.test("ReplyParser sets memory aside for what has come, not for what is announced", () => {
  const parser = new ReplyParser(new Taker(false));
  feed(parser, encoder.encode(`$${512 * 1024 * 1024}\r\nabc`));
  assert(parser.space().length <= 64 * 1024 * 1024 + 2);
  // What it has set aside grows with what comes.
  const big = new ReplyParser(new Taker(false));
  const part = new Uint8Array(1024 * 1024);
  feed(big, encoder.encode(`*2\r\n$${100 * part.length}\r\n`));
  for (let i = 0; i < 100; i++) feed(big, part);
  feed(big, encoder.encode("\r\n:1\r\n"));
  assert(big.space().length <= 128 * 1024);
  const list = new ReplyParser(new Taker(false));
  feed(list, encoder.encode("*2147483647\r\n:1\r\n"));
  assert(list.space().length <= 128 * 1024);
});

const BROKEN: Record<string, string> = {
  "another protocol": "HTTP/1.1 400 Bad Request\r\n\r\n",
  "a type of RESP3": "%1\r\n+a\r\n:1\r\n",
  "a string that is longer than it says": "$3\r\nabcd\r\n",
  "a string that is shorter than it says": "$4\r\nabc\r\n:1\r\n",
  "a length that is no number": "$a\r\n",
  "no length": "$\r\n",
  "a length below zero": "$-2\r\n",
  "a list with a length below zero": "*-7\r\n",
  "a string beyond all bounds": "$99999999999\r\n",
  "a list beyond all bounds": "*99999999999999\r\n",
  "a number without an end": `:${"1".repeat(50)}`,
  "a number with a sign within": ":1-1\r\n",
  "a number with a point": ":1.5\r\n",
  "no number": ":\r\n",
  "a status without an end": `+${"x".repeat(70_000)}`,
  "a line that ends with CR alone": "+OK\rOK\r\n",
  "a number that ends with CR alone": ":1\r:1\r\n",
  "lists in lists without an end": "*1\r\n".repeat(10_000),
};

Deno.test("ReplyParser says that it is out of step for what is no reply, however it is split", async (t) => {
  for (const [name, text] of Object.entries(BROKEN)) {
    await t.step(name, () => {
      const bytes = encoder.encode(text);
      assertThrows(() => parse([bytes]), ProtocolError, "Cannot read a reply: wanted one in RESP2, got ");
      assertThrows(() => parse(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), ProtocolError);
    });
  }
});

Deno.test("ReplyParser takes 20,000 streams with mistakes in them: it reads on or says that it is out of step", () => {
  const random = randomFrom(20);
  const pick = (below: number) => Math.floor(random() * below);
  let refused = 0;
  const begun = performance.now();
  for (let round = 0; round < 20_000; round++) {
    const bytes = STREAM.slice();
    for (let mistakes = 1 + pick(3); mistakes > 0; mistakes--) bytes[pick(bytes.length)] = pick(256);
    const from = pick(3) === 0 ? pick(bytes.length) : 0;
    const pieces: Uint8Array[] = [];
    for (let at = from; at < bytes.length;) {
      const size = 1 + pick(200);
      pieces.push(bytes.subarray(at, at += size));
    }
    try {
      parse(pieces, random() < 0.5);
    } catch (error) {
      assertInstanceOf(error, ProtocolError, `round ${round}: ${error}`);
      refused++;
    }
  }
  assert(refused > 2_000, `mistakes were found: ${refused}`);
  assert(performance.now() - begun < 60_000);
});
