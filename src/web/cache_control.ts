import { parseDictionary } from "structured-headers";

/**
 * The directives of a `Cache-Control` header (RFC 9111, section 5.2): names in lower case, `true` where there is no
 * value.
 */
export type Directives = ReadonlyMap<string, string | true>;

const DIRECTIVE = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?/g;

/** Reads a `Cache-Control` header; what makes no sense is left out. */
export function parseCacheControl(header: string | null): Directives {
  const directives = new Map<string, string | true>();
  for (const [, name, quoted, plain] of (header ?? "").matchAll(DIRECTIVE)) {
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain ?? true;
    // Of two that contradict each other, the first counts.
    if (!directives.has(name!.toLowerCase())) directives.set(name!.toLowerCase(), value);
  }
  return directives;
}

/**
 * Reads a field that is for caches in front of a service, in place of `Cache-Control` (RFC 9213).
 *
 * @param header The field.
 * @returns The directives; `undefined` where there are none, or it makes no sense, so that `Cache-Control` counts.
 */
export function parseTargeted(header: string | null): Directives | undefined {
  if (header === null) return undefined;
  try {
    const directives = new Map<string, string | true>();
    for (const [name, [value]] of parseDictionary(header)) {
      if (value === false) continue;
      directives.set(name, value === true ? true : Number.isInteger(value) ? String(value) : "none");
    }
    return directives.size === 0 ? undefined : directives;
  } catch {
    return undefined;
  }
}

/**
 * The seconds of a directive; `undefined` where there is none, 0 where it makes no sense, so that it errs to the short
 * side.
 */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : 0;
}
