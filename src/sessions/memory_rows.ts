import { assertSize, sizeOfFields } from "./fields.ts";
import type { SessionPatch, StoredSession, WhenFull } from "./store.ts";

/** A session that changes in place. */
export interface Row {
  handle: string;
  userId: string;
  tags: readonly string[];
  device: string;
  createdAt: number;
  lastSeenAt: number;
  /** When it ends in any case. */
  end: number;
  /** Milliseconds without use after which it ends. */
  idle: number;
  version: number;
  /** Which one it was in the order in which they were begun. */
  born: number;
  persistent: boolean | undefined;
  fields: Map<string, Uint8Array>;
}

/** When a session ends. */
export function endOf({ lastSeenAt, idle, end }: Row): number {
  return Math.min(lastSeenAt + idle, end);
}

/** What is told of a session: a copy. */
export function stored(row: Row, touched: boolean): StoredSession {
  const { handle, userId, tags, device, createdAt, lastSeenAt, persistent, version, fields } = row;
  const copy = new Map(fields);
  return {
    handle,
    userId,
    tags,
    device,
    createdAt,
    lastSeenAt,
    expiresAt: endOf(row),
    persistent,
    idle: row.idle === Infinity ? 0 : row.idle,
    version,
    fields: copy,
    touched,
  };
}

/** The data after a change, where there may be so much. */
export function changed(row: Row, { set, remove, maxBytes = 0 }: SessionPatch, action: string): Row["fields"] {
  const fields = new Map(row.fields);
  for (const name of remove) fields.delete(name);
  for (const [name, value] of set) fields.set(name, value);
  assertSize(sizeOfFields(fields), sizeOfFields(row.fields), maxBytes, action);
  return fields;
}

/** Who goes first is in front. */
export function inOrder(rows: Row[], whenFull: WhenFull = "oldest"): Row[] {
  const by = whenFull === "oldest" ? "createdAt" : "lastSeenAt";
  return rows.sort((a, b) => a[by] - b[by] || a.born - b.born);
}

/** Adds to an index. */
export function put(index: Map<string, Set<string>>, name: string, handle: string): void {
  const handles = index.get(name);
  if (handles) handles.add(handle);
  else index.set(name, new Set([handle]));
}

/** Takes out of an index. */
export function drop(index: Map<string, Set<string>>, name: string, handle: string): void {
  const handles = index.get(name);
  handles?.delete(handle);
  if (handles?.size === 0) index.delete(name);
}
