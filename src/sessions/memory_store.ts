import { UnavailableError } from "../errors.ts";
import { assertOptions, optionNames } from "../option_names.ts";
import type {
  NewSession,
  PlacedSession,
  SessionPatch,
  SessionRenewal,
  SessionStore,
  SessionStoreOptions,
  StoredSession,
} from "./store.ts";

/** How a memory store of sessions works. */
export interface MemorySessionStoreOptions {
  /** Most sessions; the one that was not used for the longest time goes. @default {100_000} */
  maxSessions?: number;
  /** Milliseconds between two changes of a session's last use. @default {a 24th of its time to live, at most 5 minutes} */
  touchEvery?: number | undefined;
  /** The time in milliseconds. @default {Date.now} */
  now?: () => number;
  /** Called before the first session is stored. */
  onFirst?: (() => void) | undefined;
}

const OPTIONS = optionNames<MemorySessionStoreOptions>({
  maxSessions: true,
  touchEvery: true,
  now: true,
  onFirst: true,
});

/** A session that changes in place. */
interface Row {
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
  fields: Map<string, Uint8Array>;
}

/** The latest that a cookie ends, in milliseconds: 400 days. */
const COOKIE_LIFE = 400 * 86_400_000;

/** Keeps sessions in this process, with the same rules as Redis. They end with it. */
export class MemorySessionStore implements SessionStore {
  readonly kind = "memory" as const;
  readonly buckets: number = 1;
  /** By handle, the one used last at the end. */
  readonly #rows = new Map<string, Row>();
  readonly #users = new Map<string, Set<string>>();
  readonly #tags = new Map<string, Set<string>>();
  readonly #now: () => number;
  readonly #most: number;
  readonly #touchEvery: number;
  #onFirst: (() => void) | undefined;
  #sweepAt = 1000;
  #closed = false;

  /**
   * Creates a store.
   *
   * @param options How much it keeps.
   */
  constructor(options: MemorySessionStoreOptions = {}) {
    assertOptions(options, OPTIONS, "open the embedded store");
    const { maxSessions = 100_000, touchEvery = -1, now = () => Date.now(), onFirst } = options;
    if (!Number.isInteger(maxSessions) || maxSessions < 1) {
      throw new RangeError(`Cannot use "maxSessions": wanted a whole number of at least 1, got ${maxSessions}`);
    }
    this.#most = maxSessions;
    this.#touchEvery = touchEvery;
    this.#now = now;
    this.#onFirst = onFirst;
  }

  /** How many sessions are kept, some of which may have expired. */
  get size(): number {
    return this.#rows.size;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async create(
    handle: string,
    session: NewSession,
    options: SessionStoreOptions = {},
  ): Promise<PlacedSession | undefined> {
    this.#begin("create session", options);
    this.#onFirst?.();
    this.#onFirst = undefined;
    if (this.#rows.has(handle)) return undefined;
    const { userId, tags, device, fields, idle, absolute, maxPerUser } = session;
    const now = this.#now();
    const evicted = userId !== "" && maxPerUser > 0 ? this.#makeRoom(userId, maxPerUser) : 0;
    this.#sweep();
    const row: Row = {
      handle,
      userId,
      tags: Object.freeze([...tags]),
      device,
      createdAt: now,
      lastSeenAt: now,
      end: absolute > 0 ? now + absolute : Infinity,
      idle: idle > 0 ? idle : Infinity,
      version: 1,
      fields: new Map(fields),
    };
    this.#add(row);
    if (this.#rows.size > this.#most) this.#remove(this.#rows.values().next().value!);
    return { session: stored(row, true), evicted };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async read(
    handle: string,
    mode: "roll" | "peek",
    options: SessionStoreOptions = {},
  ): Promise<StoredSession | undefined> {
    this.#begin("read session", options);
    const row = this.#find(handle);
    return row && stored(row, mode === "roll" && this.#roll(row));
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async touch(handle: string, options: SessionStoreOptions = {}): Promise<boolean> {
    this.#begin("touch session", options);
    const row = this.#find(handle);
    if (row) this.#roll(row);
    return row !== undefined;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options: SessionStoreOptions = {},
  ): Promise<{ session: StoredSession; conflict: boolean } | undefined> {
    this.#begin("update session", options);
    const row = this.#find(handle);
    if (!row) return undefined;
    if (version !== undefined && version !== row.version) return { session: stored(row, false), conflict: true };
    change(row, patch);
    return { session: stored(row, this.#roll(row)), conflict: false };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async destroy(handle: string, options: SessionStoreOptions = {}): Promise<boolean> {
    this.#begin("destroy session", options);
    const row = this.#find(handle);
    if (row) this.#remove(row);
    return row !== undefined;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async take(handle: string, options: SessionStoreOptions = {}): Promise<StoredSession | undefined> {
    this.#begin("take session", options);
    const row = this.#find(handle);
    if (row) this.#remove(row);
    return row && stored(row, false);
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options: SessionStoreOptions = {},
  ): Promise<PlacedSession | "taken" | undefined> {
    this.#begin("regenerate session", options);
    if (this.#rows.has(to)) return "taken";
    const row = this.#find(handle);
    if (!row) return undefined;
    const { userId, absolute, maxPerUser } = renewal;
    const now = this.#now();
    this.#remove(row);
    let evicted = 0;
    if (userId) {
      if (maxPerUser > 0) evicted = this.#makeRoom(userId, maxPerUser);
      row.userId = userId;
      row.createdAt = now;
      row.end = absolute > 0 ? now + absolute : Infinity;
    }
    change(row, renewal);
    row.handle = to;
    row.lastSeenAt = now;
    this.#add(row);
    return { session: stored(row, true), evicted };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async list(userId: string, options: SessionStoreOptions = {}): Promise<StoredSession[]> {
    this.#begin("list sessions", options);
    return [...this.#users.get(userId) ?? []].flatMap((handle) => {
      const row = this.#find(handle);
      return row ? [{ ...stored(row, false), fields: new Map() }] : [];
    });
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async revokeUser(userId: string, except: string | undefined, options: SessionStoreOptions = {}): Promise<number> {
    this.#begin("destroy sessions", options);
    return this.#revoke(this.#users.get(userId), except);
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async revokeTag(tag: string, options: SessionStoreOptions = {}): Promise<number> {
    this.#begin("destroy sessions by tag", options);
    return this.#revoke(this.#tags.get(tag), undefined);
  }

  /** Forgets all sessions; what is asked for later is refused. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const map of [this.#rows, this.#users, this.#tags]) map.clear();
    return Promise.resolve();
  }

  #begin(operation: string, { signal }: SessionStoreOptions): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError(operation, "closed");
  }

  #find(handle: string): Row | undefined {
    const row = this.#rows.get(handle);
    if (!row || endOf(row) > this.#now()) return row;
    this.#remove(row);
    return undefined;
  }

  #roll(row: Row): boolean {
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

  #add(row: Row): void {
    this.#rows.set(row.handle, row);
    if (row.userId !== "") put(this.#users, row.userId, row.handle);
    for (const tag of row.tags) put(this.#tags, tag, row.handle);
  }

  #remove(row: Row): void {
    this.#rows.delete(row.handle);
    drop(this.#users, row.userId, row.handle);
    for (const tag of row.tags) drop(this.#tags, tag, row.handle);
  }

  /** Removes the oldest sessions of a user so that there is room for one more. They are in the order of their birth. */
  #makeRoom(userId: string, most: number): number {
    const alive = [...this.#users.get(userId) ?? []].flatMap((handle) => this.#find(handle) ?? []);
    const over = alive.sort((a, b) => a.createdAt - b.createdAt).slice(0, Math.max(0, alive.length - most + 1));
    for (const row of over) this.#remove(row);
    return over.length;
  }

  #revoke(handles: ReadonlySet<string> | undefined, except: string | undefined): number {
    let count = 0;
    for (const handle of [...handles ?? []]) {
      if (handle === except) continue;
      const row = this.#find(handle);
      if (!row) continue;
      this.#remove(row);
      count++;
    }
    return count;
  }

  /** Removes what has expired, each time that there are twice as many sessions as were left. */
  #sweep(): void {
    if (this.#rows.size < this.#sweepAt) return;
    for (const handle of [...this.#rows.keys()]) this.#find(handle);
    this.#sweepAt = Math.max(1000, 2 * this.#rows.size);
  }
}

function endOf({ lastSeenAt, idle, end }: Row): number {
  return Math.min(lastSeenAt + idle, end);
}

function stored(row: Row, touched: boolean): StoredSession {
  const { handle, userId, tags, device, createdAt, lastSeenAt, version, fields } = row;
  const copy = new Map(fields);
  return {
    handle,
    userId,
    tags,
    device,
    createdAt,
    lastSeenAt,
    expiresAt: endOf(row),
    idle: row.idle === Infinity ? 0 : row.idle,
    version,
    fields: copy,
    touched,
  };
}

function change(row: Row, { set, remove }: SessionPatch): void {
  for (const name of remove) row.fields.delete(name);
  for (const [name, value] of set) row.fields.set(name, value);
  row.version++;
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
