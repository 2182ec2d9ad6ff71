/**
 * Stands in for `jsr:@std/assert` where JSR does not answer: the functions that the tests use, with the signatures of
 * the originals, on `node:assert`.
 *
 * @module
 */
import nodeAssert, { AssertionError } from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

export { AssertionError };

// deno-lint-ignore no-explicit-any
type ErrorClass<E> = abstract new (...args: any[]) => E;

function refuse(message: string, msg?: string): never {
  throw new AssertionError({ message: msg ? `${message}: ${msg}` : `${message}.` });
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError({ message: msg });
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is false | 0 | 0n | "" | null | undefined {
  if (expr) throw new AssertionError({ message: msg });
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (error) {
    refuse(`Values are not equal${msg ? `: ${msg}` : ""}\n${(error as Error).message}`);
  }
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) {
    refuse(`Expected actual: ${inspect(actual)} not to be: ${inspect(expected)}`, msg);
  }
}

export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    refuse(`Values are not strictly equal: ${inspect(actual)} and ${inspect(expected)}`, msg);
  }
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) refuse(`Expected actual: "${actual}" to not be null or undefined`, msg);
}

// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    refuse(`Expected object to be an instance of "${expectedType.name}" but was ${inspect(actual)}`, msg);
  }
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(msg ?? `Expect ${inspect(actual)} > ${inspect(expected)}`);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) refuse(msg ?? `Expect ${inspect(actual)} >= ${inspect(expected)}`);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(msg ?? `Expect ${inspect(actual)} < ${inspect(expected)}`);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) refuse(msg ?? `Expect ${inspect(actual)} <= ${inspect(expected)}`);
}

export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (!(delta <= allowed)) {
    refuse(
      `Expected actual: "${actual}" to be close to "${expected}": delta "${delta}" is greater than "${allowed}"`,
      msg,
    );
  }
}

export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(common(actual, expected), common(expected, expected), msg);
}

/** The part of `actual` that `expected` names, as plain objects and arrays. */
function common(actual: unknown, expected: unknown): unknown {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.slice(0, expected.length).map((value, i) => common(value, expected[i]));
  }
  if (!isRecord(actual) || !isRecord(expected)) return actual;
  const keys = Reflect.ownKeys(actual).filter((key) => Object.hasOwn(expected, key));
  return Object.fromEntries(keys.map((key) => [key, common(actual[key], expected[key])]));
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return ![Date, RegExp, Map, Set, ArrayBuffer].some((type) => value instanceof type);
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ...wanted: unknown[]): unknown {
  let error: unknown;
  try {
    fn();
  } catch (thrown) {
    error = { thrown };
  }
  if (!error) refuse("Expected function to throw", wanted.at(-1) as string | undefined);
  return examine((error as { thrown: unknown }).thrown, "thrown", wanted);
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(fn: () => PromiseLike<unknown>, ...wanted: unknown[]): Promise<unknown> {
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    // Throwing is not rejecting.
  }
  if (typeof promise?.then !== "function") refuse("Function throws when expected to reject");
  const outcome = await Promise.resolve(promise).then(() => undefined, (reason) => ({ reason }));
  if (!outcome) refuse("Expected function to reject");
  return examine(outcome.reason, "rejected", wanted);
}

function examine(error: unknown, how: string, [type, includes, msg]: unknown[]): unknown {
  if (typeof type !== "function") return error;
  const note = msg as string | undefined;
  if (!(error instanceof Error)) refuse(`A non-Error object was ${how}`, note);
  if (!(error instanceof type)) {
    refuse(`Expected error to be instance of "${type.name}", but was "${error.constructor.name}"`, note);
  }
  if (typeof includes === "string" && !error.message.includes(includes)) {
    refuse(
      `Expected error message to include ${JSON.stringify(includes)}, but got ${JSON.stringify(error.message)}`,
      note,
    );
  }
  return error;
}

export function fail(msg?: string): never {
  refuse("Failed assertion", msg);
}

export function unreachable(msg?: string): never {
  refuse("Unreachable", msg);
}
