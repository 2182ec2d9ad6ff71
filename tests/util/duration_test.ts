import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describeDuration, MAX_MILLISECONDS, toMilliseconds } from "../../src/util/duration.ts";

Deno.test("toMilliseconds() reads numbers as seconds and strings by their unit", () => {
  const cases: [number | string, number][] = [
    [0, 0],
    [-0, 0],
    [1, 1000],
    [0.25, 250],
    [1.1, 1100],
    [300, 300_000],
    [86_400, 86_400_000],
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
    ["36525d", MAX_MILLISECONDS],
  ];
  for (const [value, milliseconds] of cases) {
    const result = toMilliseconds(value, "ttl");
    assertEquals(Object.is(result, milliseconds), true, `${value} became ${result}`);
  }
});

Deno.test("toMilliseconds() never makes nothing of something", () => {
  for (const value of [0.0001, Number.MIN_VALUE, "0.01ms", "0.000001s"]) assertEquals(toMilliseconds(value, "ttl"), 1);
  assertEquals(toMilliseconds("1.4ms", "ttl"), 1);
  assertEquals(toMilliseconds("1.5ms", "ttl"), 2);
});

Deno.test("toMilliseconds() refuses what is no duration with a TypeError", () => {
  const texts = [
    "",
    " ",
    "30",
    "30 s",
    " 30s",
    "30s\n",
    "30S",
    "s",
    "5 minutes",
    "1h30m",
    "1e3s",
    ".5s",
    "5.s",
    "+5s",
    "0x5s",
  ];
  for (const value of [...texts, undefined, null, true, 10n, {}, [], new Date(0), () => 1, Symbol("s")]) {
    const error = assertThrows(() => toMilliseconds(value, "ttl"), TypeError);
    assertStringIncludes(error.message, 'Cannot use "ttl": wanted seconds as a number or a string such as "30s", got ');
  }
  const error = assertThrows(() => toMilliseconds("soon", "staleIfError"), TypeError);
  assertEquals(
    error.message,
    'Cannot use "staleIfError": wanted seconds as a number or a string such as "30s", got "soon"',
  );
});

Deno.test("toMilliseconds() refuses what is out of range with a RangeError", () => {
  const values = [
    -1,
    -Number.MIN_VALUE,
    NaN,
    Infinity,
    -Infinity,
    "-1s",
    "36526d",
    "999999999999999d",
    Number.MAX_VALUE,
  ];
  for (const value of values) assertThrows(() => toMilliseconds(value, "ttl"), RangeError);
  assertEquals(
    assertThrows(() => toMilliseconds(-1, "ttl"), RangeError).message,
    'Cannot use "ttl": wanted seconds as a number or a string such as "30s", got -1',
  );
});

Deno.test("toMilliseconds() keeps to the limits and names them", () => {
  const limits = { min: 1, max: 3_600_000 };
  assertEquals(toMilliseconds("1ms", "lease", limits), 1);
  assertEquals(toMilliseconds("1h", "lease", limits), 3_600_000);
  for (const value of [0, "0ms", "61m", 3600.001]) {
    const error = assertThrows(() => toMilliseconds(value, "lease", limits), RangeError);
    assertStringIncludes(error.message, 'a string such as "30s", from 1ms to 1h, got ');
  }
});

Deno.test("describeDuration() shows the limits that there are", () => {
  const plain = 'seconds as a number or a string such as "30s"';
  assertEquals(describeDuration(), plain);
  assertEquals(describeDuration({ min: 1500 }), `${plain}, at least 1500ms`);
  assertEquals(describeDuration({ max: 86_400_000 }), `${plain}, up to 1d`);
});

Deno.test("MAX_MILLISECONDS added to a date stays exact in microseconds", () => {
  const end = (Date.UTC(2150, 0) + MAX_MILLISECONDS) * 1000;
  assertEquals(Number.isSafeInteger(end), true);
});

Deno.test("toMilliseconds() names the bound to who is over it, also where there is no other than that of all", () => {
  for (const value of ["40000d", 4e9, Infinity]) {
    assertThrows(() => toMilliseconds(value, "ttl"), RangeError, "up to 36525d (100 years), got");
  }
  const error = assertThrows(() => toMilliseconds(-1, "ttl"), RangeError);
  assertEquals(error.message.includes("36525d"), false, "the bound is no news to others");
});
