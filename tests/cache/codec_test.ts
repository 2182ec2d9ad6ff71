import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { deepStrictEqual } from "node:assert/strict";
import { Codec, type CodecOptions, type Encoded } from "../../src/cache/codec.ts";
import { jsonSerializer, richSerializer, type Serializer } from "../../src/values/serializer.ts";

const maxBytes = 1024 * 1024;
const text = "lorem ipsum ".repeat(500);

/** A serializer that shows in the bytes: JSON backwards. */
const reversed: Serializer = {
  id: 7,
  serialize: (value) => [...JSON.stringify(value)].reverse().join(""),
  deserialize: (bytes) => JSON.parse([...new TextDecoder().decode(bytes)].reverse().join("")),
};

function encode(codec: Codec, value: unknown): Encoded {
  const encoded = codec.encode(value, '"k"');
  assert(!(encoded instanceof Promise));
  return encoded;
}

function ascii(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("Codec.encode() says in the flags how the payload is written", () => {
  const codec = new Codec({ maxBytes });
  deepStrictEqual(encode(codec, { a: [1] }), { payload: new TextEncoder().encode('{"a":[1]}'), flags: 0 });
  assertEquals(encode(codec, { at: new Date(0) }).flags, 1);
  deepStrictEqual(encode(codec, new Uint8Array([1, 2])), { payload: new Uint8Array([1, 2]), flags: 2 });
  const custom = encode(new Codec({ maxBytes, serializer: reversed }), { a: 1 });
  assertEquals(custom.flags, 3);
  assertEquals(custom.payload[0], 7);
  assertEquals(ascii(custom.payload.subarray(1)), '}1:"a"{');
  const json = encode(new Codec({ maxBytes, serializer: jsonSerializer }), { at: new Date(0) });
  assertEquals([ascii(json.payload), json.flags], ['{"at":"1970-01-01T00:00:00.000Z"}', 0]);
});

Deno.test("Codec gives back what was stored, with and without compression", async () => {
  const values = fc.anything({
    // Without `constructor`, which `deepStrictEqual` of Deno 2.1 compares by identity.
    key: fc.string().filter((key) => key !== "__proto__" && key !== "constructor"),
    ...{
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
    },
  });
  const plain = new Codec({ maxBytes });
  const packed = new Codec({ maxBytes, compress: { threshold: 0 } });
  await fc.assert(fc.asyncProperty(values, async (value) => {
    const { payload, flags } = encode(plain, value);
    deepStrictEqual(plain.decode(payload, flags), value);
    const small = await packed.encode([value, text], '"k"');
    assertEquals(small.flags & 8, 8);
    deepStrictEqual(await packed.decode(small.payload, small.flags), [value, text]);
    deepStrictEqual(await plain.decode(small.payload, small.flags), [value, text]);
  }));
});

Deno.test("Codec shares no memory between a value and its payload", () => {
  const codec = new Codec({ maxBytes });
  const value = new Uint8Array([1, 2, 3]);
  const { payload, flags } = encode(codec, value);
  value.fill(9);
  const first = codec.decode(payload, flags) as Uint8Array;
  first.fill(8);
  deepStrictEqual(codec.decode(payload, flags), new Uint8Array([1, 2, 3]));
});

Deno.test("Codec compresses from the threshold on, and only what gets smaller", async () => {
  const random = crypto.getRandomValues(new Uint8Array(5000));
  const codec = new Codec({ maxBytes, compress: true });
  assertEquals(encode(codec, "x".repeat(1021)).flags, 0);
  const at = await codec.encode("x".repeat(1022), '"k"');
  assertEquals(at.flags, 8);
  assert(at.payload.length < 100);
  const kept = await codec.encode(random, '"k"');
  deepStrictEqual(kept, { payload: random, flags: 2 });
  assertEquals(encode(new Codec({ maxBytes, compress: false }), text).flags, 0);
  assertEquals(encode(new Codec({ maxBytes, compress: { threshold: 7000 } }), text).flags, 0);
  assert(new Codec({ maxBytes, compress: {} }).encode(text, '"k"') instanceof Promise);
});

Deno.test("Codec.decode() answers at once when nothing is compressed", () => {
  const codec = new Codec({ maxBytes, compress: true });
  for (const value of [{ a: 1 }, new Map([[1, 2]]), new Uint8Array(3)]) {
    const { payload, flags } = encode(codec, value);
    deepStrictEqual(codec.decode(payload, flags), value);
  }
});

Deno.test("Codec.encode() refuses a value over maxBytes, at once", () => {
  const limit = 'Cannot cache "k": wanted at most 10 bytes, got';
  for (const compress of [false, { threshold: 0 }]) {
    const codec = new Codec({ maxBytes: 10, compress });
    assertThrows(() => codec.encode("x".repeat(9), '"k"'), RangeError, `${limit} at least 11 bytes`);
    assertThrows(() => codec.encode("éééé" + "x", '"k"'), RangeError, `${limit} 11 bytes`);
    assertThrows(() => codec.encode(new Uint8Array(11), '"k"'), RangeError, `${limit} 11 bytes`);
  }
  const codec = new Codec({ maxBytes: 10 });
  assertEquals(encode(codec, "x".repeat(8)).payload.length, 10);
  assertEquals(encode(codec, new Uint8Array(10)).payload.length, 10);
});

Deno.test("Codec.encode() refuses what cannot be stored, at once", () => {
  for (const serializer of [richSerializer, jsonSerializer]) {
    const codec = new Codec({ maxBytes, serializer, compress: { threshold: 0 } });
    assertThrows(
      () => codec.encode({ a: [() => 1] }, '"user:1"'),
      TypeError,
      'Cannot cache "user:1": wanted plain data, got a function at .a[0]',
    );
  }
});

Deno.test("Codec.decode() reads what the built-in serializers wrote whatever is configured", async () => {
  const value = { a: 1 };
  const rich = new Codec({ maxBytes });
  for (const serializer of [richSerializer, jsonSerializer, reversed]) {
    const codec = new Codec({ maxBytes, serializer });
    for (const stored of [value, new Map([["a", 1n]]), new Uint8Array([1])]) {
      const { payload, flags } = encode(rich, stored);
      deepStrictEqual(codec.decode(payload, flags), stored);
    }
    // deno-lint-ignore no-await-in-loop -- one case after the other
    const packed = await new Codec({ maxBytes, compress: true }).encode(text, '"k"');
    // deno-lint-ignore no-await-in-loop -- one case after the other
    assertEquals(await codec.decode(packed.payload, packed.flags), text);
  }
});

Deno.test("Codec.decode() reads a custom format only with the serializer that wrote it", async () => {
  const codec = new Codec({ maxBytes, serializer: reversed, compress: { threshold: 1024 } });
  const { payload, flags } = encode(codec, { a: 1 });
  assertEquals(codec.decode(payload, flags), { a: 1 });
  const packed = await codec.encode(text, '"k"');
  assertEquals(packed.flags, 11);
  assertEquals(await codec.decode(packed.payload, packed.flags), text);

  const { serialize, deserialize } = reversed;
  for (const serializer of [undefined, jsonSerializer, { serialize, deserialize }, { ...reversed, id: 8 }]) {
    const other = new Codec({ maxBytes, serializer });
    assertThrows(() => other.decode(payload, flags), Error, "got one of another serializer");
    // deno-lint-ignore no-await-in-loop -- one case after the other
    await assertRejects(async () => await other.decode(packed.payload, packed.flags), Error, "another serializer");
  }
  assertThrows(() => codec.decode(new Uint8Array(), 3), Error, "another serializer");
});

Deno.test("Codec hands a custom serializer bytes of its own", () => {
  let seen: Uint8Array | undefined;
  const serializer: Serializer = {
    serialize: () => new Uint8Array([1, 2]),
    deserialize: (bytes) => (seen = bytes).fill(0),
  };
  const codec = new Codec({ maxBytes, serializer });
  const { payload, flags } = encode(codec, "any");
  codec.decode(payload, flags);
  deepStrictEqual(payload, new Uint8Array([0, 1, 2]));
  assertEquals(seen?.length, 2);
});

Deno.test("Codec.encode() refuses what a custom serializer must not give", () => {
  const cause = new Error("no");
  const using = (serialize: () => unknown) =>
    new Codec({ maxBytes: 3, serializer: { serialize: serialize as () => string, deserialize: () => 0 } });
  const fail = () => {
    throw cause;
  };
  const error = assertThrows(() => using(fail).encode(1, '"k"'), TypeError, 'Cannot cache "k": wanted bytes');
  assertStrictEquals(error.cause, cause);
  assertThrows(() => using(() => 5).encode(1, '"k"'), TypeError, "from the serializer, got a number");
  assertThrows(() => using(() => Promise.resolve("")).encode(1, '"k"'), TypeError, "got an instance of Promise");
  assertThrows(() => using(() => "123").encode(1, '"k"'), RangeError, "wanted at most 3 bytes, got 4 bytes");
});

Deno.test("Codec.decode() refuses unknown flags", async () => {
  const codec = new Codec({ maxBytes });
  const payload = new TextEncoder().encode("1");
  for (const flags of [4, 5, 6, 7, 12, 16, 24, 128, 136, 256, -1]) {
    assertThrows(() => codec.decode(payload, flags), Error, `wanted known flags, got ${flags}`);
  }
  // The payload is read by its own flags only.
  assertThrows(() => codec.decode(payload, 1), Error);
  await assertRejects(async () => await codec.decode(payload, 8), Error);
});

Deno.test("Codec.decode() bounds what a compressed payload expands to", async () => {
  const { payload, flags } = await new Codec({ maxBytes, compress: true }).encode(text, '"k"');
  const strict = new Codec({ maxBytes: 6000 });
  await assertRejects(
    async () => await strict.decode(payload, flags),
    RangeError,
    "wanted at most 6000 bytes, got 6002",
  );
});

Deno.test("Codec.decode() gives a value or an error for damaged payloads", async () => {
  const codec = new Codec({ maxBytes, compress: { threshold: 0 } });
  const stored = await codec.encode({ text, at: new Date(0), tags: new Set(["a"]) }, '"k"');
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    fc.nat(stored.payload.length),
    fc.nat(15),
    async (edits, cut, flags) => {
      const payload = stored.payload.slice(0, stored.payload.length - cut % 5);
      for (const [at, byte] of edits) payload[at % payload.length] = byte;
      try {
        await codec.decode(payload, flags);
      } catch (error) {
        assert(error instanceof Error);
      }
    },
  ));
});

Deno.test("new Codec() refuses wrong options", () => {
  const cases: [Record<string, unknown>, typeof TypeError | typeof RangeError, string][] = [
    [{ serializer: null }, TypeError, 'wanted "serializer" with serialize() and deserialize(), got null'],
    [{ serializer: { serialize() {} } }, TypeError, "got an object"],
    [{ serializer: { ...reversed, id: 256 } }, RangeError, '"serializer.id" must be an integer from 0 to 255'],
    [{ serializer: { ...reversed, id: 1.5 } }, RangeError, "current value is 1.5"],
    [{ compress: "yes" }, TypeError, 'wanted "compress" as a boolean or { threshold }, got "yes"'],
    [{ compress: null }, TypeError, "got null"],
    [{ compress: { threshold: -1 } }, RangeError, '"compress.threshold" must be an integer >= 0: current value is -1'],
    [{ maxBytes: 0 }, RangeError, '"maxBytes" must be an integer from 1 to 4294967295: current value is 0'],
    [{ maxBytes: "8" }, RangeError, 'current value is "8"'],
    [{ maxBytes: NaN }, RangeError, "current value is NaN"],
  ];
  for (const [options, type, message] of cases) {
    assertThrows(() => new Codec({ maxBytes, ...options } as CodecOptions), type, message);
  }
});

Deno.test("Codec decompresses 16 MiB at a time, of all values together", async () => {
  const codec = new Codec({ compress: true, maxBytes: 8 * 2 ** 20 });
  const bytes = new Uint8Array(4 * 2 ** 20);
  const { payload, flags } = await codec.encode(bytes, '"a"');
  let streams = 0;
  const { DecompressionStream } = globalThis;
  globalThis.DecompressionStream = class extends DecompressionStream {
    constructor(format: CompressionFormat) {
      super(format);
      streams++;
    }
  };
  try {
    const values = Array.from({ length: 50 }, () => codec.decode(payload, flags) as Promise<Uint8Array>);
    // Those for which there is room begin at once.
    assertEquals(streams, 4);
    assertEquals((await Promise.all(values)).map(({ length }) => length), values.map(() => bytes.length));
    assertEquals(streams, 50);
  } finally {
    globalThis.DecompressionStream = DecompressionStream;
  }
});
