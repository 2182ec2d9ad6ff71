import { assert, assertEquals } from "@std/assert";
import { KnownEntries } from "../../../src/cache/known_entries.ts";
import { Coldness } from "../../../src/redis/coldness.ts";
import { NO_LEDGER, readMarks } from "../../../src/cache/redis/ledger_marks.ts";
import { Probe } from "../../../src/cache/redis/probe.ts";
import { ReadsOut } from "../../../src/cache/redis/reads_out.ts";
import { ScriptsOut } from "../../../src/cache/redis/scripts_out.ts";
import { ByteGate } from "../../../src/util/byte_gate.ts";

const MIB = 2 ** 20;

Deno.test("KnownEntries keeps what was asked for of late, and no more than twice what it may", () => {
  const entries = new KnownEntries(10);
  entries.note("hot", 7);
  for (let i = 0; i < 1000; i++) {
    entries.note(`key:${i}`, i);
    assertEquals(entries.get("hot")?.bytes, 7);
    assert(entries.size <= 20, `${entries.size}`);
  }
  assertEquals([entries.get("key:999")?.bytes, entries.get("key:0")], [999, undefined]);
  entries.forget("hot");
  assertEquals(entries.get("hot"), undefined);
});

Deno.test("Coldness follows what is found", () => {
  const coldness = new Coldness(64, 0);
  for (let i = 0; i < 100; i++) coldness.add(true);
  assertEquals(coldness.cold, false);
  for (let i = 0; i < 64; i++) coldness.add(false);
  assertEquals(coldness.cold, true);
  for (let i = 0; i < 64; i++) coldness.add(true);
  assertEquals(coldness.cold, false);
});

Deno.test("Probe asks for less where values are short, and for more again where one is not", () => {
  const probe = new Probe();
  const first = probe.bytes;
  for (let i = 0; i < 5000; i++) probe.learn(300);
  assert(probe.bytes < first && probe.bytes >= 1024, `${probe.bytes}`);
  probe.learn(probe.bytes);
  assertEquals(probe.bytes, first);
});

Deno.test("ReadsOut asks for a bounded number of bytes at a time, as many as the line brings", () => {
  const out = new ReadsOut();
  const write = () => {
    const reads = out.next();
    let count = 0;
    while (reads.add(MIB / 2)) count++;
    return { reads, count };
  };
  const [first, second] = [write(), write()];
  assertEquals([first.count, second.count], [2, 0]);
  assertEquals(out.next().add(300), true); // short ones need not wait
  first.reads.end();
  for (let i = 0; i < 10; i++) {
    const { reads } = write();
    out.learn(reads.bytes, 5, 500);
    reads.end();
  }
  assertEquals(write().count, 8);
  for (let i = 0; i < 10; i++) out.learn(4 * MIB, Infinity, 500);
  assertEquals(out.room, MIB / 4);
});

Deno.test("ReadsOut lets a value go that is longer than all others may be together, alone", () => {
  const out = new ReadsOut();
  const reads = out.next();
  assertEquals([reads.add(64 * MIB), reads.add(MIB)], [true, false]);
  reads.end();
  assertEquals(out.next().add(MIB), true);
});

Deno.test("readMarks() reads numbers as any client gives them", () => {
  const encoder = new TextEncoder();
  const bytes = (text: string) => encoder.encode(text);
  const time = [bytes("1764355000"), bytes("123456")];
  const marks = {
    epoch: 281474976710656,
    newest: 1764355000000000,
    floor: 0,
    last: 1764355000000001,
    time: 1764355000123456,
  };
  assertEquals(
    readMarks([bytes("-281474976710656"), bytes("-1764355000000000"), null, bytes("-1764355000000001")], time),
    marks,
  );
  assertEquals(readMarks([bytes("-2.81474976710656e+14"), "-1764355000000000", null, -1764355000000001], time), marks);
  assertEquals(readMarks([null, null, null, null], [bytes("0"), bytes("0")]), NO_LEDGER);
});

Deno.test("ByteGate lets in what there is room for, in order, and what is too large alone", async () => {
  const gate = new ByteGate(10);
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string, bytes: number) =>
    gate.run(bytes, () => {
      log.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [work("a", 6), work("b", 4), work("large", 99), work("c", 1)];
  const settle = async () => {
    for (let i = 0; i < 10; i++) await undefined;
  };
  await settle();
  assertEquals(log, ["a", "b"]);
  ends.shift()!();
  await settle();
  assertEquals(log, ["a", "b"]);
  ends.shift()!();
  await settle();
  assertEquals(log, ["a", "b", "large"]);
  ends.shift()!();
  await settle();
  assertEquals(log, ["a", "b", "large", "c"]);
  ends.shift()!();
  await Promise.all(all);
});

Deno.test("ScriptsOut has as many keys out as a server answers for well within the deadline", () => {
  const out = new ScriptsOut();
  const first = out.room;
  assertEquals([out.fits(10_000), out.fits(1)], [true, true]); // where nothing is out, anything goes
  out.add(first);
  assertEquals(out.fits(1), false);
  out.end(first, 400, 500);
  assertEquals(out.room, first / 2);
  for (let i = 0; i < 10; i++) {
    out.add(500);
    out.end(500, Infinity, 500);
  }
  assertEquals(out.room, 250);
  for (let i = 0; i < 10; i++) {
    out.add(500);
    out.end(500, 5, 500);
  }
  assertEquals(out.room, 8000);
  out.add(1);
  assertEquals([out.fits(7999), out.fits(8000)], [true, false]);
});
