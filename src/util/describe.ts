import { unawaited } from "./callbacks.ts";

/** How many characters of a string are shown unless said otherwise. */
const MAX_SHOWN = 64;

/** What JSON leaves as it is although a terminal or a log viewer would act on it or hide it. */
const INVISIBLE = /[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * The message of what was thrown: by code of others it may be anything.
 *
 * @param error What was thrown.
 */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : describe(error);
}

/** The text in quotes, escaped so that it stays on one line, and cut when it is long. */
function quote(text: string, most: number): string {
  let shown = text;
  if (text.length > most) {
    const last = text.charCodeAt(most - 1);
    const splitsPair = last >= 0xd800 && last <= 0xdbff;
    shown = text.slice(0, splitsPair ? most - 1 : most);
  }
  const quoted = JSON.stringify(shown)
    .replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return shown.length === text.length ? quoted : `${quoted}… (${text.length} characters)`;
}

function describeObject(value: object): string {
  if (Array.isArray(value)) {
    return value.length === 1 ? "an array with 1 element" : `an array with ${value.length} elements`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return "an object";
  const name: unknown = (prototype as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? `an instance of ${name}` : "an object";
}

/**
 * Names a value of any kind for an error message: strings in quotes, escaped and cut, objects by their
 * class only. It never runs code of the value other than proxy traps, getters of `constructor` and `then` of a promise,
 * and never throws. A promise is named because it was refused: that it rejects later does not end the process.
 *
 * The result shows what a string holds, so it is not for secrets: see {@linkcode describeKind}.
 *
 * @param value The value.
 * @param most How many characters of a string to show.
 * @returns A short text, as in `"user:1"`, `-1`, `undefined`, `an array with 3 elements`.
 */
export function describe(value: unknown, most: number = MAX_SHOWN): string {
  switch (typeof value) {
    case "string":
      return quote(value, most);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return value > -(10n ** 40n) && value < 10n ** 40n ? `${value}n` : "a large bigint";
    case "symbol":
      return "a symbol";
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      try {
        if (value instanceof Promise) unawaited(value); // what is refused is awaited by nobody
        return describeObject(value);
      } catch {
        return "an object"; // a revoked proxy, or a getter that throws
      }
    default:
      return String(value);
  }
}

/**
 * Names the kind of a value without showing anything of it, for values that may be secret.
 *
 * @param value The value.
 * @returns A short text, as in `a string`, `a number`, `null`.
 */
export function describeKind(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value === "" ? "an empty string" : "a string";
    case "number":
    case "bigint":
    case "boolean":
      return `a ${typeof value}`;
    default:
      return describe(value);
  }
}

/** Longer than this no setting is that is shown: a generated password is. */
const MAX_SETTING = 20;

/**
 * Names a setting that is no secret where it is. What looks like a URL or an address, or is as long as a password, got
 * there by mistake and is not shown.
 *
 * @param value The value.
 */
export function describeSetting(value: unknown): string {
  if (typeof value !== "string") return describe(value);
  if (/:\/\/|@/.test(value)) return "a URL or an address (not shown)";
  return value.length > MAX_SETTING && /\D/.test(value)
    ? `a text of ${value.length} characters (not shown)`
    : describe(value);
}
