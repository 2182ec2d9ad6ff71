import { describe } from "./describe.ts";
import { nearName } from "./nearest_name.ts";
import { isRecord } from "./record.ts";
import { refuse } from "./refusal.ts";

/** The names of the options of a call. Made by {@linkcode optionNames}. */
export type OptionNames = ReadonlySet<string>;

/**
 * Lists the options of a call. Each has to be there, and no other: an option that is added to the type does not compile
 * until it is listed, so none can be forgotten.
 *
 * @typeParam Options The type of the options.
 * @param names The names, as in `{ ttl: true, tags: true }`.
 */
export function optionNames<Options extends object>(names: { readonly [K in keyof Options]-?: true }): OptionNames {
  return new Set(Object.keys(names));
}

/**
 * Refuses what is no object of options, and names that no option has: one that is misspelt would be ignored in silence.
 *
 * @param options What came.
 * @param names Those that there are.
 * @param action What is attempted, as in "write to the cache".
 * @throws {TypeError} If it is no object, has another name, or a `signal` that is none.
 */
export function assertOptions(options: unknown, names: OptionNames, action: string): void {
  if (!isRecord(options) && !hasSignal(options, names)) {
    const wanted = options instanceof AbortSignal && names.has("signal") ? "{ signal }" : "an object with options";
    throw refuse(TypeError, action, { wanted, got: describe(options) });
  }
  // This is done for each call: no array of names is made.
  for (const name in options as object) {
    if (!names.has(name) && Object.hasOwn(options as object, name)) {
      throw refuse(TypeError, action, { wanted: wantedName(name, [...names]), got: describe(name) });
    }
  }
  if (names.has("signal")) assertSignal((options as { signal?: unknown }).signal, action);
}

/** Whether it is an `AbortController`, or a `Request`, in the place of `{ signal }`. */
function hasSignal(value: unknown, names: OptionNames): boolean {
  if (typeof value !== "object" || value === null || !names.has("signal")) return false;
  return (value as { signal?: unknown }).signal instanceof AbortSignal;
}

function assertSignal(signal: unknown, action: string): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  const wanted = signal instanceof AbortController ? 'the "signal" of the controller' : 'an AbortSignal as "signal"';
  throw new TypeError(`Cannot ${action}: wanted ${wanted}, got ${describe(signal)}`);
}

/**
 * The end of the sentence "wanted …" for a name that no option has: the one that was probably meant, if one is near, or
 * all.
 *
 * @param name What came.
 * @param names Those that there are.
 * @param path Where they are, as in "cache".
 */
export function wantedName(name: string, names: readonly string[], path: string = ""): string {
  const meant = nearName(name, names);
  if (meant === undefined) return `an option that there is (${names.join(", ")})`;
  return `an option that there is, such as "${path === "" ? meant : `${path}.${meant}`}"`;
}
