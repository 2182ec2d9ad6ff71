import { createHash } from "node:crypto";

/**
 * What the ids of callers begin with that are no addresses: each kind has a space of its own, so that none reaches the
 * limit of another.
 */
const BY_USER = "user:";
const BY_HEADER = "header:";
const BY_FUNCTION = "by:";

/** The id of a user; `undefined` for nobody. */
export function userId(user: unknown): string | undefined {
  return idIn(BY_USER, user);
}

/** The id that a function gave; `undefined` for none. */
export function functionId(id: unknown): string | undefined {
  return idIn(BY_FUNCTION, id);
}

/** The id of whoever sends a header: a hash, since it may be a secret. `undefined` without one. */
export function headerId(name: string, value: string | null): string | undefined {
  return value ? `${BY_HEADER}${name.toLowerCase()}:${hash(value)}` : undefined;
}

/** Whether an id is made of something that a caller sends, and can make up at no cost. */
export function isMadeUp(id: string): boolean {
  return id.startsWith(BY_HEADER) || id.startsWith(BY_FUNCTION);
}

/** An id as it can be used: what callers send may be anything, and must neither fail nor share a limit with another. */
function idIn(space: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") {
    throw new TypeError(`wanted a string or undefined, got ${typeof value}`);
  }
  const id = String(value);
  // deno-lint-ignore no-control-regex
  const plain = id.length <= 128 && !/^sha256:|[\x00-\x1f\x7f-\x9f\ud800-\udfff]/.test(id);
  return `${space}${plain ? id : `sha256:${hash(id)}`}`;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 27);
}
