import { Buffer } from "node:buffer";
import { describe } from "../util/describe.ts";

/** The deepest nesting that is stored: far beyond real data, far below what the call stack holds. */
export const MAX_DEPTH = 1000;

/** Containers looked at before a value is suspected of repeating itself without end (`a = [b, b]`, `b = [c, c]`, …). */
const PLAIN_WALK = 100_000;

interface Walk {
  left: number;
  readonly seen?: Set<object>;
}

/**
 * Tells whether a value survives `JSON.stringify` and `JSON.parse` unchanged: nothing but plain objects, dense arrays,
 * strings, booleans, `null` and numbers other than `NaN`, the infinities and `-0`. An object that is referred to twice
 * comes back as two equal ones.
 *
 * @param value Anything.
 * @returns Whether plain JSON is enough; `false` when a getter or proxy throws.
 */
export function isJsonSafe(value: unknown): boolean {
  try {
    const walk: Walk = { left: PLAIN_WALK };
    if (isSafe(value, 0, walk)) return true;
    // A large value is walked again with a memory, so that a small graph with endless paths is told from real data.
    return walk.left <= 0 && isSafe(value, 0, { left: Infinity, seen: new Set() });
  } catch {
    return false;
  }
}

function isSafe(value: unknown, depth: number, walk: Walk): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  // A cycle ends here too.
  if (depth >= MAX_DEPTH || --walk.left < 0) return false;
  if (walk.seen !== undefined) {
    if (walk.seen.has(value)) return false;
    walk.seen.add(value);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype || Object.keys(value).length !== value.length) return false;
    // An index loop, as holes must be seen: they read as undefined.
    for (let i = 0; i < value.length; i++) {
      if (!isSafe(value[i], depth + 1, walk)) return false;
    }
  } else {
    if (prototype !== Object.prototype) return false;
    const fields = value as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      if (key === "__proto__" || !isSafe(fields[key], depth + 1, walk)) return false;
    }
  }
  return Object.getOwnPropertySymbols(value).length === 0 &&
    typeof (value as { toJSON?: unknown }).toJSON !== "function";
}

type Kind = "leaf" | "host" | "buffer" | "view" | "map" | "set";

/** How the walk treats the built-in classes, by prototype, so that neither subclasses nor look-alikes get in. */
const BUILT_INS: ReadonlyMap<unknown, Kind> = new Map<unknown, Kind>([
  ...[Date, RegExp, ...temporalClasses()].map((type) => [type.prototype, "leaf"] as const),
  ...[URL, URLSearchParams].map((type) => [type.prototype, "host"] as const),
  ...viewClasses().map((type) => [type.prototype, "view"] as const),
  [Buffer.prototype, "view"], // what Node's functions give; it comes back as a Uint8Array
  [ArrayBuffer.prototype, "buffer"],
  [Map.prototype, "map"],
  [Set.prototype, "set"],
]);

interface Class {
  readonly prototype: unknown;
}

function viewClasses(): Class[] {
  const { Float16Array } = globalThis as { Float16Array?: Class };
  return [
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array],
    ...[Float64Array, BigInt64Array, BigUint64Array, DataView],
    ...(Float16Array === undefined ? [] : [Float16Array]),
  ];
}

function temporalClasses(): Class[] {
  const { Temporal } = globalThis as unknown as { Temporal?: Record<string, Class> };
  if (Temporal === undefined) return [];
  const names = ["Duration", "Instant", "PlainDate", "PlainTime", "PlainDateTime", "PlainMonthDay", "PlainYearMonth"];
  return [...names, "ZonedDateTime"].flatMap((name) => Temporal[name] ?? []);
}

/** A key on the way into a value; a function gives the text of one that is not a field, only when it is needed. */
export type PathSegment = string | number | (() => string);

/**
 * Makes the error for a part that cannot be stored.
 *
 * @param what What is being cached.
 * @param got The part in words.
 * @param path The keys that lead to it.
 * @param options Carries the `cause`.
 * @returns The error to throw.
 */
export function unstorable(
  what: string,
  got: string,
  path: readonly PathSegment[] = [],
  options?: ErrorOptions,
): TypeError {
  return new TypeError(`Cannot cache ${what}: wanted plain data, got ${got}${at(path)}`, options);
}

/**
 * Makes the error for a value that is nested deeper than {@linkcode MAX_DEPTH}.
 *
 * @param what What is being cached.
 * @param path The keys that lead too deep.
 * @returns The error to throw.
 */
export function tooDeep(what: string, path: readonly PathSegment[]): RangeError {
  return new RangeError(`Cannot cache ${what}: wanted at most ${MAX_DEPTH} levels of nesting, got more${at(path)}`);
}

/**
 * Checks that a value can be stored without loss.
 *
 * @param value Anything.
 * @param what What is being cached, for the message.
 * @throws {TypeError} If a part of the value cannot be stored or read; the message says which part and where.
 * @throws {RangeError} If the value is nested deeper than {@linkcode MAX_DEPTH}.
 */
export function assertStorable(value: unknown, what: string): void {
  // Whoever finds a problem returns at once, which leaves the path where it is.
  const visit: Visit = { path: [], seen: new Set() };
  let problem: string | undefined;
  try {
    problem = findProblem(value, visit);
  } catch (cause) {
    throw unstorable(what, "an error while reading it", visit.path, { cause });
  }
  if (problem === TOO_DEEP) throw tooDeep(what, visit.path);
  if (problem !== undefined) throw unstorable(what, problem, visit.path);
}

interface Visit {
  readonly path: PathSegment[];
  readonly seen: Set<object>;
}

const TOO_DEEP = "too deep";

/** The most digits of a bigint: reading one of millions takes seconds. */
export const MOST_DIGITS = 100_000;
/** So many hexadecimal digits, which are quick to count, are less than that. */
const MOST_HEX = Math.floor(MOST_DIGITS * Math.log(10) / Math.log(16)) - 1;

function isGiant(value: bigint): boolean {
  return value > 2n ** 64n || value < -(2n ** 64n) ? value.toString(16).length > MOST_HEX : false;
}

function findProblem(value: unknown, visit: Visit): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value === "bigint" && isGiant(value)) return `a bigint of more than ${MOST_DIGITS} digits`;
  if (typeof value !== "object" || value === null || visit.seen.has(value)) return undefined;
  if (visit.path.length >= MAX_DEPTH) return TOO_DEEP;
  visit.seen.add(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    return prototype === Array.prototype ? inArray(value, visit) : "an instance of a subclass of Array";
  }
  if (prototype === Object.prototype || prototype === null) return inObject(value, visit);
  switch (BUILT_INS.get(prototype)) {
    case "leaf":
      return extras(value, Object.keys(value));
    case "host":
      // The runtime keeps its own state in symbols of the object.
      return Object.hasOwn(value, Symbol.toStringTag) ? `${describe(value)} with a tag of its own` : undefined;
    case "buffer":
      return detached(value as ArrayBuffer);
    case "view":
      // The keys of a large view are all its indices, so a field put on a view is not looked for.
      return detached((value as ArrayBufferView).buffer) ?? extras(value, []);
    case "map":
      return inMap(value as Map<unknown, unknown>, visit) ?? extras(value, Object.keys(value));
    case "set":
      return inSet(value as Set<unknown>, visit) ?? extras(value, Object.keys(value));
    default: {
      const name = describe(value);
      // Made by Object.create(), or in another realm.
      return name === "an instance of Object" ? "an object with a prototype of its own" : name;
    }
  }
}

function inArray(value: readonly unknown[], visit: Visit): string | undefined {
  const keys = Object.keys(value);
  // Indices come first, so the last key tells whether there is any other. Holes have no key, and stay holes.
  const problem = extras(value, keys.slice(-1).filter((key) => !isIndex(key, value.length)));
  if (problem !== undefined) return problem;
  for (const key of keys) {
    const index = Number(key);
    visit.path.push(index);
    const problem = findProblem(value[index], visit);
    if (problem !== undefined) return problem;
    visit.path.pop();
  }
  return undefined;
}

function isIndex(key: string, length: number): boolean {
  const index = Number(key) >>> 0;
  return String(index) === key && index < length;
}

function inObject(value: object, visit: Visit): string | undefined {
  // Arguments objects share the prototype of plain ones, and would come back as something else.
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag !== "Object") return `an object of kind ${tag}`;
  const problem = extras(value, []);
  if (problem !== undefined) return problem;
  for (const key of Object.keys(value)) {
    if (key === "__proto__") return 'an object with the key "__proto__"';
    visit.path.push(key);
    const problem = findProblem((value as Record<string, unknown>)[key], visit);
    if (problem !== undefined) return problem;
    visit.path.pop();
  }
  return undefined;
}

function inMap(value: ReadonlyMap<unknown, unknown>, visit: Visit): string | undefined {
  let index = 0;
  for (const [key, entry] of value) {
    const position = index++;
    visit.path.push(() => `.keys()[${position}]`);
    const inKey = findProblem(key, visit);
    if (inKey !== undefined) return inKey;
    visit.path.pop();
    visit.path.push(() => typeof key === "string" ? `.get(${describe(key)})` : `.values()[${position}]`);
    const inEntry = findProblem(entry, visit);
    if (inEntry !== undefined) return inEntry;
    visit.path.pop();
  }
  return undefined;
}

function inSet(value: ReadonlySet<unknown>, visit: Visit): string | undefined {
  let index = 0;
  for (const member of value) {
    const position = index++;
    visit.path.push(() => `.values()[${position}]`);
    const problem = findProblem(member, visit);
    if (problem !== undefined) return problem;
    visit.path.pop();
  }
  return undefined;
}

function extras(value: object, keys: readonly string[]): string | undefined {
  // A tag of its own makes an object pass for another kind.
  const symbol = Object.getOwnPropertySymbols(value).find((symbol) =>
    symbol === Symbol.toStringTag || Object.prototype.propertyIsEnumerable.call(value, symbol)
  );
  const extra = symbol?.toString() ?? (keys[0] === undefined ? undefined : describe(keys[0]));
  return extra === undefined ? undefined : `${describe(value)} with the extra field ${extra}`;
}

function detached(buffer: ArrayBufferLike): string | undefined {
  // Reading the length of something that only looks like a buffer throws.
  const gone = buffer.byteLength === 0 && (buffer as { detached?: boolean }).detached === true;
  return gone ? "a detached buffer" : undefined;
}

function at(path: readonly PathSegment[]): string {
  if (path.length === 0) return "";
  const text = path.map((segment) => {
    if (typeof segment === "function") return segment();
    if (typeof segment === "number") return `[${segment}]`;
    return /^[A-Za-z_$][\w$]*$/.test(segment) ? `.${segment.slice(0, 64)}` : `[${describe(segment)}]`;
  }).join("");
  return ` at ${text.length <= 200 ? text : `${text.slice(0, 100)}…${text.slice(-100)}`}`;
}
