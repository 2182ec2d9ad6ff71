import { describe } from "../util/describe.ts";
import { isJsonSafe, MAX_DEPTH, type PathSegment, tooDeep, unstorable } from "./storable.ts";

/**
 * Writes a value as the serializer of plain JSON does.
 *
 * @param value Anything.
 * @param what What is being cached, for messages.
 * @returns The JSON text.
 * @throws {TypeError} If a part of the value cannot be stored.
 * @throws {RangeError} If it is nested too deep.
 */
export function writeJson(value: unknown, what: string): string {
  return isJsonSafe(value) ? attempt(what, () => JSON.stringify(value)) : stringifyChecked(value, what);
}

/** What a writer gives; what it throws says what could not be stored. */
export function attempt(what: string, write: () => string): string {
  try {
    return write();
  } catch (cause) {
    throw unstorable(what, "an error while writing it", [], { cause });
  }
}

function stringifyChecked(value: unknown, what: string): string {
  const holders: unknown[] = [];
  const path: PathSegment[] = [];
  let refusal: Error | undefined;
  function check(this: unknown, key: string, part: unknown): unknown {
    // Parts come depth first with their holder, which tells how far the walk has gone back.
    while (holders.length > 0 && holders.at(-1) !== this) {
      holders.pop();
      path.pop();
    }
    path.push(Array.isArray(this) ? Number(key) : key);
    const problem = key === "__proto__" ? 'the key "__proto__"' : lostInJson(part);
    // The first key is that of an object around the whole value.
    if (problem !== undefined) throw refusal = unstorable(what, problem, path.slice(1));
    if (holders.length >= MAX_DEPTH) throw refusal = tooDeep(what, path.slice(1));
    if (typeof part === "object" && part !== null) holders.push(part);
    else path.pop();
    return part;
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value, check);
  } catch (cause) {
    throw cause === refusal ? cause : unstorable(what, "an error while writing it", path.slice(1), { cause });
  }
  if (text === undefined) throw unstorable(what, "undefined");
  return text;
}

const LOST_IN_JSON = [Map, Set, WeakMap, WeakSet, WeakRef, Promise, ArrayBuffer, RegExp, Error];

function lostInJson(part: unknown): string | undefined {
  if (typeof part === "function" || typeof part === "symbol" || typeof part === "bigint") return `a ${typeof part}`;
  if (typeof part !== "object" || part === null) return undefined;
  const lost = ArrayBuffer.isView(part) || LOST_IN_JSON.some((type) => part instanceof type);
  return lost ? describe(part) : undefined;
}
