import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { deepStrictEqual } from "node:assert/strict";
import { FORMAT, jsonSerializer, read, richSerializer, writeRich } from "../../src/values/serializer.ts";
import { writeJson } from "../../src/values/write_json.ts";

const encoder = new TextEncoder();

function roundTrip(value: unknown): unknown {
  return richSerializer.deserialize(richSerializer.serialize(value) as Uint8Array);
}

function json(text: string): unknown {
  return read(FORMAT.json, encoder.encode(text));
}

function devalue(text: string): unknown {
  return read(FORMAT.devalue, encoder.encode(text));
}

type View = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

const { Float16Array, Temporal } = globalThis as unknown as {
  Float16Array?: View & { BYTES_PER_ELEMENT: number };
  Temporal?: Record<string, { from(text: string): unknown }>;
};

const TYPED_ARRAYS = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ...(Float16Array === undefined ? [] : [Float16Array]),
];

/** Views that start inside their buffer and end before it does. */
const view = fc.tuple(
  fc.constantFrom(...TYPED_ARRAYS, DataView),
  fc.uint8Array({ minLength: 64, maxLength: 64 }),
  fc.nat(3),
  fc.nat(3),
).map(([type, bytes, start, length]) => {
  const size = "BYTES_PER_ELEMENT" in type ? type.BYTES_PER_ELEMENT : 1;
  return new (type as View)(Uint8Array.from(bytes).buffer, start * size, length);
});

/** Any UTF-16, also halves of surrogate pairs. */
const text = fc.oneof(
  fc.string(),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom("\ud83d", "\ude00\ud83d", "\u2028<\ufeff", "\ufffd", "__proto__", "\\u005f", "\0\x1f\x7f"),
);
/** Without `constructor`, which `deepStrictEqual` of Deno 2.1 compares by identity. */
// Once V8 has parsed an object with a backslash in a key, it reads escapes in other keys wrongly (crbug.com/521080746).
const key = text.filter((key) => key !== "__proto__" && key !== "constructor" && !key.includes("\\"));

const jsonLeaf = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
);

const richLeaf = fc.oneof(
  jsonLeaf,
  fc.double(),
  fc.constantFrom(undefined, -0, NaN, Infinity, -Infinity),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  view,
  fc.uint8Array().map((bytes) => Uint8Array.from(bytes).buffer),
  fc.constantFrom([/a\/[/]b/u, 0], [/x/gy, 3], [new RegExp(""), 0], [/\n\u2028/dims, 0]).map(([source, lastIndex]) =>
    Object.assign(new RegExp(source as RegExp), { lastIndex })
  ),
  fc.webUrl({ withQueryParameters: true, withFragments: true }).map((url) => new URL(url)),
  fc.array(fc.tuple(fc.string(), fc.string())).map((pairs) => new URLSearchParams(pairs)),
);

const { value: jsonValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    jsonLeaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

const { value: richValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    richLeaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.sparseArray(tie("value"), { maxLength: 20, maxNumElements: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 3 }).map((members) => new Set(members)),
  ),
}));

Deno.test("richSerializer gives back any value that it takes", () => {
  fc.assert(fc.property(richValue, (value) => deepStrictEqual(roundTrip(value), value)), { numRuns: 1000 });
});

Deno.test("richSerializer writes what JSON can hold as JSON", () => {
  fc.assert(fc.property(jsonValue, (value) => {
    deepStrictEqual(writeRich(value, "value"), { format: FORMAT.json, body: JSON.stringify(value) });
    deepStrictEqual(roundTrip(value), value);
  }));
});

Deno.test("richSerializer gives back each kind of value", async (t) => {
  const kinds: Record<string, unknown> = {
    "undefined": undefined,
    "null": null,
    "NaN": NaN,
    "Infinity": Infinity,
    "-Infinity": -Infinity,
    "-0": -0,
    "bigint": -(2n ** 100n),
    "empty string": "",
    "lone surrogates in JSON": { "\ud83d": "\ude00" },
    "lone surrogates beside a date": { "\ud83d": "\ude00", at: new Date(1) },
    "date": new Date("2024-02-29T12:34:56.789Z"),
    "date before the year 0": new Date(-8.64e15),
    "invalid date": new Date(NaN),
    "map of maps": new Map<unknown, unknown>([[new Map([[1, NaN]]), new Set([-0, undefined])]]),
    "field that is undefined": { a: undefined, b: [undefined] },
    "object without prototype": Object.assign(Object.create(null), { a: [1n] }),
    "hole": [1, , 3], // deno-lint-ignore no-sparse-arrays -- the subject
    "holes only": new Array(3),
    "huge sparse array": Object.assign(new Array(4_000_000_000), { 3_999_999_999: "end" }),
    "regular expression at a position": Object.assign(/a/g, { lastIndex: 2 }),
    "url": new URL("https://user:pw@example.org:8080/a%20b?c=d#e"),
    "empty buffer": new ArrayBuffer(0),
    "empty view": new Float64Array(0),
    "large bytes beside others": { bytes: new Uint8Array(200_000).fill(255) },
    "toJSON that is no function": { toJSON: 1 },
  };
  for (const [name, value] of Object.entries(kinds)) {
    // deno-lint-ignore no-await-in-loop -- steps run in order
    await t.step(name, () => deepStrictEqual(roundTrip(value), value));
  }
});

Deno.test("richSerializer keeps fields with the names of inherited ones", () => {
  for (const extra of [0, 0n]) {
    const value = { constructor: { prototype: { a: extra } }, hasOwnProperty: null, toString: "text" };
    const back = roundTrip(value) as typeof value;
    assertEquals(Object.keys(back), Object.keys(value));
    assertEquals(Object.entries(back.constructor.prototype), [["a", extra]]);
    assertEquals([back.hasOwnProperty, back.toString], [null, "text"]);
  }
});

Deno.test({
  name: "richSerializer keeps Temporal values",
  ignore: Temporal === undefined,
  fn() {
    const zoned = Temporal!["ZonedDateTime"]!.from("2024-02-29T12:00:00+01:00[Europe/Paris]");
    const duration = Temporal!["Duration"]!.from("P1DT2H");
    const back = roundTrip({ zoned, duration }) as { zoned: unknown; duration: unknown };
    assertEquals(Object.getPrototypeOf(back.zoned), Object.getPrototypeOf(zoned));
    assertEquals(String(back.zoned), String(zoned));
    assertEquals(String(back.duration), "P1DT2H");
  },
});

Deno.test("richSerializer keeps cycles and shared references", () => {
  const node: { self?: unknown; list: unknown[]; map: Map<unknown, unknown> } = { list: [], map: new Map() };
  node.self = node;
  node.list.push(node.list, node);
  node.map.set(node.map, node);
  const back = roundTrip(node) as typeof node;
  assertStrictEquals(back.self, back);
  assertStrictEquals(back.list[0], back.list);
  assertStrictEquals(back.map.get(back.map), back);
});

Deno.test("richSerializer stores a small graph with endless paths as it is", () => {
  let graph: unknown[] = [];
  for (let i = 0; i < 60; i++) graph = [graph, graph];
  const { format, body } = writeRich(graph, "value");
  assertEquals(format, FORMAT.devalue);
  assert(body.length < 1000, `${body.length} characters`);
  const back = roundTrip(graph) as unknown[];
  assertStrictEquals(back[0], back[1]);
});

Deno.test("richSerializer writes a large value as JSON", () => {
  const rows = Array.from({ length: 120_000 }, (_, id) => ({ id }));
  assertEquals(writeRich(rows, "value").format, FORMAT.json);
});

Deno.test("richSerializer stores only the visible part of a view", () => {
  const secret = new TextEncoder().encode("before-secret-after");
  const view = secret.subarray(7, 13);
  deepStrictEqual(writeRich(view, "value"), { format: FORMAT.bytes, body: view });
  const back = roundTrip({ view, words: new Uint16Array(secret.buffer, 2, 1) }) as { view: Uint8Array };
  assertEquals(back.view, encoder.encode("secret"));
  assertEquals(back.view.buffer.byteLength, 6);
  const { body } = writeRich({ view }, "value");
  assertEquals((body as string).includes(btoa("secret")), true);
  assertEquals((body as string).length < 60, true);
});

Deno.test("richSerializer stores the bytes of a Buffer, and nothing of the pool behind it", () => {
  const text = Buffer.from("secret");
  const part = Buffer.from("a secret").subarray(2);
  for (const buffer of [text, part]) {
    deepStrictEqual(roundTrip(buffer), encoder.encode("secret"));
    deepStrictEqual(roundTrip({ file: buffer, all: [buffer] }), {
      file: encoder.encode("secret"),
      all: [encoder.encode("secret")],
    });
    assertEquals((writeRich({ buffer }, "value").body as string).length < 70, true);
  }
  deepStrictEqual(roundTrip(Buffer.alloc(0)), new Uint8Array(0));
});

Deno.test("richSerializer copies a view on shared memory", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
  const back = roundTrip([shared]) as [Uint8Array];
  deepStrictEqual(back, [new Uint8Array([7, 7, 7, 7])]);
  assert(back[0].buffer instanceof ArrayBuffer);
});

Deno.test("richSerializer.deserialize() gives a value of its own", () => {
  for (const value of [new Uint8Array([1, 2]), { a: new Uint8Array([1, 2]) }, { a: [1] }]) {
    const stored = richSerializer.serialize(value) as Uint8Array;
    const copy = stored.slice();
    const first = richSerializer.deserialize(stored) as Uint8Array & { a?: Uint8Array | number[] };
    (first.a ?? first).fill(9);
    deepStrictEqual(richSerializer.deserialize(stored), value);
    deepStrictEqual(stored, copy);
  }
});

Deno.test("richSerializer.deserialize() reads a view inside a larger reply", () => {
  const stored = richSerializer.serialize({ a: "é", at: new Date(5) }) as Uint8Array;
  const reply = new Uint8Array(stored.length + 20).fill(0x7b);
  reply.set(stored, 11);
  deepStrictEqual(richSerializer.deserialize(reply.subarray(11, 11 + stored.length)), { a: "é", at: new Date(5) });
});

Deno.test("read() refuses what cannot be read", () => {
  for (const text of ["", "{", "nul", "[1,]", '{"a":1}}', "\ufeff{}"]) assertThrows(() => json(text), Error);
  for (const text of ["", "{}", "[]", "[1", '[["Nope",1]]', '[["BigInt","x"]]', "[[1]]", '[["Float64Array",0]]', "7"]) {
    assertThrows(() => devalue(text), Error);
  }
  assertThrows(() => read(FORMAT.json, new Uint8Array([0x22, 0xff, 0x22])), TypeError);
  assertThrows(() => read(FORMAT.json, new Uint8Array([0x22, 0xc3, 0x22])), TypeError);
  assertThrows(() => read(FORMAT.devalue, new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d])), TypeError);
  assertThrows(() => read(FORMAT.custom, new Uint8Array(1)), Error, "wanted a known format, got 3");
  assertThrows(() => richSerializer.deserialize(new Uint8Array()), Error, "got undefined");
});

Deno.test("read() takes a real U+FFFD", () => {
  assertEquals(json('"\ufffd"'), "\ufffd");
});

Deno.test("read() refuses a forged __proto__ key", () => {
  const forged = [
    '{"__proto__":{"polluted":1}}',
    '[{"a":{"__proto__":null}}]',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"__pr\\u006Fto__":{"polluted":1}}',
  ];
  for (const text of forged) assertThrows(() => json(text), Error, 'got the key "__proto__"');
  const devalued = [
    '[{"__proto__":1},{"polluted":2},1]',
    '[{"\\u005f_proto__":1},{"polluted":2},1]',
    '[["null","__proto__",1],{"polluted":2},1]',
  ];
  for (const text of devalued) assertThrows(() => devalue(text), Error, "__proto__");
  // The text alone is no key.
  assertEquals(json('["__proto__","\\u005f_proto__","\\u0000"]'), ["__proto__", "__proto__", "\0"]);
});

Deno.test("read() leaves prototypes alone whatever the payload says", () => {
  const before = [Object.prototype, Array.prototype, Function.prototype, Map.prototype].map(Reflect.ownKeys);
  devalue('[{"constructor":1},{"prototype":2},{"polluted":3},1]');
  json('{"constructor":{"prototype":{"polluted":1}}}');
  const tokens = [
    "__proto__",
    "constructor",
    "prototype",
    "Object",
    "Map",
    "Set",
    "null",
    "Date",
    "RegExp",
    "polluted",
  ];
  const part = fc.oneof(
    fc.integer({ min: -8, max: 12 }),
    fc.constantFrom(...tokens),
    fc.array(fc.oneof(fc.constantFrom(...tokens), fc.integer({ min: -8, max: 12 })), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom(...tokens), fc.integer({ min: -8, max: 12 })),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
      try {
        devalue(JSON.stringify(parts));
      } catch (error) {
        assert(error instanceof Error);
      }
    }),
    { numRuns: 2000 },
  );
  assertEquals([Object.prototype, Array.prototype, Function.prototype, Map.prototype].map(Reflect.ownKeys), before);
  assertEquals(({} as { polluted?: unknown }).polluted, undefined);
});

Deno.test("read() gives a value or an error for damaged payloads", () => {
  fc.assert(
    fc.property(
      richValue,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (value, edits) => {
        const stored = richSerializer.serialize(value) as Uint8Array;
        for (const [at, byte] of edits) stored[at % stored.length] = byte;
        try {
          richSerializer.deserialize(stored);
        } catch (error) {
          assert(error instanceof Error);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("jsonSerializer writes what JSON.stringify writes", () => {
  class Point {
    x = 1;
  }
  const value = {
    at: new Date(0),
    gone: undefined,
    nan: NaN,
    point: new Point(),
    url: new URL("http://a/"),
    list: [,],
  };
  assertEquals(jsonSerializer.serialize(value), JSON.stringify(value));
  const own = { toJSON: () => ({ as: "text" }) };
  assertEquals(jsonSerializer.serialize([own, own]), '[{"as":"text"},{"as":"text"}]');
  fc.assert(fc.property(jsonValue, (value) => {
    const stored = jsonSerializer.serialize(value) as string;
    assertEquals(stored, JSON.stringify(value));
    deepStrictEqual(jsonSerializer.deserialize(encoder.encode(stored)), value);
  }));
});

Deno.test("jsonSerializer refuses what would be lost, and says where", () => {
  const cycle: Record<string, unknown> = { date: new Date(0) };
  cycle["self"] = cycle;
  let deep: unknown = 1n;
  for (let i = 0; i < 2000; i++) deep = [deep];
  const cases: [unknown, typeof TypeError | typeof RangeError, string][] = [
    [undefined, TypeError, "wanted plain data, got undefined"],
    [() => 1, TypeError, "wanted plain data, got a function"],
    [{ a: [{ b: 1, c: { d: 1 } }, { e: 5n }] }, TypeError, "got a bigint at .a[1].e"],
    [{ a: { b: {} }, c: Symbol.iterator }, TypeError, "got a symbol at .c"],
    [[new Map()], TypeError, "got an instance of Map at [0]"],
    [{ "two words": Promise.resolve() }, TypeError, 'got an instance of Promise at ["two words"]'],
    [{ bytes: new Uint8Array(1) }, TypeError, "got an instance of Uint8Array at .bytes"],
    [JSON.parse('{"a":{"__proto__":{}}}'), TypeError, 'got the key "__proto__" at .a'],
    [cycle, TypeError, "got an error while writing it"],
    [deep, RangeError, "wanted at most 1000 levels of nesting, got more at [0][0]"],
  ];
  for (const [value, type, message] of cases) assertThrows(() => writeJson(value, '"k"'), type, message);
});
