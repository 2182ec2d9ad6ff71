/**
 * Whether a value is an object that holds fields, such as options or entries by key. What has its state elsewhere is
 * none: a `Date`, a `Map`, an `AbortSignal`, or a promise that nobody has awaited would pass for an empty one.
 *
 * @param value Anything.
 */
export function isRecord(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  const kind = Object.prototype.toString.call(value); // classes of one's own are "Object" as well
  return kind === "[object Object]" || kind === "[object Module]";
}
