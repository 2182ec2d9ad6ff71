// One suite for the stand-in and for the original: when JSR answers, both are held to it.
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as imported from "@std/testing/mock";
import * as standIn from "./mock.ts";

type Module = Pick<typeof standIn, "spy" | "stub" | "assertSpyCalls" | "assertSpyCall" | "MockError">;

const modules: [string, Module][] = [["stand-in", standIn]];
if (imported.spy as unknown !== standIn.spy) modules.push(["original", imported as unknown as Module]);

class Counter {
  value = 0;
  add(n: number): number {
    return this.value += n;
  }
}

for (const [which, { spy, stub, assertSpyCalls, assertSpyCall, MockError }] of modules) {
  const test = (name: string, fn: () => void) => Deno.test(`@std/testing/mock (${which}) ${name}`, fn);

  test("spy() records calls of a function of its own", () => {
    const nothing = spy();
    assertSpyCalls(nothing, 0);
    assertEquals(nothing(1, 2), undefined);
    assertSpyCalls(nothing, 1);
    assertSpyCall(nothing, 0, { args: [1, 2] });
    assertThrows(() => assertSpyCalls(nothing, 2), Error, "Spy");
    assertThrows(() => assertSpyCalls(nothing, 0), Error, "Spy");
    assertThrows(() => assertSpyCall(nothing, 0, { args: [1] }));
    assertThrows(() => assertSpyCall(nothing, 1), Error, "Spy");
    assertThrows(() => nothing.restore(), MockError);
  });

  test("spy() records what a function returned or threw", () => {
    const half = spy((n: number) => {
      if (n % 2) throw new RangeError("odd");
      return n / 2;
    });
    assertEquals(half(4), 2);
    assertThrows(() => half(3), RangeError);
    assertEquals(half.calls.map(({ args, returned, error }) => [args, returned, error?.message]), [
      [[4], 2, undefined],
      [[3], undefined, "odd"],
    ]);
  });

  test("spy() and stub() replace a method until they are restored", () => {
    const counter = new Counter();
    {
      using add = spy(counter, "add");
      assertEquals(counter.add(2), 2);
      assertSpyCall(add, 0, { args: [2], returned: 2, self: counter });
      assertEquals(add.restored, false);
    }
    const add = stub(counter, "add", () => 99);
    assertEquals([counter.add(1), counter.value], [99, 2]);
    add.restore();
    assertEquals(add.restored, true);
    assertStrictEquals(counter.add, Counter.prototype.add);
    assertThrows(() => add.restore(), MockError);
  });
}
