/**
 * Stands in for `jsr:@std/testing/mock` where JSR does not answer: `spy`, `stub` and `assertSpyCalls`.
 *
 * @module
 */
import { AssertionError } from "node:assert";
import { assertEquals } from "./assert.ts";

/** An operation that the state of the mock does not allow. */
export class MockError extends Error {
  override readonly name: string = "MockError";
}

/** One call. */
// deno-lint-ignore no-explicit-any
export interface SpyCall<Self = any, Args extends unknown[] = any[], Return = any> {
  args: Args;
  returned?: Return;
  error?: Error;
  self?: Self;
}

/** A function that records its calls. */
// deno-lint-ignore no-explicit-any
export interface Spy<Self = any, Args extends unknown[] = any[], Return = any> {
  (this: Self, ...args: Args): Return;
  original: (this: Self, ...args: Args) => Return;
  calls: SpyCall<Self, Args, Return>[];
  restored: boolean;
  restore(): void;
}

/** A method that records its calls until it is restored. */
// deno-lint-ignore no-explicit-any
export interface MethodSpy<Self = any, Args extends unknown[] = any[], Return = any>
  extends Spy<Self, Args, Return>, Disposable {}

type Parameters<Self, Property extends keyof Self> = Self[Property] extends (...args: infer Args) => unknown ? Args
  : unknown[];
// deno-lint-ignore no-explicit-any
type Returned<Self, Property extends keyof Self> = Self[Property] extends (...args: any[]) => infer Return ? Return
  : unknown;
// deno-lint-ignore no-explicit-any
type AnyFunction = (this: any, ...args: any[]) => any;

// deno-lint-ignore no-explicit-any
export function spy<Self = any, Args extends unknown[] = any[], Return = undefined>(): Spy<Self, Args, Return>;
export function spy<Self, Args extends unknown[], Return>(
  func: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
export function spy<Self, Property extends keyof Self>(
  self: Self,
  property: Property,
): MethodSpy<Self, Parameters<Self, Property>, Returned<Self, Property>>;
export function spy(target?: unknown, property?: PropertyKey): Spy {
  if (property !== undefined) return replace(target as Record<PropertyKey, unknown>, property);
  return record(target as AnyFunction ?? (() => undefined), () => {
    throw new MockError("Cannot restore: function cannot be restored");
  });
}

/** Replaces a method by another one, or by one that does nothing. */
export function stub<Self, Property extends keyof Self>(
  self: Self,
  property: Property,
  func?: (this: Self, ...args: Parameters<Self, Property>) => Returned<Self, Property>,
): MethodSpy<Self, Parameters<Self, Property>, Returned<Self, Property>>;
export function stub(target: unknown, property: PropertyKey, fake: AnyFunction = () => undefined): MethodSpy {
  return replace(target as Record<PropertyKey, unknown>, property, fake);
}

export function assertSpyCalls(spy: Spy, expectedCalls: number): void {
  if (spy.calls.length === expectedCalls) return;
  const how = spy.calls.length < expectedCalls ? "Spy not called as much as expected" : "Spy called more than expected";
  throw new AssertionError({ message: `${how}: ${spy.calls.length} calls, expected ${expectedCalls}` });
}

export function assertSpyCall(
  spy: Spy,
  callIndex: number,
  expected?: { args?: unknown[]; returned?: unknown; self?: unknown },
): void {
  const call = spy.calls[callIndex];
  if (!call) throw new AssertionError({ message: "Spy not called as much as expected" });
  for (const part of Object.keys(expected ?? {}) as ("args" | "returned" | "self")[]) {
    assertEquals<unknown>(call[part], expected?.[part], `"${part}" of call ${callIndex}`);
  }
}

function replace(self: Record<PropertyKey, unknown>, property: PropertyKey, fake?: AnyFunction): MethodSpy {
  const original = self[property];
  if (typeof original !== "function") throw new MockError("Cannot spy: property is not an instance method");
  const own = Object.getOwnPropertyDescriptor(self, property);
  if (own && !own.configurable) throw new MockError("Cannot spy: non-configurable instance method");
  const replacement = record(fake ?? original as AnyFunction, () => {
    if (replacement.restored) throw new MockError("Cannot restore: instance method already restored");
    if (own) Object.defineProperty(self, property, own);
    else delete self[property];
    replacement.restored = true;
  });
  replacement.original = original as AnyFunction;
  Object.defineProperty(self, property, { configurable: true, writable: true, value: replacement });
  return replacement;
}

function record(original: AnyFunction, restore: () => void): MethodSpy {
  const calls: SpyCall[] = [];
  function recording(this: unknown, ...args: unknown[]): unknown {
    const call: SpyCall = { args };
    if (this !== undefined) call.self = this;
    try {
      return call.returned = original.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
  }
  return Object.assign(recording, { original, calls, restored: false, restore, [Symbol.dispose]: restore });
}
