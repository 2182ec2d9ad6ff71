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

/** The latest that a cookie ends, in milliseconds: 400 days. */
const COOKIE_LIFE = 400 * 86_400_000;

/** All sessions, by handle, by user and by tag. */
export class MemoryRows {
  /** By handle, the one used last at the end. */
  readonly #rows = new Map<string, Row>();
  readonly #users = new Map<string, Set<string>>();
  readonly #tags = new Map<string, Set<string>>();
  readonly #now: () => number;
  readonly #most: number;
  readonly #touchEvery: number;
  #sweepAt = 1000;

  /** Keeps up to `most`, and writes the last use down every so many milliseconds; -1 = by the time to live. */
  constructor(now: () => number, most: number, touchEvery: number) {
    this.#now = now;
    this.#most = most;
    this.#touchEvery = touchEvery;
  }

  /** How many are kept, some of which may have expired. */
  get size(): number {
    return this.#rows.size;
  }

  /** Whether a handle is taken. */
  has(handle: string): boolean {
    return this.#rows.has(handle);
  }

  /** The one with a handle, if it has not expired. */
  find(handle: string): Row | undefined {
    const row = this.#rows.get(handle);
    if (!row || endOf(row) > this.#now()) return row;
    this.remove(row);
    return undefined;
  }

  /** Those of a user. */
  ofUser(userId: string): Row[] {
    return this.#alive(this.#users.get(userId));
  }

  /** Those with a tag. */
  withTag(tag: string): Row[] {
    return this.#alive(this.#tags.get(tag));
  }

  /** Adds one. Where there are too many, the one that was not used for the longest time goes. */
  add(row: Row): void {
    this.#sweep();
    this.#rows.set(row.handle, row);
    if (row.userId !== "") put(this.#users, row.userId, row.handle);
    for (const tag of row.tags) put(this.#tags, tag, row.handle);
    if (this.#rows.size > this.#most) this.remove(this.#rows.values().next().value!);
  }

  /** Removes one. */
  remove(row: Row): void {
    this.#rows.delete(row.handle);
    drop(this.#users, row.userId, row.handle);
    for (const tag of row.tags) drop(this.#tags, tag, row.handle);
  }

  /** Gives one other tags. */
  retag(row: Row, tags: readonly string[]): void {
    for (const tag of row.tags) drop(this.#tags, tag, row.handle);
    row.tags = Object.freeze([...tags]);
    for (const tag of row.tags) put(this.#tags, tag, row.handle);
  }

  /** Rolls the expiry of one when it is time to. Whether its cookie has to be sent again. */
  roll(row: Row): boolean {
    const now = this.#now();
    const every = this.#touchEvery >= 0 ? this.#touchEvery : Math.min(row.idle / 24, 300_000);
    // What was used later than now was used before the clock was set back.
    if (now - row.lastSeenAt < Math.min(every, row.idle / 2) && row.lastSeenAt <= now) return false;
    const before = endOf(row);
    row.lastSeenAt = now;
    this.#rows.delete(row.handle);
    this.#rows.set(row.handle, row);
    return endOf(row) !== before || endOf(row) > now + COOKIE_LIFE;
  }

  /** Forgets all. */
  clear(): void {
    for (const map of [this.#rows, this.#users, this.#tags]) map.clear();
  }

  #alive(handles: ReadonlySet<string> | undefined): Row[] {
    return [...handles ?? []].flatMap((handle) => this.find(handle) ?? []);
  }

  /** Removes what has expired, each time that there are twice as many sessions as were left. */
  #sweep(): void {
    if (this.#rows.size < this.#sweepAt) return;
    for (const handle of [...this.#rows.keys()]) this.find(handle);
    this.#sweepAt = Math.max(1000, 2 * this.#rows.size);
  }
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

function put(index: Map<string, Set<string>>, name: string, handle: string): void {
  const handles = index.get(name);
  if (handles) handles.add(handle);
  else index.set(name, new Set([handle]));
}

function drop(index: Map<string, Set<string>>, name: string, handle: string): void {
  const handles = index.get(name);
  handles?.delete(handle);
  if (handles?.size === 0) index.delete(name);
}
