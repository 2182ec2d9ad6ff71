import { parseHttpDate } from "../web/http_date.ts";
import type { ImageInfo } from "./info.ts";

/** Where the conditions of a request are. */
export type Conditions = Pick<Headers, "get">;

/** What the conditions of a request say of an image as it is: 200, 304 or 412 (RFC 9110, 13.2.2). */
export function evaluate(
  conditions: Conditions,
  { etag, timestamp }: Pick<ImageInfo, "etag" | "timestamp">,
): 200 | 304 | 412 {
  const modified = Math.floor(timestamp / 1000) * 1000; // dates in HTTP have whole seconds
  const ifMatch = conditions.get("if-match");
  const unmodifiedSince = parseHttpDate(conditions.get("if-unmodified-since"));
  if (ifMatch !== null) {
    if (!lists(ifMatch, etag, false)) return 412;
  } else if (unmodifiedSince !== undefined && timestamp > 0 && modified > unmodifiedSince) return 412;
  const ifNoneMatch = conditions.get("if-none-match");
  if (ifNoneMatch !== null) return lists(ifNoneMatch, etag, true) ? 304 : 200;
  const modifiedSince = parseHttpDate(conditions.get("if-modified-since"));
  return modifiedSince !== undefined && timestamp > 0 && modified <= modifiedSince ? 304 : 200;
}

/**
 * The range of bytes that is asked for; nothing if all of them are. A request for several ranges is answered with all,
 * which RFC 9110 allows: nobody asks for pieces of an image but to overload who cuts them.
 */
export function rangeOf(
  conditions: Conditions,
  { etag, timestamp, size }: Pick<ImageInfo, "etag" | "timestamp" | "size">,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(conditions.get("range") ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const ifRange = conditions.get("if-range");
  if (ifRange !== null && ifRange !== etag) {
    const since = ifRange.startsWith('"') || ifRange.startsWith("W/") ? undefined : parseHttpDate(ifRange);
    if (since === undefined || Math.floor(timestamp / 1000) * 1000 !== since) return undefined;
  }
  const suffix = first === "";
  const start = suffix ? Math.max(0, size - Number(last)) : Number(first);
  const end = suffix || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (!suffix && last !== "" && Number(last) < start) return undefined; // no range at all
  return start >= size || (suffix && Number(last) === 0) ? "unsatisfiable" : { start, end };
}

/** Whether a list of entity tags has this one. A weak one counts only where that is asked for. */
function lists(value: string, etag: string, weak: boolean): boolean {
  if (value.trim() === "*") return true;
  for (const [, prefix, tag] of value.slice(0, 8192).matchAll(/(W\/)?("[^"]*")/g)) {
    if (tag === etag && (weak || prefix === undefined)) return true;
  }
  return false;
}
