import { assertEquals } from "@std/assert";
import { describe, describeKind } from "../../src/util/describe.ts";

Deno.test("describe() shows plain values", () => {
  class User {}
  const cases: [unknown, string][] = [
    ["user:1", '"user:1"'],
    ["", '""'],
    [1.5, "1.5"],
    [-0, "-0"],
    [NaN, "NaN"],
    [true, "true"],
    [undefined, "undefined"],
    [null, "null"],
    [12n, "12n"],
    [10n ** 1000n, "a large bigint"],
    [Symbol("secret"), "a symbol"],
    [() => 1, "a function"],
    [{ a: 1 }, "an object"],
    [Object.create(null), "an object"],
    [[], "an array with 0 elements"],
    [[1], "an array with 1 element"],
    [new Map(), "an instance of Map"],
    [new Date(NaN), "an instance of Date"],
    [new User(), "an instance of User"],
  ];
  for (const [value, text] of cases) assertEquals(describe(value), text);
});

Deno.test("describe() keeps strings on one line, visible and short", () => {
  assertEquals(describe('a"b\\\n\u0000'), '"a\\"b\\\\\\n\\u0000"');
  assertEquals(describe("\x7f\x9b31m\u2028\u202e\ufeff\ud800"), '"\\u007f\\u009b31m\\u2028\\u202e\\ufeff\\ud800"');
  assertEquals(describe("é😀"), '"é😀"');
  assertEquals(describe("x".repeat(64)), `"${"x".repeat(64)}"`);
  assertEquals(describe("x".repeat(600)), `"${"x".repeat(64)}"… (600 characters)`);
  assertEquals(describe("x".repeat(63) + "😀"), `"${"x".repeat(63)}"… (65 characters)`);
});

Deno.test("describe() survives hostile values", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  assertEquals(describe(proxy), "an object");
  assertEquals(
    describe(
      Object.create({
        get constructor() {
          throw new Error("no");
        },
      }),
    ),
    "an object",
  );
  assertEquals(describe(Object.create({ constructor: { name: "x\ny" } })), "an object");
  assertEquals(describe(Object.create({ constructor: 1 })), "an object");
});

Deno.test("describeKind() shows nothing of the value", () => {
  assertEquals(["hunter2", "", 5, 5n, true, null, undefined, {}].map(describeKind), [
    "a string",
    "an empty string",
    "a number",
    "a bigint",
    "a boolean",
    "null",
    "undefined",
    "an object",
  ]);
});
