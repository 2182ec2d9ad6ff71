import { type ClosedBy, UnavailableError } from "../errors.ts";
import { assertOptions } from "../util/option_names.ts";
import { type DataSize, sizeOfFields, tooMuch } from "./fields.ts";
import { changed, endOf, inOrder, MemoryRows, type Row, stored } from "./memory_rows.ts";
import { MEMORY_STORE, type MemorySessionStoreOptions } from "./memory_store_options.ts";
import { MemoryTraces } from "./memory_traces.ts";
import type {
  NewSession,
  PlacedSession,
  Replaced,
  SessionEndOptions,
  SessionFollowOptions,
  SessionListOptions,
  SessionPatch,
  SessionRenewal,
  SessionStore,
  SessionStoreOptions,
  SessionUpdateOptions,
  StoredSession,
  WhenFull,
} from "./store.ts";

/** Most sessions that go for one that is begun. */
const EVICTED = 100;

/** Keeps sessions in this process, with the same rules as Redis. They end with it. */
export class MemorySessionStore implements SessionStore {
  readonly kind = "memory" as const;
  readonly buckets: number = 1;
  readonly #rows: MemoryRows;
  readonly #now: () => number;
  readonly #traces = new MemoryTraces();
  #onFirst: (() => void) | undefined;
  #born = 0;
  #closed: ClosedBy | undefined;

  /**
   * Creates a store.
   *
   * @param options How much it keeps.
   */
  constructor(options: MemorySessionStoreOptions = {}) {
    assertOptions(options, MEMORY_STORE, "open the embedded store");
    const { maxSessions = 100_000, touchEvery = -1, now = () => Date.now(), onFirst } = options;
    if (!Number.isInteger(maxSessions) || maxSessions < 1) {
      throw new RangeError(`Cannot use "maxSessions": wanted a whole number of at least 1, got ${maxSessions}`);
    }
    this.#rows = new MemoryRows(now, maxSessions, touchEvery);
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
    const { userId, tags, device, fields, idle, absolute, maxPerUser, whenFull, persistent, replaces } = session;
    const now = this.#now();
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
      born: ++this.#born,
      persistent,
      fields: new Map(fields),
    };
    if (replaces) this.#replace(replaces, row);
    const evicted = userId !== "" && maxPerUser > 0 ? this.#makeRoom(userId, maxPerUser, whenFull) : [];
    this.#rows.add(row);
    return { session: stored(row, true), evicted };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async read(
    handle: string,
    mode: "roll" | "peek",
    options: SessionFollowOptions = {},
  ): Promise<StoredSession | "ended" | undefined> {
    this.#begin("read session", options);
    const { found: row, known } = this.#look(handle, options);
    if (!row) return known ? "ended" : undefined;
    return stored(row, mode === "roll" && this.#rows.roll(row));
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async touch(handle: string, options: SessionStoreOptions = {}): Promise<boolean> {
    this.#begin("touch session", options);
    const row = this.#rows.find(handle);
    if (row) this.#rows.roll(row);
    return row !== undefined;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options: SessionUpdateOptions = {},
  ): Promise<{ session: StoredSession; conflict: boolean } | undefined> {
    this.#begin("update session", options);
    const { found: row } = this.#look(handle, options);
    if (!row) return undefined;
    if (version !== undefined && version !== row.version) return { session: stored(row, false), conflict: true };
    const before = options.before ? row.fields : undefined;
    if (!before || before.has(patch.remove[0]!)) this.#change(row, patch, "update session");
    const session = stored(row, this.#rows.roll(row));
    return { session: before ? { ...session, fields: before } : session, conflict: false };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async updateAll(userId: string, patch: SessionPatch, options: SessionStoreOptions = {}): Promise<number> {
    const action = "update sessions";
    this.#begin(action, options);
    let [count, refused]: [number, DataSize | undefined] = [0, undefined];
    for (const row of this.#rows.ofUser(userId)) {
      try {
        this.#change(row, patch, action);
        count++;
      } catch {
        const fields = changed(row, { ...patch, maxBytes: 0 }, action);
        refused = sizeOfFields(fields);
      }
    }
    if (refused) throw tooMuch(action, refused, patch.maxBytes!);
    return count;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async destroy(handle: string, options: SessionEndOptions = {}): Promise<boolean | "ended"> {
    this.#begin("destroy session", options);
    const { found: row, known } = this.#look(handle, { follow: true });
    return row ? this.#end(row, options) : known && "ended";
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async take(
    handle: string,
    options: SessionEndOptions & SessionFollowOptions = {},
  ): Promise<StoredSession | undefined> {
    this.#begin("take session", options);
    const { found: row } = this.#look(handle, options);
    return row && this.#end(row, options) ? stored(row, false) : undefined;
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options: SessionFollowOptions = {},
  ): Promise<PlacedSession | "taken" | undefined> {
    const action = "regenerate session";
    this.#begin(action, options);
    if (this.#rows.has(to)) return "taken";
    const { userId, absolute, maxPerUser, whenFull, idle, tags, device, persistent, grace, sealed } = renewal;
    const { found, steps } = this.#look(handle, options, userId !== undefined);
    const same = userId === undefined || found?.userId === userId;
    if (found && same && steps.length > 0) {
      const { tags: _, ...patch } = renewal;
      if (patch.set.size + patch.remove.length > 0) this.#change(found, patch, action);
      this.#rows.roll(found);
      return { session: stored(found, true), evicted: [], steps };
    }
    // Past a login of somebody else there is nothing for this one.
    const { found: row } = this.#look(handle, options);
    if (!row) return undefined;
    const from = row.handle;
    const fields = changed(row, renewal, action);
    const now = this.#now();
    this.#rows.remove(row);
    let evicted: string[] = [];
    if (userId !== undefined) {
      if (maxPerUser > 0) evicted = this.#makeRoom(userId, maxPerUser, whenFull);
      row.userId = userId;
      row.createdAt = now;
      row.born = ++this.#born;
    }
    if (absolute !== undefined) row.end = absolute > 0 ? now + absolute : Infinity;
    if (idle !== undefined) row.idle = idle > 0 ? idle : Infinity;
    if (tags !== undefined) row.tags = Object.freeze([...tags]);
    if (device !== undefined) row.device = device;
    if (persistent !== undefined) row.persistent = persistent;
    row.fields = fields;
    row.version++;
    row.handle = to;
    row.lastSeenAt = now;
    this.#rows.add(row);
    const until = Math.min(now + grace, endOf(row));
    this.#traces.add(handle, { what: same ? "renewed" : "login", step: { sealed, handle: to }, until }, now, from);
    return { session: stored(row, true), evicted };
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async list(userId: string, options: SessionListOptions = {}): Promise<StoredSession[]> {
    this.#begin("list sessions", options);
    const { limit = 0, after } = options;
    const rows = inOrder(this.#rows.ofUser(userId)).reverse();
    const at = rows.findIndex(({ handle }) => handle === after?.handle);
    const { createdAt = 0 } = after ?? {};
    const left = at >= 0 ? rows.slice(at + 1) : rows.filter((row) => createdAt === 0 || row.createdAt <= createdAt);
    return left.slice(0, limit || Infinity).map((row) => ({ ...stored(row, false), fields: new Map() }));
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async revokeUser(userId: string, except: string | undefined, options: SessionStoreOptions = {}): Promise<number> {
    this.#begin("destroy sessions", options);
    // It may have been renewed a moment ago.
    const kept = except === undefined ? undefined : this.#look(except, { follow: true }).found?.handle;
    return this.#revoke(this.#rows.ofUser(userId), kept);
  }

  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async revokeTag(tag: string, options: SessionStoreOptions = {}): Promise<number> {
    this.#begin("destroy sessions by tag", options);
    return this.#revoke(this.#rows.withTag(tag), undefined);
  }

  /** Forgets all sessions; what is asked for later is refused. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#rows.clear();
    this.#traces.clear();
    return Promise.resolve();
  }

  #begin(operation: string, { signal }: SessionStoreOptions): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  /** What a handle stands for, for a request also what is in its place. */
  #look(handle: string, { follow = false }: SessionFollowOptions, login: boolean = false) {
    const found = this.#rows.find(handle);
    if (found) return { found, steps: [], known: true };
    if (!follow) return { steps: [], known: false };
    return this.#traces.follow(handle, (at) => this.#rows.find(at), this.#now(), login);
  }

  #change(row: Row, patch: SessionPatch, action: string): void {
    row.fields = changed(row, patch, action);
    row.version++;
    if (patch.tags !== undefined) this.#rows.retag(row, patch.tags);
  }

  /** Ends a session of this user, if one is named. */
  #end(row: Row, { userId, grace = 0 }: SessionEndOptions): boolean {
    if (userId !== undefined && row.userId !== userId) return false;
    const now = this.#now();
    this.#rows.remove(row);
    if (grace > 0) this.#traces.add(row.handle, { what: "ended", until: Math.min(now + grace, endOf(row)) }, now);
    return true;
  }

  #replace({ handle, grace, sealed }: Replaced, by: Row): void {
    const { found: row, known } = this.#look(handle, { follow: true });
    if (!row && (known || by.userId === "")) return;
    if (row) this.#rows.remove(row);
    const what = by.userId !== "" && by.userId === row?.userId ? "renewed" : "login";
    const until = Math.min(this.#now() + grace, endOf(by));
    this.#traces.add(handle, { what, step: { sealed, handle: by.handle }, until }, this.#now(), row?.handle);
  }

  /** Ends sessions of a user so that there is room for one more. Tells which. */
  #makeRoom(userId: string, most: number, whenFull: WhenFull | undefined): string[] {
    const alive = inOrder(this.#rows.ofUser(userId), whenFull);
    const over = alive.slice(0, Math.min(EVICTED, Math.max(0, alive.length - most + 1)));
    for (const row of over) this.#rows.remove(row);
    return over.map(({ handle }) => handle);
  }

  #revoke(rows: readonly Row[], except: string | undefined): number {
    this.#traces.cut(new Set(rows.map(({ handle }) => handle)));
    const revoked = rows.filter(({ handle }) => handle !== except);
    for (const row of revoked) this.#rows.remove(row);
    return revoked.length;
  }
}
