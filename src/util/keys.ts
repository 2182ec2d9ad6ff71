import { describe } from "./describe.ts";

/** How long a key or a tag may be, in bytes of UTF-8, unless said otherwise. */
export const MAX_KEY_BYTES = 512;

/** How many different tags one entry may have. */
export const MAX_TAGS = 64;

/** Printable ASCII: one test settles the usual key, whose length in bytes is then its length. */
function isPlain(text: string): boolean {
  const { length } = text;
  if (length > SHORT) return PLAIN.test(text);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return length > 0;
}

/** Up to so many characters are looked at faster one by one. */
const SHORT = 64;
const PLAIN = /^[\x20-\x7e]+$/;

/** C0, DEL and C1. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;

/** A surrogate without its other half. Encoded it becomes U+FFFD, so that different keys would fall into one. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const NAMESPACE = /^[A-Za-z0-9._-]{1,64}$/;

/** The end of the sentence "wanted …" for a namespace. */
export const NAMESPACE_WANTED = '1 to 64 letters, digits, ".", "_" or "-"';

const NO_TAGS: readonly string[] = Object.freeze([]);

/** Up to so many tags are compared one by one, which is faster than a set. */
const FEW = 8;

function allDiffer(values: readonly unknown[]): boolean {
  for (let i = 1; i < values.length; i++) {
    for (let j = 0; j < i; j++) if (values[i] === values[j]) return false;
  }
  return true;
}

/** How many bytes the text has in UTF-8. */
function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a pair counts two of its four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function codePoint(char: string): string {
  return `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The error for a name that is not plain ASCII of the right length, or undefined if it is right all the same. */
function problem(value: unknown, kind: string, maxBytes: number, action: string): Error | undefined {
  const cannot = `Cannot ${action}: wanted`;
  const one = `${/^[aeio]/.test(kind) ? "an" : "a"} ${kind}`; // "user id" is said with "a"
  if (typeof value !== "string") return new TypeError(`${cannot} a string as the ${kind}, got ${describe(value)}`);
  if (value === "") return new RangeError(`${cannot} ${one} of 1 to ${maxBytes} bytes, got an empty string`);
  // No unit takes more than three bytes, so most texts need not be counted. The count comes before the searches: it
  // bounds what they cost.
  const bytes = value.length * 3 <= maxBytes ? 0 : value.length > maxBytes ? value.length : byteLength(value);
  if (bytes > maxBytes) {
    const size = value.length > maxBytes ? `${bytes} or more` : `${bytes}`;
    return new RangeError(`${cannot} ${one} of 1 to ${maxBytes} bytes, got ${describe(value)} with ${size} bytes`);
  }
  const control = CONTROL.exec(value);
  if (control !== null) {
    const found = `${describe(value)} with ${codePoint(control[0])} at ${control.index}`;
    return new TypeError(`${cannot} ${one} without control characters, got ${found}`);
  }
  const surrogate = LONE_SURROGATE.exec(value);
  if (surrogate !== null) {
    const found = `${describe(value)} with half a surrogate pair at ${surrogate.index}`;
    return new TypeError(`${cannot} ${one} of well-formed text, got ${found}`);
  }
  return undefined;
}

function assertName(value: unknown, kind: string, maxBytes: number, action: string): asserts value is string {
  if (typeof value === "string" && value.length <= maxBytes && isPlain(value)) return;
  const error = problem(value, kind, maxBytes, action);
  if (error !== undefined) throw error;
}

/**
 * Whether a text can be a key, a tag or the id of a user: what somebody else wrote may be anything.
 *
 * @param text The text.
 * @param maxBytes The most bytes.
 */
export function isName(text: string, maxBytes: number = MAX_KEY_BYTES): boolean {
  return text.length <= maxBytes && isPlain(text) || problem(text, "name", maxBytes, "") === undefined;
}

/**
 * Checks a key: a string of 1 to `maxBytes` bytes in UTF-8 without control characters (C0, DEL, C1) and without halves
 * of surrogate pairs. Everything else, spaces, colons, braces and emoji too, may be in it.
 *
 * @param key What came.
 * @param maxBytes The most bytes.
 * @param action What was attempted, for the error, as in `"read from the cache"`.
 * @param kind What it is, for the error.
 * @throws {TypeError} If it is no string, or has a character that it may not have.
 * @throws {RangeError} If it is empty or too long.
 */
export function assertKey(
  key: unknown,
  maxBytes: number = MAX_KEY_BYTES,
  action: string = "use the key",
  kind: string = "key",
): asserts key is string {
  // Every read comes through here: the test for the usual key is repeated so that no further call is needed.
  if (typeof key === "string" && key.length <= maxBytes && PLAIN.test(key)) return;
  assertName(key, kind, maxBytes, action);
}

/**
 * Checks a tag, for which the rules of keys hold.
 *
 * @param tag What came.
 * @param action What was attempted, for the error.
 * @throws {TypeError} If it is no string, or has a character that it may not have.
 * @throws {RangeError} If it is empty or longer than {@linkcode MAX_KEY_BYTES}.
 */
export function assertTag(tag: unknown, action: string = "use the tag"): asserts tag is string {
  assertName(tag, "tag", MAX_KEY_BYTES, action);
}

/**
 * Checks the id of a user, for which the rules of keys hold.
 *
 * @param userId What came.
 * @param action What was attempted, for the error.
 * @throws {TypeError} If it is no string, or has a character that it may not have.
 * @throws {RangeError} If it is empty or longer than {@linkcode MAX_KEY_BYTES}.
 */
export function assertUserId(userId: unknown, action: string): asserts userId is string {
  assertName(userId, "user id", MAX_KEY_BYTES, action);
}

/**
 * Checks a list of tags and returns it without repetitions, in the order given. The list is a copy: what happens to the
 * one that came does not matter any more.
 *
 * @param tags What came; `undefined` stands for no tags.
 * @param action What was attempted, for the error.
 * @throws {TypeError} If it is no array, or one of the tags is no string or has a character that it may not have.
 * @throws {RangeError} If there are more than {@linkcode MAX_TAGS} different ones, or one is empty or too long.
 */
export function assertTags(tags: unknown, action: string = "use the tags"): readonly string[] {
  if (tags === undefined) return NO_TAGS;
  if (!Array.isArray(tags)) {
    throw new TypeError(`Cannot ${action}: wanted an array of strings as the tags, got ${describe(tags)}`);
  }
  if (tags.length === 0) return NO_TAGS;
  if (tags.length <= FEW && allDiffer(tags)) {
    for (const tag of tags as unknown[]) assertName(tag, "tag", MAX_KEY_BYTES, action);
    return (tags as string[]).slice();
  }
  const distinct = new Set<string>();
  for (const tag of tags as unknown[]) {
    assertName(tag, "tag", MAX_KEY_BYTES, action);
    distinct.add(tag);
    if (distinct.size > MAX_TAGS) {
      throw new RangeError(`Cannot ${action}: wanted at most ${MAX_TAGS} different tags, got ${tags.length} tags`);
    }
  }
  return [...distinct];
}

/**
 * Whether a value can be a namespace. Colons, braces and glob characters cannot be in one: a namespace is a part of
 * every Redis key, of the hash tag that places it in a cluster, of scan patterns and of access rules, and must not
 * reach into another namespace in any of them.
 *
 * @param value What came.
 */
export function isNamespace(value: unknown): value is string {
  return typeof value === "string" && NAMESPACE.test(value);
}

/**
 * Checks a namespace, see {@linkcode isNamespace}.
 *
 * @param namespace What came.
 * @param action What was attempted, for the error.
 * @throws {TypeError} If it is none.
 */
export function assertNamespace(namespace: unknown, action: string = "use the namespace"): asserts namespace is string {
  if (isNamespace(namespace)) return;
  throw new TypeError(`Cannot ${action}: wanted ${NAMESPACE_WANTED} as the namespace, got ${describe(namespace)}`);
}
