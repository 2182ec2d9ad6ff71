import { assertEquals, assertThrows } from "@std/assert";
import { encodeTags, HEADER, PLACEHOLDER, WireEntry } from "../../src/cache/entry.ts";

interface Fields {
  version?: number;
  flags?: number;
  tagCount?: number;
  tags?: readonly string[];
  tagsLength?: number;
  payload?: Uint8Array;
}

/** An entry as the scripts write it. */
function wire(
  { version = 1, flags = 0, tags = [], tagCount, tagsLength, payload = new Uint8Array() }: Fields,
): Uint8Array {
  const encoded = encodeTags(tags);
  const bytes = new Uint8Array(HEADER + encoded.length + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, flags);
  view.setUint16(2, tagCount ?? tags.length);
  view.setUint32(4, 1234);
  for (const [i, value] of [5, 6.5, 7, 8, 9e15, 10, 11].entries()) view.setFloat64(8 + 8 * i, value);
  view.setUint32(64, tagsLength ?? encoded.length);
  bytes.set(encoded, HEADER);
  bytes.set(payload, HEADER + encoded.length);
  return bytes;
}

Deno.test("WireEntry reads what the scripts write", () => {
  const payload = new Uint8Array([1, 2, 3]);
  const entry = new WireEntry(wire({ flags: 9, tags: ["a", "日本", "x".repeat(512)], payload }));
  assertEquals([entry.flags, entry.placeholder, entry.loadTime, entry.epoch, entry.asOf], [9, false, 1234, 5, 6.5]);
  assertEquals([entry.freshUntil, entry.staleUntil, entry.errorUntil], [7, 8, 9e15]);
  assertEquals([entry.leaseToken, entry.leaseUntil], [10, 11]);
  assertEquals([...entry.tags], ["a", "日本", "x".repeat(512)]);
  assertEquals(new Uint8Array(entry.payload), payload);
  assertEquals(entry.bytes, HEADER + 3 + 8 + 514 + 3);
});

Deno.test("WireEntry reads an entry without tags and payload, and one in the middle of other bytes", () => {
  const bytes = wire({ flags: PLACEHOLDER });
  const around = new Uint8Array(bytes.length + 20).fill(255);
  around.set(bytes, 10);
  const entries = [
    new WireEntry(bytes),
    new WireEntry(around.subarray(10, 10 + bytes.length)),
    new WireEntry(around, 10, 10 + bytes.length),
  ];
  for (const entry of entries) {
    assertEquals([entry.placeholder, entry.tags, entry.payload.length, entry.epoch], [true, [], 0, 5]);
    assertEquals([entry.bytes, entry.takeValue()], [HEADER, undefined]);
  }
});

Deno.test("WireEntry takes 64 tags of 512 bytes", () => {
  const tags = Array.from({ length: 64 }, (_, i) => `${i}`.padStart(512, "é".repeat(2)).slice(0, 256));
  assertEquals([...new WireEntry(wire({ tags })).tags], tags);
});

Deno.test("WireEntry refuses what is no entry of its version", () => {
  const whole = wire({ tags: ["tag", "other"], payload: new Uint8Array([1]) });
  for (let length = 0; length < HEADER + encodeTags(["tag", "other"]).length; length++) {
    assertThrows(() => new WireEntry(whole.subarray(0, length)), RangeError, "Cannot read entry");
  }
  for (const version of [0, 2, 255]) {
    assertThrows(() => new WireEntry(wire({ version })), RangeError, `got version ${version}`);
  }
});

Deno.test("WireEntry refuses tags that do not fill their place", () => {
  const tags = ["tag", "other"];
  const length = encodeTags(tags).length;
  const wrong: Fields[] = [
    { tagCount: 1 },
    { tagCount: 3 },
    { tagCount: 0 },
    { tagCount: 65_535 },
    { tagsLength: length - 1 },
    { tagsLength: length + 1 },
    { tagsLength: 0 },
    { tagsLength: 2 ** 32 - 1 },
  ];
  for (const fields of wrong) {
    assertThrows(() => new WireEntry(wire({ tags, payload: new Uint8Array(20), ...fields })), RangeError, "tags");
  }
  assertThrows(() => new WireEntry(wire({ tagCount: 1, payload: new Uint8Array(20) })), RangeError, "tags");
});

Deno.test("encodeTags() puts the length in front of each tag", () => {
  assertEquals(encodeTags([]), new Uint8Array());
  assertEquals(encodeTags(["a", "é"]), new Uint8Array([0, 1, 97, 0, 2, 0xc3, 0xa9]));
  assertEquals(encodeTags(["x".repeat(300)]).subarray(0, 3), new Uint8Array([1, 44, 120]));
});
