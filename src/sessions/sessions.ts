import { unawaited } from "../callbacks.ts";
import { describe, describeKind } from "../describe.ts";
import { SessionConflictError, UnavailableError } from "../errors.ts";
import { type EventListener, safeListener } from "../events.ts";
import { assertKey, assertTag } from "../keys.ts";
import { remoteAddress } from "../http/connection.ts";
import { assertOptions } from "../option_names.ts";
import { Changes } from "./changes.ts";
import { SessionCookie } from "./cookie.ts";
import { encodeFields, encodePatch } from "./fields.ts";
import {
  CREATE,
  DESTROY_ALL,
  GET,
  OPERATION,
  REGENERATE,
  REQUEST,
  SESSIONS,
  TYPED,
  UPDATE,
  WITH_SESSION,
} from "./option_names.ts";
import type {
  CreateSessionOptions,
  DestroyAllOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  SessionsOptions,
  TypedSessionsOptions,
  UpdateSessionOptions,
} from "./options.ts";
import { RequestSession } from "./request_session.ts";
import { infoOf, Reading } from "./reading.ts";
import { Renewal } from "./renewal.ts";
import { type Limits, limitsOf, resolveCreate } from "./resolve_options.ts";
import type { Session, SessionData, SessionInfo, SessionPatchOf } from "./session.ts";
import type { FoundSession, SessionAccess } from "./session_access.ts";
import { counting, type SessionStats, statsOf } from "./stats.ts";
import type { PlacedSession, SessionStore, StoredSession } from "./store.ts";
import { TokenFormat } from "./token.ts";
import {
  type RequestSessionOptions,
  type SessionHandler,
  withSession,
  type WithSessionHandler,
  type WithSessionOptions,
} from "./with_session.ts";

/**
 * Sessions: rolling, revocable, and never back once they are gone.
 *
 * The token of a session is 256 random bits. Only its SHA-256 is stored, so that nobody can log in with what is in Redis. Each operation
 * is one atomic step and one round trip.
 *
 * @typeParam Data The fields of the data.
 *
 * @example Log in, look, log out
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect<{ session: { theme?: string } }>({ url: "memory:" });
 * const { id } = await redis.sessions.create("ada", { theme: "dark" });
 *
 * assert.equal((await redis.sessions.get(id))?.userId, "ada");
 * await redis.sessions.update(id, { theme: "light" });
 * assert.deepEqual((await redis.sessions.get(id))?.data, { theme: "light" });
 *
 * await redis.sessions.destroy(id);
 * assert.equal(await redis.sessions.get(id), undefined);
 * ```
 */
export class Sessions<Data extends object = SessionData> implements AsyncDisposable {
  /** Puts sessions into cookies and finds them there. */
  readonly cookie: SessionCookie;
  readonly #store: SessionStore;
  readonly #options: Omit<SessionsOptions<object>, "touchEvery">;
  readonly #limits: Limits;
  readonly #on: EventListener;
  readonly #told: EventListener | undefined;
  readonly #format: TokenFormat;
  readonly #reading: Reading<Data>;
  readonly #changes: Changes<Data>;
  readonly #renewal: Renewal;

  /**
   * Creates the service on a store; `connect()` does it for you.
   *
   * @param store Where sessions are kept. How often it writes their last use is its own affair.
   * @param options How sessions work.
   * @param on Told what happens.
   * @param typed How the data are checked, if not as the options say.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  constructor(
    store: SessionStore,
    options: Omit<SessionsOptions<Data>, "touchEvery"> = {},
    on?: EventListener,
    typed: TypedSessionsOptions<Data> = {},
  ) {
    assertOptions(options, SESSIONS, "open sessions");
    this.#store = store;
    this.#options = options;
    this.#told = on;
    this.#on = counting(store, safeListener(on));
    this.#limits = limitsOf(options);
    const format = new TokenFormat(store.buckets);
    this.#format = format;
    this.#reading = new Reading(typed.schema ?? options.schema, this.#on);
    this.#changes = new Changes(store, this.#reading);
    this.#renewal = new Renewal(store, format, this.#limits);
    this.cookie = new SessionCookie(
      options.cookie ?? {},
      options.secrets ?? [],
      (value): value is string => format.isToken(value),
    );
  }

  /**
   * Begins a session. Write its cookie with `cookie.write()`.
   *
   * @param userId Whose it is; `null` for a visitor who has not logged in.
   * @param data Its data: whatever the cache can hold, `Date` and `Map` too. Fields that are `undefined` are left out.
   * @param options Tags, times, and where it was begun.
   * @returns The session, with the token as its `id`.
   * @throws {TypeError | RangeError} If the user, the data or an option cannot be used.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example With what `list()` will show
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const request = new Request("http://localhost/login", { headers: { "user-agent": "Firefox" } });
   * await redis.sessions.create("ada", {}, { request, address: "192.0.2.7", tags: ["org:7"] });
   * const [info] = await redis.sessions.list("ada");
   * assert.deepEqual(info?.device, { userAgent: "Firefox", address: "192.0.2.7" });
   * ```
   */
  async create(userId: string | null, data: Data, options: CreateSessionOptions = {}): Promise<Session<Data>> {
    const action = "create session";
    assertOptions(options, CREATE, action);
    const user = userId ?? "";
    if (userId !== null) assertUser(userId, action);
    const fields = encodeFields(data, action);
    const { signal } = options;
    const record = { userId: user, fields, ...resolveCreate(options, this.#limits) };
    await this.#reading.check(data, action);
    while (true) {
      const id = this.#format.create(user);
      const placed = await this.#store.create(this.#format.handleOf(id), record, { signal });
      if (!placed) continue; // 256 random bits came up twice
      this.#placed(placed);
      this.#on({ type: "session.create", handle: placed.session.handle, userId: user });
      return await this.#reading.demand(id, placed.session, action);
    }
  }

  /**
   * Reads a session, and rolls its expiry if that was not done within `touchEvery`. When `touched` is set, send its cookie again.
   *
   * @param id The token; `undefined`, as `cookie.read()` may give, and whatever is no token, is no session.
   * @param options Whether to roll, a signal.
   * @returns The session, or `undefined` when there is none (any more).
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  get(id: string | undefined, options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    return this.#get(id, options);
  }

  async #get(
    id: string | undefined,
    options: GetSessionOptions,
    onOutage?: () => void,
  ): Promise<Session<Data> | undefined> {
    assertOptions(options, GET, "get session");
    if (!this.#isToken(id, "get session")) return undefined;
    const { roll = true, signal } = options;
    const handle = this.#format.handleOf(id);
    let stored: StoredSession | undefined;
    try {
      stored = await this.#store.read(handle, roll ? "roll" : "peek", { signal });
    } catch (error) {
      if (!signal?.aborted && error instanceof RangeError) {
        this.#reading.tell(handle, error);
        return undefined;
      }
      this.#tolerate(error, signal);
      onOutage?.();
      return undefined;
    }
    if (stored) return this.#reading.open(id, stored);
    this.#on({ type: "session.unknown", handle });
    return undefined;
  }

  /**
   * Changes some fields of the data and leaves the others alone, so that changes of different fields at a time all survive. It counts as
   * use.
   *
   * @param id The token.
   * @param change The fields that change, where `undefined` removes one; or a function that is given the data and returns them. It is called
   * again when somebody else changed the session meanwhile, so it should do nothing else. The signal ends the wait for it too.
   * @param options The version that the session must have, a signal.
   * @returns The session as it is then, or `undefined` when there is none (any more).
   * @throws {SessionConflictError} If the session has another version than `ifVersion`, or was changed each of 100 times.
   * @throws {TypeError | RangeError} If the fields cannot be stored, or the data would not fit the schema any more.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example A counter that loses no count
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect<{ session: { visits: number } }>({ url: "memory:" });
   * const { id } = await redis.sessions.create("ada", { visits: 0 });
   * const visit = () => redis.sessions.update(id, ({ visits }) => ({ visits: visits + 1 }));
   * await Promise.all([visit(), visit(), visit()]);
   * assert.equal((await redis.sessions.get(id))?.data.visits, 3);
   * ```
   */
  async update(
    id: string,
    change: SessionPatchOf<Data> | ((data: Data) => SessionPatchOf<Data> | Promise<SessionPatchOf<Data>>),
    options: UpdateSessionOptions = {},
  ): Promise<Session<Data> | undefined> {
    const action = "update session";
    assertOptions(options, UPDATE, action);
    const { ifVersion, signal } = options;
    if (ifVersion !== undefined && (!Number.isSafeInteger(ifVersion) || ifVersion < 1)) {
      throw new RangeError(`Cannot ${action}: wanted a whole number as "ifVersion", got ${describe(ifVersion)}`);
    }
    const patch = typeof change === "function" ? undefined : encodePatch(change, action);
    if (!this.#isToken(id, action)) return undefined;
    const handle = this.#format.handleOf(id);
    // What the data are afterwards can only be checked in view of all of them.
    if (!patch || this.#reading.checks) {
      const changed = await this.#changes.make(id, handle, change, options);
      return changed && await this.#reading.demand(id, changed, action);
    }
    const answer = await this.#store.update(handle, patch, ifVersion, { signal });
    if (answer?.conflict) throw new SessionConflictError(answer.session.version);
    return answer && await this.#reading.demand(id, answer.session, action);
  }

  /**
   * Rolls the expiry of a session without reading it, as `get()` does: at most every `touchEvery`.
   *
   * @param id The token.
   * @param options A signal.
   * @returns Whether the session is there.
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  async touch(id: string | undefined, options: SessionOperationOptions = {}): Promise<boolean> {
    assertOptions(options, OPERATION, "touch session");
    if (!this.#isToken(id, "touch session")) return false;
    try {
      return await this.#store.touch(this.#format.handleOf(id), { signal: options.signal });
    } catch (error) {
      this.#tolerate(error, options.signal);
      return false;
    }
  }

  /**
   * Ends a session. Nothing brings it back.
   *
   * @param session Its token, or an object with its `handle`, as `list()` gives.
   * @param options A signal.
   * @returns Whether it was there.
   * @throws {UnavailableError} If the store does not answer.
   */
  async destroy(
    session: string | { readonly handle: string } | undefined,
    options: SessionOperationOptions = {},
  ): Promise<boolean> {
    assertOptions(options, OPERATION, "destroy session");
    const handle = this.#handleOf(session, "destroy session");
    if (handle === undefined) return false;
    const destroyed = await this.#store.destroy(handle, { signal: options.signal });
    if (destroyed) this.#on({ type: "session.destroy", handle });
    return destroyed;
  }

  /**
   * Gives a session a new id with the same data, in one step: the old id is dead when the new one lives. Do it whenever somebody gains
   * rights, so that an id that was planted before is worth nothing. Its absolute end stays.
   *
   * @param id The token.
   * @param options Who has just logged in, fields to change, a signal.
   * @returns The session with its new id, whose cookie must be sent; `undefined` when there is none (any more).
   * @throws {TypeError | RangeError} If an option cannot be used.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example A visitor logs in and keeps the basket
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const visitor = await redis.sessions.create(null, { basket: ["tea"] });
   * const user = await redis.sessions.regenerate(visitor.id, { userId: "ada" });
   * assert.deepEqual([user?.userId, user?.data], ["ada", { basket: ["tea"] }]);
   * assert.equal(await redis.sessions.get(visitor.id), undefined);
   * ```
   */
  async regenerate(id: string, options: RegenerateSessionOptions<Data> = {}): Promise<Session<Data> | undefined> {
    const action = "regenerate session";
    assertOptions(options, REGENERATE, action);
    const { userId, data = {}, signal } = options;
    if (userId !== undefined) assertUser(userId, action);
    const patch = encodePatch(data, action);
    if (!this.#isToken(id, action)) return undefined;
    const handle = this.#format.handleOf(id);
    const within = this.#store.deadline?.();
    if (this.#reading.checks) {
      const before = await this.#changes.look(handle, signal, within);
      if (!before) return undefined;
      await this.#reading.checkChange(before, data, action);
    }
    const renewed = await this.#renewal.renew(handle, userId, patch, { signal, within });
    if (!renewed) return undefined;
    const { id: to, placed } = renewed;
    this.#placed(placed);
    this.#on({ type: "session.regenerate", from: handle, handle: placed.session.handle });
    return await this.#reading.demand(to, placed.session, action);
  }

  /**
   * The sessions of a user, the one that was used last in front: for a page on which they can be ended one by one.
   *
   * @param userId The user.
   * @param options A signal.
   * @returns What may be shown of them: no tokens, no data.
   * @throws {UnavailableError} If the store does not answer.
   */
  async list(userId: string, options: SessionOperationOptions = {}): Promise<SessionInfo[]> {
    assertOptions(options, OPERATION, "list sessions");
    assertUser(userId, "list sessions");
    const sessions = await this.#store.list(userId, { signal: options.signal });
    return sessions.map(infoOf).sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt);
  }

  /**
   * Ends all sessions of a user, or all but one: after a change of the password, or to log out everywhere. Once it resolves none that
   * was begun before the call lives, a login that was under way among them.
   *
   * @param userId The user.
   * @param options The session that stays, a signal.
   * @returns How many ended.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example All others
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const phone = await redis.sessions.create("ada", {});
   * const laptop = await redis.sessions.create("ada", {});
   * assert.equal(await redis.sessions.destroyAll("ada", { except: laptop }), 1);
   * assert.equal(await redis.sessions.get(phone.id), undefined);
   * assert.equal((await redis.sessions.get(laptop.id))?.userId, "ada");
   * ```
   */
  async destroyAll(userId: string, options: DestroyAllOptions = {}): Promise<number> {
    const action = "destroy sessions";
    assertOptions(options, DESTROY_ALL, action);
    assertUser(userId, action);
    const { except, signal } = options;
    const count = await this.#store.revokeUser(userId, this.#handleOf(except, action), { signal });
    this.#on({ type: "session.revoke", by: "user", what: userId, count });
    return count;
  }

  /**
   * Ends all sessions with a tag. What holds for {@linkcode Sessions.destroyAll} holds for it; on a cluster it reaches each slot in turn, and
   * can be repeated when one did not answer.
   *
   * @param tag The tag.
   * @param options A signal.
   * @returns How many ended.
   * @throws {UnavailableError} If the store does not answer.
   */
  async destroyByTag(tag: string, options: SessionOperationOptions = {}): Promise<number> {
    assertOptions(options, OPERATION, "destroy sessions by tag");
    assertTag(tag, "destroy sessions by tag");
    const count = await this.#store.revokeTag(tag, { signal: options.signal });
    this.#on({ type: "session.revoke", by: "tag", what: tag, count });
    return count;
  }

  /**
   * These sessions with typed data. With a schema the data are checked: `create()`, `update()` and `regenerate()` throw for data that do
   * not fit before they change anything (which takes the latter two a look at the session first), and what is read and does not fit is
   * no session. What the schema makes of the data is what you get; what is stored is what you gave, so a schema that transforms
   * must take what it makes.
   *
   * @typeParam Typed The fields of the data.
   * @param options The schema.
   * @returns Sessions on the same store.
   */
  typed<Typed extends object>(options: TypedSessionsOptions<Typed> = {}): Sessions<Typed> {
    assertOptions(options, TYPED, "type sessions");
    if (!options.schema) return this as unknown as Sessions<Typed>;
    return new Sessions<Typed>(this.#store, { ...this.#options, schema: undefined }, this.#told, options);
  }

  /**
   * Makes a handler of requests that is given the session of each. It is read when it is first asked for; a visitor without data has
   * none. The cookie is sent when the session is new, when its expiry moved or its id changed, and is removed by the request that ends it.
   * A response to which the session was looked at says so: `Vary: Cookie`, `Cache-Control` with `private` when there was one.
   *
   * A `Response` that the handler throws is the response. After anything else that it throws, a new id is not lost: the
   * response, of `onError` or else a 500, carries the cookie. Where there is no cookie to send and no `onError`, the error is passed on.
   *
   * @param handler Your handler.
   * @param options Who tells the address of the client, whether reading counts as use, what answers an error.
   * @returns A handler for `Deno.serve()`, Hono, and whatever speaks `Request` and `Response`.
   *
   * @example A page that counts visits
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect<{ session: { visits?: number } }>({ url: "memory:" });
   * const handler = redis.sessions.withSession(async (_request, session) => {
   *   const visits = ((await session.get())?.data.visits ?? 0) + 1;
   *   await session.update({ visits });
   *   return new Response(`Visit ${visits}`);
   * });
   *
   * const first = await handler(new Request("https://localhost/"));
   * const [cookie] = first.headers.get("set-cookie")!.split(";");
   * const second = await handler(new Request("https://localhost/", { headers: { cookie: cookie! } }));
   * assert.equal(await second.text(), "Visit 2");
   * assert.equal(second.headers.get("set-cookie"), null);
   * ```
   */
  withSession<Info = unknown>(
    handler: SessionHandler<Data, Info>,
    options: WithSessionOptions<Info> = {},
  ): WithSessionHandler<Info> {
    assertOptions(options, WITH_SESSION, "make a handler with sessions");
    return withSession((request, info) => this.#forRequest(request, info, options), handler, options);
  }

  /**
   * The session of one request, for frameworks that there is no middleware for. Before the response goes, await its `settle()`, and use
   * its `apply()` or, where there is no `Response`, its `headers()`.
   *
   * @param request The request, or one with its headers.
   * @param info What the server says of the connection, as `Deno.serve()` does.
   * @param options Who tells the address of the client, whether reading counts as use.
   * @returns The session of the request; it is read when it is first asked for.
   *
   * @example In a framework of one's own
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   *
   * async function login(request: Request): Promise<Response> {
   *   const session = redis.sessions.forRequest(request);
   *   await session.regenerate({ userId: "ada" });
   *   await session.settle();
   *   return session.apply(new Response("Hello, ada"));
   * }
   *
   * const response = await login(new Request("https://localhost/login", { method: "POST" }));
   * assert.match(response.headers.get("set-cookie")!, /^__Host-session=/);
   * ```
   */
  forRequest<Info = unknown>(
    request: Request,
    info?: Info,
    options: RequestSessionOptions<Info> = {},
  ): RequestSession<Data> {
    assertOptions(options, REQUEST, "open the session of a request");
    return this.#forRequest(request, info as Info, options);
  }

  #forRequest<Info>(request: Request, info: Info, options: RequestSessionOptions<Info>): RequestSession<Data> {
    const { address = remoteAddress, roll } = options;
    return new RequestSession(this, request, {
      access: this.#access,
      warn: (message) => warn(this.#told, message),
      address: unawaited(address(request, info)),
      roll: typeof roll === "function" ? roll(request) : roll,
    });
  }

  /** How requests read and change sessions. */
  readonly #access: SessionAccess<Data> = {
    read: async (id, options = {}) => {
      let missing: FoundSession<Data>["missing"] = "unknown";
      const session = await this.#get(id, options, () => missing = "outage");
      return session ? { session } : { missing };
    },
    create: async (userId, data, options, replaced) => {
      const session = await this.create(userId, data, options);
      await this.destroy(replaced, { signal: options.signal });
      return session;
    },
    update: async (id, change, options) => ({ session: await this.update(id, change, options) }),
    pop: async (id, field, options) => {
      let value: unknown;
      const session = await this.update(id, (data) => {
        value = (data as SessionData)[field];
        return { [field]: undefined } as SessionPatchOf<Data>;
      }, options);
      return { session, value };
    },
    regenerate: async (id, options) => ({ session: await this.regenerate(id, options) }),
    destroy: (id, options) => this.destroy(id, options),
  };

  /** What was done in this process so far. */
  stats(): SessionStats {
    return { ...statsOf(this.#store) };
  }

  /** Closes the store. What `connect()` made is closed with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  #isToken(id: unknown, action: string): id is string {
    if (typeof id === "string") return this.#format.isToken(id);
    if (id === undefined) return false;
    throw new TypeError(`Cannot ${action}: wanted the id of a session, got ${describeKind(id)}`);
  }

  #handleOf(session: unknown, action: string): string | undefined {
    if (typeof session === "object" && session !== null && "handle" in session) {
      const { handle } = session;
      if (typeof handle === "string") return this.#format.isHandle(handle) ? handle : undefined;
      throw new TypeError(`Cannot ${action}: wanted a string as the handle, got ${describeKind(handle)}`);
    }
    return this.#isToken(session, action) ? this.#format.handleOf(session) : undefined;
  }

  #tolerate(error: unknown, signal: AbortSignal | undefined): void {
    const outage = !signal?.aborted && error instanceof UnavailableError && error.reason !== "closed";
    if (!outage || this.#options.onUnavailable !== "none") throw error;
    this.#on({ type: "session.error", operation: error.operation, error });
  }

  #placed({ session, evicted }: PlacedSession): void {
    if (evicted > 0) this.#on({ type: "session.evict", userId: session.userId, count: evicted });
  }
}

function assertUser(userId: unknown, action: string): asserts userId is string {
  if (typeof userId !== "string") {
    throw new TypeError(`Cannot ${action}: wanted a string as the user id, got ${describe(userId)}`);
  }
  assertKey(userId, undefined, action);
}

function warn(on: EventListener | undefined, message: string): void {
  if (on) safeListener(on)!({ type: "warning", message });
  // deno-lint-ignore no-console -- nobody else listens
  else console.warn(`Larder: ${message}.`);
}
