import { describe, describeKind } from "../util/describe.ts";
import type { TokenFormat } from "./token.ts";

/** Whether it may be a token. What is not even a string is refused. */
export function isToken(id: unknown, format: TokenFormat, action: string): id is string {
  if (typeof id === "string") return format.isToken(id);
  if (id === undefined) return false;
  throw new TypeError(`Cannot ${action}: wanted the id of a session, got ${describeKind(id)}`);
}

/**
 * The handle of a session that is given by its token, or as an object with its handle; nothing for what cannot be one.
 */
export function handleIn(session: unknown, format: TokenFormat, action: string): string | undefined {
  if (typeof session === "object" && session !== null && "handle" in session) {
    const { handle } = session;
    if (typeof handle === "string") return format.isHandle(handle) ? handle : undefined;
    throw new TypeError(`Cannot ${action}: wanted a string as the handle, got ${describeKind(handle)}`);
  }
  return isToken(session, format, action) ? format.handleOf(session) : undefined;
}

/** Where the page of a list before ended. */
export function cursorIn(
  cursor: unknown,
  format: TokenFormat,
  action: string,
): { handle: string; createdAt: number } | undefined {
  if (cursor === undefined) return undefined;
  const session = typeof cursor === "string" ? { handle: cursor, createdAt: 0 } : cursor;
  const { handle, createdAt } = (session ?? {}) as { handle?: unknown; createdAt?: unknown };
  if (format.isHandle(handle) && Number.isSafeInteger(createdAt)) return { handle, createdAt: createdAt as number };
  throw new TypeError(
    `Cannot ${action}: wanted a session of the list before, or its handle, as "cursor", got ${describeKind(cursor)}`,
  );
}

/** The user that a session must have to be ended, where one is named. */
export function ownerIn(session: unknown, action: string): string | undefined {
  if (typeof session !== "object" || session === null || !("userId" in session)) return undefined;
  const { userId } = session;
  if (typeof userId === "string") return userId;
  if (userId === null) return "";
  throw new TypeError(`Cannot ${action}: wanted a string as the user id, got ${describe(userId)}`);
}
