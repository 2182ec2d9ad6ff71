// One suite for the stand-in and for the original: when JSR answers, both are held to it.
import * as imported from "@std/assert";
import nodeAssert from "node:assert/strict";
import * as standIn from "./assert.ts";

type Module = typeof standIn;

const modules: [string, Module][] = [["stand-in", standIn]];
// deno-lint-ignore no-explicit-any
if (imported.assert as unknown !== standIn.assert) modules.push(["original", imported as any]);

class Special extends TypeError {}

const date = new Date(5);
const boom = () => {
  throw new Special("it went wrong");
};
const reject = () => Promise.reject(new Special("it went wrong"));

/** What holds and what does not, for each function. */
const cases: Record<string, { holds: unknown[][]; fails: unknown[][] }> = {
  assert: { holds: [[1], ["a"], [{}]], fails: [[0], [""], [null], [undefined, "a note"]] },
  assertFalse: { holds: [[0], [""], [null], [undefined]], fails: [[1], ["a"], [{}]] },
  assertEquals: {
    holds: [
      [1, 1],
      [NaN, NaN],
      [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
      [{ a: 1, b: 2 }, { b: 2, a: 1 }],
      [new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])],
      [new Set([1, 2]), new Set([2, 1])],
      [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
      [date, new Date(5)],
      [1n, 1n],
      [/a/g, /a/g],
    ],
    fails: [
      [1, 2],
      [1, "1"],
      [null, undefined],
      [{ a: 1 }, { a: 1, b: undefined }],
      [[1, 2], [2, 1]],
      [[1], { 0: 1 }],
      [new Map([["a", 1]]), new Map([["a", 2]])],
      [new Set([1]), new Set([2])],
      [new Uint8Array([1]), new Uint8Array([2])],
      [new Uint8Array([1]), new Int8Array([1])],
      [date, new Date(6)],
      [1n, 1],
      [new TypeError("a"), new RangeError("a")],
    ],
  },
  assertNotEquals: { holds: [[1, 2], [{ a: 1 }, { a: 2 }]], fails: [[1, 1], [{ a: [1] }, { a: [1] }]] },
  assertStrictEquals: { holds: [[1, 1], [date, date], [NaN, NaN]], fails: [[{}, {}], [1, "1"], [0, -0]] },
  assertExists: { holds: [[0], [""], [false]], fails: [[null], [undefined]] },
  assertInstanceOf: { holds: [[date, Date], [new Special(), TypeError]], fails: [[date, RegExp], [null, Object]] },
  assertMatch: { holds: [["abc", /b/]], fails: [["abc", /d/]] },
  assertStringIncludes: { holds: [["abc", "bc"]], fails: [["abc", "d"]] },
  assertGreater: { holds: [[2, 1], ["b", "a"]], fails: [[1, 1], [NaN, 1]] },
  assertGreaterOrEqual: { holds: [[1, 1]], fails: [[1, 2], [NaN, 1]] },
  assertLess: { holds: [[1, 2]], fails: [[1, 1], [NaN, 1]] },
  assertLessOrEqual: { holds: [[1, 1]], fails: [[2, 1], [NaN, 1]] },
  assertAlmostEquals: { holds: [[1, 1 + 1e-9], [1, 1.4, 0.5]], fails: [[1, 1.1], [1, NaN], [1, 2, 0.5]] },
  assertObjectMatch: {
    holds: [
      [{ a: 1, b: 2 }, { a: 1 }],
      [{ a: { b: 1, c: 2 } }, { a: { b: 1 } }],
      [{ a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }],
      [{ a: date }, { a: new Date(5) }],
      [
        new (class {
          a = { b: 1 };
        })(),
        { a: { b: 1 } },
      ],
    ],
    fails: [
      [{ a: 1 }, { a: 2 }],
      [{ a: 1 }, { b: 1 }],
      [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }],
      [{ a: [] }, { a: [1] }],
      [{ a: date }, { a: new Date(6) }],
    ],
  },
  assertThrows: {
    holds: [[boom], [boom, Special], [boom, TypeError, "went"], [() => {
      throw "text";
    }]],
    fails: [[() => 1], [() => 1, "a note"], [boom, RangeError], [boom, Special, "right"], [() => {
      throw "text";
    }, Error]],
  },
  assertRejects: {
    holds: [[reject], [reject, Special], [reject, TypeError, "went"], [() => Promise.reject("text")]],
    fails: [
      [() => Promise.resolve()],
      [boom],
      [() => 1],
      [reject, RangeError],
      [reject, Special, "right"],
      [() => Promise.reject("text"), Error],
    ],
  },
  fail: { holds: [], fails: [[], ["a note"]] },
  unreachable: { holds: [], fails: [[], ["a note"]] },
};

for (const [which, module] of modules) {
  for (const [name, { holds, fails }] of Object.entries(cases)) {
    Deno.test(`@std/assert (${which}) ${name}() holds and fails`, async () => {
      const check = module[name as keyof Module] as (...args: unknown[]) => unknown;
      for (const args of holds) await check(...args);
      for (const args of fails) {
        const outcome = await new Promise((resolve) => resolve(check(...args))).then(() => "held", (error) => error);
        nodeAssert(outcome instanceof module.AssertionError, `${name}(${Deno.inspect(args)}): ${outcome}`);
        const note = args.find((arg) => arg === "a note");
        if (note) nodeAssert(outcome.message.includes("a note"));
      }
    });
  }

  Deno.test(`@std/assert (${which}) assertThrows() and assertRejects() hand the error out`, async () => {
    nodeAssert.equal(module.assertThrows(boom, Special).message, "it went wrong");
    nodeAssert.equal((await module.assertRejects(reject, Special)).message, "it went wrong");
  });
}
