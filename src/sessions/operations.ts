import { describe } from "../util/describe.ts";
import { SessionConflictError, UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import type { Durability } from "../redis/durability.ts";
import { assertTags, assertUserId } from "../util/keys.ts";
import { type Change, OptimisticUpdates } from "./optimistic_updates.ts";
import { assertSize, encodeFields, encodePatch, sizeOfFields } from "./fields.ts";
import type {
  CreateSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  SessionsEnded,
  UpdateSessionOptions,
} from "./options.ts";
import type { SessionDecoder } from "./decoder.ts";
import type { Replication } from "../redis/replication.ts";
import type { ReplicaCalls } from "../redis/replica_calls.ts";
import { Regeneration } from "./regeneration.ts";
import { type Limits, resolveCreate, resolveRegenerate } from "./resolve_options.ts";
import type { Session } from "./session.ts";
import { isToken } from "./session_arguments.ts";
import type { FoundSession, SessionAccess } from "./session_access.ts";
import {
  type PlacedSession,
  type SessionEndOptions,
  type SessionStore,
  type StoredSession,
  UnreadableSessionError,
} from "./store.ts";
import type { TokenFormat } from "./token.ts";

const NOTHING = { bytes: 0, fields: 0 };

/** What operations on one session need. */
export interface Means<Data extends object> {
  readonly store: SessionStore;
  readonly format: TokenFormat;
  readonly limits: Limits;
  readonly decoder: SessionDecoder<Data>;
  readonly on: EventListener;
  /** Whether reads go on without a session when the store does not answer. */
  readonly tolerant: boolean;
  readonly replicas: ReplicaCalls;
}

/**
 * The operations on one session. Those for requests also reach what is in the place of an id that was replaced a moment
 * ago.
 */
export class Operations<Data extends object> {
  readonly #store: SessionStore;
  readonly #format: TokenFormat;
  readonly #limits: Limits;
  readonly #decoder: SessionDecoder<Data>;
  readonly #on: EventListener;
  readonly #tolerant: boolean;
  readonly #replicas: ReplicaCalls;
  readonly #updates: OptimisticUpdates<Data>;
  readonly #regeneration: Regeneration;
  /** For requests. */
  readonly access: SessionAccess<Data>;

  constructor({ store, format, limits, decoder, on, tolerant, replicas }: Means<Data>) {
    this.#store = store;
    this.#format = format;
    this.#limits = limits;
    this.#decoder = decoder;
    this.#on = on;
    this.#tolerant = tolerant;
    this.#replicas = replicas;
    this.#updates = new OptimisticUpdates(store, decoder);
    this.#regeneration = new Regeneration(store, format, limits);
    this.access = {
      read: (id, options) => this.read(id, options ?? {}, true),
      create: (...args) => this.create(...args),
      update: (id, change, options) => this.update(id, change, options, true),
      pop: (id, field, options) => this.pop(id, field, options, true),
      regenerate: (id, options) => this.regenerate(id, options, true),
      destroy: async (id, { signal }) => {
        const options = { signal, grace: limits.grace };
        return (await this.destroy(this.#format.handleOf(id), options, undefined)).destroyed;
      },
    };
  }

  async create(
    userId: string | null,
    data: Data,
    options: CreateSessionOptions,
    replaced?: string,
    since?: number,
  ): Promise<Session<Data>> {
    const action = "create session";
    const user = userId ?? "";
    if (userId !== null) assertUserId(userId, action);
    const fields = encodeFields(data, action);
    assertSize(sizeOfFields(fields), NOTHING, this.#limits.maxBytes, action);
    const { signal } = options;
    const record = { userId: user, fields, since, ...resolveCreate(options, this.#limits) };
    await this.#decoder.check(data, action);
    const replication = this.#replicas.begin(options.durability, action);
    const { grace } = this.#limits;
    const within = this.#store.deadline?.();
    const old = replaced === undefined ? undefined : this.#format.handleOf(replaced);
    while (true) {
      const id = this.#format.create(user);
      const handle = this.#format.handleOf(id);
      const beside = old !== undefined && this.#format.isBeside(old, handle);
      const replaces = beside ? { handle: old, grace, sealed: this.#format.seal(replaced!, id) } : undefined;
      const placed = await this.#store.create(handle, { ...record, replaces }, { signal, within, replication });
      if (!placed) continue; // 256 random bits came up twice
      this.#placed(placed);
      this.#on({ type: "session.create", handle, userId: user });
      if (old !== undefined && !beside) {
        await this.#store.take(old, { signal, within, replication, grace, follow: true });
      }
      const session = await this.#decoder.decodeOrThrow(id, placed.session, action);
      return await this.#replicas.told(session, replication, action, signal);
    }
  }

  async read(id: string, options: GetSessionOptions, follow: boolean): Promise<FoundSession<Data>> {
    const { roll = true, signal } = options;
    const handle = this.#format.handleOf(id);
    let stored: StoredSession | "ended" | "unreadable" | undefined;
    try {
      stored = await this.#store.read(handle, roll ? "roll" : "peek", { signal, follow });
    } catch (error) {
      if (!signal?.aborted && error instanceof RangeError) {
        this.#decoder.reportUnreadable(handle, error);
        return { missing: "unreadable" };
      }
      this.tolerate(error, signal);
      return { missing: "outage" };
    }
    if (stored === undefined) this.#on({ type: "session.unknown", handle });
    if (stored === "unreadable") this.#decoder.reportUnreadable(handle, new RangeError("the record of it is damaged"));
    if (typeof stored !== "object") return { missing: stored ?? "unknown" };
    const session = await this.#decoder.decode(id, stored);
    return session ? { session, renewed: session.handle !== handle } : { missing: "unreadable" };
  }

  async update(
    id: string,
    change: Change<Data>,
    options: UpdateSessionOptions,
    follow: boolean,
  ): Promise<FoundSession<Data>> {
    const action = "update session";
    const { ifVersion, signal } = options;
    if (ifVersion !== undefined && (!Number.isSafeInteger(ifVersion) || ifVersion < 1)) {
      throw new RangeError(`Cannot ${action}: wanted a whole number as "ifVersion", got ${describe(ifVersion)}`);
    }
    const tags = options.tags === undefined ? undefined : assertTags(options.tags, action);
    const more = { tags, maxBytes: this.#limits.maxBytes };
    const patch = typeof change === "function" ? undefined : { ...encodePatch(change, action), ...more };
    const replication = this.#replicas.begin(options.durability, action);
    if (!isToken(id, this.#format, action)) return { missing: "unknown" };
    const handle = this.#format.handleOf(id);
    // What the data are afterwards can only be checked in view of all of them.
    if (!patch || this.#decoder.checks) {
      const apply = this.#updates.apply(id, handle, change, { ifVersion, signal, follow, replication, ...more });
      const changed = await this.#readable(handle, apply);
      if (changed === "unreadable") return { missing: changed };
      return await this.#found(id, handle, changed, action, replication, signal);
    }
    const update = this.#store.update(handle, patch, ifVersion, { signal, follow, replication });
    const answer = await this.#readable(handle, update);
    if (answer === "unreadable") return { missing: answer };
    if (answer?.conflict) throw new SessionConflictError(answer.session.version);
    return await this.#found(id, handle, answer?.session, action, replication, signal);
  }

  async pop(
    id: string,
    field: string,
    { signal }: SessionOperationOptions,
    follow: boolean,
  ): Promise<FoundSession<Data> & { value?: unknown }> {
    const action = "update session";
    const patch = encodePatch({ [field]: undefined }, action);
    if (!isToken(id, this.#format, action)) return { missing: "unknown" };
    if (this.#decoder.checks) {
      let value: unknown;
      const found = await this.update(
        id,
        (data) => {
          value = (data as Record<string, unknown>)[field];
          return { [field]: undefined } as never;
        },
        { signal },
        follow,
      );
      return { ...found, value };
    }
    const handle = this.#format.handleOf(id);
    const options = { signal, follow, before: true };
    const answer = await this.#readable(handle, this.#store.update(handle, patch, undefined, options));
    if (answer === "unreadable") return { missing: answer };
    const found = await this.#found(id, handle, answer?.session, action);
    if (!found.session) return found;
    const { [field]: value, ...data } = found.session.data as Record<string, unknown>;
    return { ...found, session: { ...found.session, data: data as Data }, value };
  }

  async regenerate(
    id: string,
    options: RegenerateSessionOptions<Data>,
    follow: boolean,
  ): Promise<FoundSession<Data>> {
    const action = "regenerate session";
    const { userId, data = {}, signal } = options;
    if (userId !== undefined) assertUserId(userId, action);
    const patch = encodePatch(data, action);
    const wanted = { userId, patch, ...resolveRegenerate(options, userId !== undefined, this.#limits) };
    const replication = this.#replicas.begin(options.durability, action);
    if (!isToken(id, this.#format, action)) return { missing: "unknown" };
    const handle = this.#format.handleOf(id);
    const within = this.#store.deadline?.();
    if (this.#decoder.checks) {
      const before = await this.#updates.peek(handle, { signal, follow, within });
      if (!before) return { missing: "unknown" };
      await this.#decoder.checkChange(before, data, action);
    }
    const regeneration = this.#regeneration.run(id, wanted, { signal, follow, within, replication });
    const renewed = await this.#readable(handle, regeneration);
    if (renewed === "unreadable") return { missing: renewed };
    if (!renewed) return { missing: "unknown" };
    const { id: to, placed } = renewed;
    this.#placed(placed);
    if (!placed.steps) this.#on({ type: "session.regenerate", from: handle, handle: placed.session.handle });
    const session = await this.#decoder.decodeOrThrow(to, placed.session, action);
    return { session: await this.#replicas.told(session, replication, action, signal) };
  }

  /** Ends a session; one that is remembered to have ended is told from one that is not known. */
  async destroy(
    handle: string,
    options: SessionEndOptions,
    durability: Durability | undefined,
  ): Promise<SessionsEnded<boolean | "ended">> {
    const action = "destroy session";
    const replication = this.#replicas.begin(durability, action);
    const destroyed = await this.#store.destroy(handle, { ...options, replication });
    if (destroyed === true) this.#on({ type: "session.destroy", handle });
    return { destroyed, replicated: await this.#replicas.end(replication, action, options.signal) };
  }

  /** Refuses a change after which the data of one of a user's sessions would not fit the schema. */
  async checkAll(userId: string, patch: object, signal: AbortSignal | undefined): Promise<void> {
    for (const { handle } of await this.#store.list(userId, { signal })) {
      const present = await this.#updates.peek(handle, { signal });
      if (present) await this.#decoder.checkChange(present, patch, "update sessions");
    }
  }

  /** Throws what went wrong, unless reads go on without. */
  tolerate(error: unknown, signal: AbortSignal | undefined): void {
    const outage = !signal?.aborted && error instanceof UnavailableError && error.reason !== "closed";
    if (!outage || !this.#tolerant) throw error;
    this.#on({ type: "session.error", operation: error.operation, error });
  }

  /** What a call of the store gives, or an event where the record is damaged. */
  async #readable<T>(handle: string, call: Promise<T>): Promise<T | "unreadable"> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof UnreadableSessionError)) throw error;
      this.#decoder.reportUnreadable(handle, error);
      return "unreadable";
    }
  }

  async #found(
    id: string,
    handle: string,
    stored: StoredSession | undefined,
    action: string,
    replication?: Replication,
    signal?: AbortSignal,
  ): Promise<FoundSession<Data>> {
    if (!stored) return { missing: "unknown" };
    const session = await this.#decoder.decodeOrThrow(id, stored, action);
    const renewed = stored.handle !== handle;
    return { session: await this.#replicas.told(session, replication, action, signal), renewed };
  }

  #placed({ session, evicted }: PlacedSession): void {
    if (evicted.length === 0) return;
    this.#on({ type: "session.evict", userId: session.userId, count: evicted.length, handles: evicted });
  }
}
