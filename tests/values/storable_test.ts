import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { writeRich } from "../../src/values/serializer.ts";
import { assertStorable, isJsonSafe, MAX_DEPTH } from "../../src/values/storable.ts";

class User {
  name = "Ada";
}

function nested(depth: number, inner: unknown): unknown {
  let value = inner;
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}

function args(..._: unknown[]): IArguments {
  return arguments;
}

Deno.test("assertStorable() refuses what would not come back equal, and says where", async (t) => {
  const cases: [name: string, value: unknown, got: string][] = [
    ["function", () => 1, "got a function"],
    ["function in a field", { user: { save: () => 1 } }, "got a function at .user.save"],
    ["class", [1, User], "got a function at [1]"],
    ["symbol", { a: [Symbol("s")] }, "got a symbol at .a[0]"],
    ["instance", { user: new User() }, "got an instance of User at .user"],
    ["promise", { later: Promise.resolve(1) }, "got an instance of Promise at .later"],
    ["weak map", new WeakMap(), "got an instance of WeakMap"],
    ["error", { error: new RangeError("x") }, "got an instance of RangeError at .error"],
    ["response", new Response(), "got an instance of Response"],
    ["shared memory", new SharedArrayBuffer(1), "got an instance of SharedArrayBuffer"],
    ["boxed number", [Object(1)], "got an instance of Number at [0]"],
    ["subclass of Date", new (class Day extends Date {})(), "got an instance of Day"],
    ["subclass of Array", [new (class List extends Array {})()], "got an instance of a subclass of Array at [0]"],
    ["own prototype", Object.create({ inherited: 1 }), "got an object with a prototype of its own"],
    ["arguments", args(1), "got an object of kind Arguments"],
    ["map key", new Map([[new Map([[User, 1]]), 1]]), "got a function at .keys()[0].keys()[0]"],
    ["map entry", new Map([["a", 1], ["b c", User as unknown]]), 'got a function at .get("b c")'],
    ["map entry of an object", new Map([[{}, User]]), "got a function at .values()[0]"],
    ["set member", { roles: new Set([1, User]) }, "got a function at .roles.values()[1]"],
    ["odd key", { "a.b": { "": User } }, 'got a function at ["a.b"][""]'],
    ["symbol key", { a: { [Symbol("s")]: 1 } }, "got an object with the extra field Symbol(s) at .a"],
    ["field on an array", Object.assign([1], { index: 0 }), 'with the extra field "index"'],
    ["number on an array", Object.assign([1], { "1.5": 0 }), 'with the extra field "1.5"'],
    ["padded index on an array", Object.assign([1], { "00": 0 }), 'with the extra field "00"'],
    ["number past the last index", Object.assign([1], { "4294967295": 0 }), 'with the extra field "4294967295"'],
    ["match", { match: /a/.exec("a") }, 'got an array with 1 element with the extra field "groups" at .match'],
    ["field on a map", Object.assign(new Map(), { extra: 1 }), 'got an instance of Map with the extra field "extra"'],
    ["field on a date", Object.assign(new Date(0), { extra: 1 }), 'with the extra field "extra"'],
    ["__proto__ key", JSON.parse('{"a":{"__proto__":1}}'), 'got an object with the key "__proto__" at .a'],
    ["disguise", Object.defineProperty({}, Symbol.toStringTag, { value: "Date" }), "got an object of kind Date"],
    [
      "disguised url",
      Object.defineProperty(new URL("a:"), Symbol.toStringTag, { value: "Set" }),
      "URL with a tag of its own",
    ],
    ["disguised map", Object.defineProperty(new Map(), Symbol.toStringTag, { value: "Set" }), "Symbol.toStringTag"],
  ];
  for (const [name, value, got] of cases) {
    // deno-lint-ignore no-await-in-loop -- steps run in order
    await t.step(name, () => {
      const error = assertThrows(() => writeRich(value, '"user:1"'), TypeError, got);
      assert(error.message.startsWith('Cannot cache "user:1": wanted plain data, got '), error.message);
      assertStrictEquals(error.constructor, TypeError);
    });
  }
});

Deno.test("assertStorable() refuses a detached buffer", () => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  assertThrows(() => assertStorable(bytes, "value"), TypeError, "got a detached buffer");
  assertThrows(() => assertStorable({ a: bytes.buffer }, "value"), TypeError, "got a detached buffer at .a");
  assertStorable(new Uint8Array(0), "value");
});

Deno.test("assertStorable() turns what the value throws into a TypeError with the cause", async (t) => {
  const cause = new Error("no");
  const fail = () => {
    throw cause;
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [name: string, value: unknown, at: string][] = [
    ["getter", {
      a: {
        get b() {
          return fail();
        },
      },
    }, "at .a.b"],
    ["getter in an array", [0, Object.defineProperty([], 0, { get: fail, enumerable: true })], "at [1][0]"],
    ["ownKeys trap", { p: new Proxy({}, { ownKeys: fail }) }, "at .p"],
    ["getPrototypeOf trap", [new Proxy({}, { getPrototypeOf: fail })], "at [0]"],
    ["get trap", { p: new Proxy({ x: 1 }, { get: fail }) }, "at .p"],
  ];
  for (const [name, value, at] of cases) {
    // deno-lint-ignore no-await-in-loop -- steps run in order
    await t.step(name, () => {
      const error = assertThrows(() => writeRich(value, "k"), TypeError, "got an error while reading it");
      assert(error.message.endsWith(at) || error.message.includes(`${at}.`), error.message);
      assertStrictEquals(error.cause, cause);
    });
  }
  await t.step("revoked proxy", () => {
    const error = assertThrows(() => writeRich([revoked.proxy], "k"), TypeError, "while reading it at [0]");
    assert(error.cause instanceof TypeError);
  });
  for (const type of [Date, Map, Set, URL, RegExp, ArrayBuffer, Uint8Array]) {
    // deno-lint-ignore no-await-in-loop -- steps run in order
    await t.step(`object that looks like a ${type.name}`, () => {
      const error = assertThrows(() => writeRich([Object.create(type.prototype)], "k"), TypeError, "Cannot cache k:");
      assert(error.cause instanceof Error);
    });
  }
});

Deno.test("assertStorable() bounds the depth", () => {
  writeRich(nested(MAX_DEPTH, 1), "k");
  writeRich(nested(MAX_DEPTH, 1n), "k");
  for (const depth of [MAX_DEPTH + 1, 100_000]) {
    for (const inner of [1, 1n, [new Map()]]) {
      const error = assertThrows(() => writeRich(nested(depth, inner), "k"), RangeError);
      assert(error.message.startsWith("Cannot cache k: wanted at most 1000 levels of nesting, got more at .a.a"));
      assert(error.message.length < 300);
    }
  }
});

Deno.test("assertStorable() keeps the text of an error short", () => {
  const long = "x".repeat(100_000);
  const error = assertThrows(() => assertStorable({ [long]: { [long]: User } }, "k"), TypeError);
  assert(error.message.length < 300, `${error.message.length}`);
});

Deno.test("isJsonSafe() is true only for what JSON keeps", () => {
  const safe = [null, true, "", "\ud83d", 0, 1e308, 5e-324, [], {}, [[{ a: [1, "b", null] }]], { toJSON: "text" }];
  for (const value of safe) assertEquals(isJsonSafe(value), true, String(value));
  const shared = { a: 1 };
  assertEquals(isJsonSafe([shared, shared]), true);

  const cycle: unknown[] = [];
  cycle.push(cycle);
  const unsafe = [
    ...[undefined, -0, NaN, Infinity, 1n, Symbol(), User, new User(), new Date(0), new Map(), new Uint8Array(1)],
    ...[{ a: undefined }, [undefined], new Array(1), cycle, Object.create(null), JSON.parse('{"__proto__":1}')],
    ...[Object.defineProperty({}, "toJSON", { value: () => 1 }), Object.assign([1], { a: 1 }), { [Symbol()]: 1 }],
    new Proxy({}, {
      ownKeys() {
        throw new Error("no");
      },
    }),
  ];
  for (const value of unsafe) assertEquals(isJsonSafe(value), false);
});

Deno.test("isJsonSafe() heeds a toJSON that somebody put on Object.prototype", () => {
  Object.defineProperty(Object.prototype, "toJSON", { value: () => "changed", configurable: true });
  try {
    assertEquals(isJsonSafe({ a: 1 }), false);
    assertEquals((writeRich({ a: 1 }, "k").body as string).includes("changed"), false);
  } finally {
    delete (Object.prototype as { toJSON?: unknown }).toJSON;
  }
});
