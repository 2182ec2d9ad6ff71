import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { compress, decompress } from "../../src/values/compression.ts";

const MIB = 1024 * 1024;
const rows = new TextEncoder().encode(
  JSON.stringify(Array.from({ length: 5000 }, (_, id) => ({ id, name: `n${id}` }))),
);

/** What {@linkcode compress} makes of zeros, with another length in front. */
async function claim(zeros: number, length: number): Promise<Uint8Array> {
  const payload = await compress(new Uint8Array(zeros));
  new DataView(payload.buffer).setUint32(0, length, true);
  return payload;
}

Deno.test("decompress() reverses compress()", async () => {
  const small = await compress(rows);
  assert(small.length < rows.length / 4, `${small.length} of ${rows.length}`);
  assertEquals(await decompress(small, rows.length), rows);
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
    const padded = Uint8Array.from([1, 2, 3, ...(await compress(bytes)), 4]);
    assertEquals(await decompress(padded.subarray(3, -1), bytes.length), Uint8Array.from(bytes));
  }));
});

Deno.test("decompress() takes a payload that is many pieces long", async () => {
  const random = new Uint8Array(3 * MIB);
  for (let at = 0; at < random.length; at += 65536) crypto.getRandomValues(random.subarray(at, at + 65536));
  const payload = await compress(random);
  assert(payload.length > random.length);
  assert(Buffer.compare(await decompress(payload, random.length), random) === 0);
});

Deno.test("decompress() refuses more than maxBytes", async () => {
  const payload = await compress(rows);
  await assertRejects(
    () => decompress(payload, rows.length - 1),
    RangeError,
    `Cannot decompress value: wanted at most ${rows.length - 1} bytes, got ${rows.length}`,
  );
});

Deno.test("decompress() stops a payload that expands beyond what it says", async () => {
  const bomb = await claim(256 * MIB, 1000);
  assert(bomb.length < MIB);
  const before = Deno.memoryUsage().rss;
  await assertRejects(() => decompress(bomb, 8 * MIB), RangeError, "wanted at most 1000 bytes, got more");
  assert(Deno.memoryUsage().rss - before < 64 * MIB);
});

Deno.test("decompress() refuses a damaged payload", async () => {
  const payload = await compress(rows);
  await assertRejects(() => decompress(new Uint8Array(3), MIB), Error, "wanted at least 4 bytes, got 3");
  await assertRejects(() => decompress(payload.subarray(0, 4), MIB), Error, `wanted ${rows.length} bytes, got 0`);
  const half = payload.length >> 1;
  await assertRejects(() => decompress(payload.subarray(0, half), MIB), Error, `wanted ${rows.length} bytes, got`);
  await assertRejects(() => decompress(Uint8Array.from([...payload, 0, 0, 0]), MIB), Error);
  await assertRejects(() => decompress(new Uint8Array(64).fill(255), 0xffff_ffff), TypeError);
  await assertRejects(
    () => claim(100, 101).then((claimed) => decompress(claimed, MIB)),
    Error,
    "wanted 101 bytes, got 100",
  );
});

Deno.test("decompress() gives the original or an error wherever a payload is cut", async () => {
  const bytes = rows.subarray(0, 2000);
  const payload = await compress(bytes);
  const lengths = Array.from({ length: payload.length }, (_, length) => length);
  const results = await Promise.allSettled(lengths.map((length) => decompress(payload.subarray(0, length), MIB)));
  for (const result of results) {
    if (result.status === "fulfilled") assertEquals(result.value, Uint8Array.from(bytes));
  }
  assert(results.filter(({ status }) => status === "rejected").length > payload.length - 10);
});
