import { describe } from "./describe.ts";
import { decoder } from "./utf8.ts";

/** What the pattern matches with: one step takes one byte, except a star, which takes any number of them. */
type Step = Uint8Array | typeof STAR;

const STAR = -1;
const ASTERISK = 0x2a, QUESTION = 0x3f, OPEN = 0x5b, CLOSE = 0x5d, BACKSLASH = 0x5c, CARET = 0x5e, DASH = 0x2d;

const encoder = new TextEncoder();

/** Bytes of the key being matched. Shared, as matching is synchronous; the larger ones are not kept. */
const scratch = new Uint8Array(2048);

/** The set of all bytes, as a table of 256 flags. */
const ANY: Uint8Array = new Uint8Array(256).fill(1);

/** The sets of one byte, made when first wanted. */
const singles: Uint8Array[] = [];

function single(byte: number): Uint8Array {
  return singles[byte] ??= new Uint8Array(256).fill(1, byte, byte + 1);
}

/** Redis compares with the signed `char` of its usual platforms, which matters for a range from ASCII to beyond. */
function signed(byte: number): number {
  return byte << 24 >> 24;
}

/**
 * Reads the set after a `[`, with the oddities of Redis: `[]` is empty and `[^]` is everything, an end that is missing
 * is taken as read, a range may be written backwards, and a `]` can be the end of a range.
 */
function parseSet(pattern: Uint8Array, start: number): { set: Uint8Array; next: number } {
  const set = new Uint8Array(256);
  let at = start;
  const negated = pattern[at] === CARET;
  if (negated) at++;
  while (at < pattern.length && pattern[at] !== CLOSE) {
    const byte = pattern[at]!;
    if (byte === BACKSLASH && at + 1 < pattern.length) {
      set[pattern[at + 1]!] = 1;
      at += 2;
    } else if (pattern[at + 1] === DASH && at + 2 < pattern.length) {
      const a = signed(byte), b = signed(pattern[at + 2]!);
      for (let value = Math.min(a, b); value <= Math.max(a, b); value++) set[value & 0xff] = 1;
      at += 3;
    } else {
      set[byte] = 1;
      at++;
    }
  }
  if (negated) { for (let byte = 0; byte < 256; byte++) set[byte]! ^= 1; }
  return { set, next: at + 1 };
}

function parse(pattern: Uint8Array): { steps: Step[]; literal: number[] | undefined } {
  const steps: Step[] = [];
  let literal: number[] | undefined = [];
  let at = 0;
  while (at < pattern.length) {
    let byte = pattern[at++]!;
    if (byte === ASTERISK) {
      if (steps.at(-1) !== STAR) steps.push(STAR);
    } else if (byte === QUESTION) {
      literal = undefined;
      steps.push(ANY);
    } else if (byte === OPEN) {
      literal = undefined;
      const { set, next } = parseSet(pattern, at);
      steps.push(set);
      at = next;
    } else {
      if (byte === BACKSLASH && at < pattern.length) byte = pattern[at++]!;
      literal?.push(byte);
      steps.push(single(byte));
    }
  }
  return { steps, literal };
}

/**
 * Goes through the text once per star at most: when a step does not fit, only the last star can help, by taking one
 * byte more. What an earlier star could take instead would only leave less for the rest.
 */
function matches(steps: readonly Step[], text: Uint8Array, length: number): boolean {
  let at = 0, step = 0;
  let starStep = -1, starAt = 0;
  while (at < length) {
    const wanted = steps[step];
    if (wanted === STAR) {
      starStep = ++step;
      starAt = at;
      if (step === steps.length) return true;
    } else if (wanted !== undefined && wanted[text[at]!] === 1) {
      at++;
      step++;
    } else if (starStep >= 0) {
      step = starStep;
      at = ++starAt;
    } else {
      return false;
    }
  }
  if (steps[step] === STAR) step++;
  return step === steps.length;
}

/**
 * Compiles a Redis glob pattern: `*` is any run of bytes, `?` one byte, `[abc]`, `[a-z]` and `[^a]` one byte of a set,
 * and a backslash makes the next byte ordinary. As in Redis, keys are matched as bytes of UTF-8, so that it takes two
 * `?` to match `é`.
 *
 * The time that a match takes grows with the length of the key times the length of the pattern, never faster.
 *
 * @param pattern The pattern.
 * @returns A function that tells whether a key matches.
 * @throws {TypeError} If the pattern is no string.
 */
export function compileGlob(pattern: string): (key: string) => boolean {
  if (typeof pattern !== "string") {
    throw new TypeError(`Cannot match by a pattern: wanted a string such as "user:*", got ${describe(pattern)}`);
  }
  const { steps, literal } = parse(encoder.encode(pattern));

  if (literal !== undefined) {
    // A key or a prefix, possibly of one: nothing that needs the bytes.
    const text = decoder.decode(Uint8Array.from(literal));
    if (!steps.includes(STAR)) return (key) => key === text;
    if (steps.indexOf(STAR) === steps.length - 1) return (key) => key.startsWith(text);
  }

  return (key) => {
    // A unit of the text takes three bytes at most.
    const bytes = key.length * 3 <= scratch.length ? scratch : new Uint8Array(key.length * 3);
    return matches(steps, bytes, encoder.encodeInto(key, bytes).written);
  };
}

/**
 * Escapes a text so that a pattern matches it to the letter: whatever is made of an id that somebody chose needs it.
 *
 * @param text Any text.
 * @returns The text with a backslash before each of `* ? [ ] \`.
 *
 * @example An id that is a star removes no other's
 * ```ts
 * import { connect, escapeGlob } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * await redis.cache.setMany({ "family:ada:1": 1, "family:*:1": 2 });
 * const id = "*";
 * const { removed } = await redis.cache.invalidateByPattern(`family:${escapeGlob(id)}:*`);
 * assert.equal(removed, 1);
 * assert.equal(await redis.cache.get("family:ada:1"), 1);
 * ```
 */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}
