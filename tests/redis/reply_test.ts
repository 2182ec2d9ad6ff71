import { assertEquals, assertThrows } from "@std/assert";
import { InvalidationReplica } from "../../src/cache/invalidations.ts";
import { readArray, readNews } from "../../src/cache/redis/read_reply.ts";
import { RedisStore } from "../../src/cache/redis/store.ts";
import { RedisError, UnavailableError } from "../../src/errors.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { Batch } from "../../src/redis/batch.ts";
import { FakeClock, Outcome, ScriptedClient } from "./scripted_client.ts";

const encoder = new TextEncoder();

/** A string in MessagePack, as the server's library writes it. */
function pack(text: Uint8Array): number[] {
  const size = text.length;
  if (size < 32) return [0xa0 | size, ...text];
  if (size < 256) return [0xd9, size, ...text];
  if (size < 65536) return [0xda, size >> 8, size & 255, ...text];
  return [0xdb, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255, ...text];
}

function packAll(parts: (Uint8Array | false)[]): Uint8Array {
  const { length } = parts;
  const head = length < 16
    ? [0x90 | length]
    : length < 65536
    ? [0xdc, length >> 8, length & 255]
    : [0xdd, 0, length >> 16, (length >> 8) & 255, length & 255];
  const bytes = parts.map((part) => part === false ? [0xc2] : pack(part));
  const packed = new Uint8Array(head.length + bytes.reduce((sum, part) => sum + part.length, 0));
  packed.set(head);
  let at = head.length;
  for (const part of bytes) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}

interface Told {
  epoch?: number;
  clock?: number;
  now?: number;
  last?: number;
  newest?: number;
  floor?: number;
  forget?: boolean;
  records?: [number, string][];
  barriers?: [number, string][];
  notes?: [index: number, kind: number, hard: number, stale: number][];
}

function news(told: Told): Uint8Array {
  const { epoch = 7, clock = 100, now = 1, last = 90, newest = 0, floor = 0, forget = false } = told;
  const { records = [], barriers = [], notes = [] } = told;
  const bytes: number[] = [];
  const float = (value: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    bytes.push(...new Uint8Array(view.buffer));
  };
  const short = (value: number) => bytes.push(value >> 8, value & 255);
  [epoch, clock, now, last, newest, floor].forEach(float);
  bytes.push(forget ? 1 : 0);
  [records, barriers, notes].forEach((list) => short(list.length));
  for (const [at, member] of [...records, ...barriers]) {
    float(at);
    const text = encoder.encode(member);
    short(text.length);
    bytes.push(...text);
  }
  for (const [index, kind, hard, stale] of notes) {
    short(index);
    bytes.push(kind);
    float(hard);
    float(stale);
  }
  return new Uint8Array(bytes);
}

/** The strings that `readArray()` finds, cut out. */
function cut(bytes: Uint8Array): (Uint8Array | undefined)[] {
  const bounds = readArray(bytes);
  return Array.from(
    { length: bounds.length / 2 },
    (_, i) => bounds[2 * i] === -1 ? undefined : bytes.slice(bounds[2 * i], bounds[2 * i + 1]),
  );
}

Deno.test("readArray() finds strings of any length in arrays of any length", () => {
  for (const count of [0, 1, 15, 16, 300]) {
    const parts = Array.from({ length: count }, (_, i) => i % 3 === 2 ? false as const : new Uint8Array(i % 7).fill(i));
    assertEquals(cut(packAll(parts)), parts.map((part) => part === false ? undefined : part), `${count}`);
  }
  for (const size of [0, 31, 32, 255, 256, 65535, 65536, 100_000]) {
    const part = new Uint8Array(size).fill(size & 255);
    assertEquals(cut(packAll([part, false, part])), [part, undefined, part], `${size}`);
  }
  assertEquals(cut(packAll(Array(70_000).fill(false))).length, 70_000);
});

Deno.test("readArray() refuses what is something else", () => {
  for (const bytes of [[0x01], [0xc2], [0x91, 0xc0], [0x92, 0xc2, 0x05], [0x91, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]]) {
    assertThrows(() => readArray(new Uint8Array(bytes)), RangeError);
  }
  const whole = packAll([new Uint8Array(3), new Uint8Array(40)]);
  for (let end = 0; end < whole.length; end++) assertThrows(() => readArray(whole.subarray(0, end)), RangeError);
});

Deno.test("readNews() tells what it reads to those who keep track", () => {
  const known = new InvalidationReplica();
  const events: LarderEvent[] = [];
  const read = (told: Told) => readNews(news(told), known, (event) => events.push(event));
  read({ epoch: 7, last: 50, newest: 40, forget: true, barriers: [[30, "p:user:*"]] });
  assertEquals([known.epoch, known.seen, known.floor], [7, 50, 50]);
  const { now, clock, floor, notes } = read({
    now: 123,
    clock: 456,
    last: 80,
    newest: 75,
    floor: 5,
    records: [[60, "h:hard"], [75, "s:weich"]],
    barriers: [[70, "p:ordnung:?"]],
    notes: [[3, 2, 0, 0], [9, 4, 11, 12]],
  });
  assertEquals([now, clock, floor, known.seen], [123, 456, 5, 80]);
  assertEquals([...notes!], [[3, { kind: 2, hard: 0, stale: 0 }], [9, { kind: 4, hard: 11, stale: 12 }]]);
  const judge = (key: string, asOf: number, ...tags: string[]) => known.judge(key, { epoch: 7, asOf, tags });
  assertEquals([judge("a", 59, "hard"), judge("a", 60, "hard"), judge("a", 61, "hard")], [
    "invalid",
    "invalid",
    "valid",
  ]);
  assertEquals([judge("a", 75, "weich"), judge("a", 76, "weich")], ["stale", "valid"]);
  assertEquals([judge("ordnung:1", 70), judge("ordnung:12", 70)], ["invalid", "valid"]);
  assertEquals(events, []);
  read({ epoch: 8, last: 90, forget: true });
  assertEquals([events, judge("a", 1000)], [[{ type: "cache.epoch" }], "invalid"]);
});

/** A store whose server is the test. */
function start(maxQueued?: number): { client: ScriptedClient; store: RedisStore; batch: Batch; errors: unknown[] } {
  const client = new ScriptedClient();
  const errors: unknown[] = [];
  const batch = new Batch(client, { commandTimeout: 500, ...(maxQueued && { maxQueued }) });
  return { client, batch, errors, store: new RedisStore(batch, { namespace: "test" }) };
}

Deno.test("RedisStore.read() ends near its deadline although the server has it ask again and again", async () => {
  using clock = new FakeClock();
  const { client, store, batch } = start();
  const read = new Outcome(store.read("key"));
  for (let i = 0; i < 3 && read.state === "pending"; i++) {
    await clock.pass(450);
    client.writes.at(-1)!.resolve([packAll([false, news({ forget: true, notes: [[0, 8, 0, 0]] })])]);
    await clock.settle();
  }
  assertEquals([read.state, client.writes.length], ["timeout", 2]);
  await batch.close();
});

Deno.test("RedisStore.read() rejects, as when Redis answers an error, when a reply makes no sense", async () => {
  using clock = new FakeClock();
  const { client, store, batch } = start();
  for (const reply of ["OK", 7, null, new Uint8Array([0x90]), encoder.encode("later"), packAll([false, false])]) {
    const read = new Outcome(store.read("key"));
    await clock.settle();
    client.writes.at(-1)!.resolve([reply]);
    await clock.settle();
    assertEquals(read.error instanceof RedisError, true, Deno.inspect([reply, read.error]));
  }
  await batch.close();
});

Deno.test("RedisStore.read() refuses reads beyond the bound of the batch", async () => {
  using clock = new FakeClock();
  const { client, store, batch } = start(3);
  client.change({ state: "disconnected" });
  const reads = ["a", "b", "a", "c", "d"].map((key) => new Outcome(store.read(key)));
  await clock.settle();
  // Who wants the same key shares a place.
  assertEquals(reads.map(({ state }) => state), ["pending", "pending", "pending", "pending", "overload"]);
  assertEquals(reads[4]!.error instanceof UnavailableError, true);
  await clock.pass(500);
  assertEquals(reads.slice(0, 4).map(({ state }) => state), Array(4).fill("timeout"));
  const again = new Outcome(store.read("d"));
  await clock.settle();
  assertEquals(again.state, "pending");
  await batch.close();
});
