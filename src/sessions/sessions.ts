import { unawaited } from "../util/callbacks.ts";
import { describe, describeKind } from "../util/describe.ts";
import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { remoteAddress } from "../web/connection.ts";
import { assertTag, assertTags, assertUserId } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { SessionCookie } from "./cookie.ts";
import { encodePatch } from "./fields.ts";
import {
  CREATE,
  DESTROY_ALL,
  GET,
  LIST,
  OPERATION,
  REGENERATE,
  SESSIONS,
  TYPED,
  UPDATE,
  UPDATE_ALL,
} from "./option_names.ts";
import { Operations } from "./operations.ts";
import type {
  CreateSessionOptions,
  DestroyAllOptions,
  GetSessionOptions,
  ListSessionsOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  SessionsOptions,
  SessionToDestroy,
  TypedSessionsOptions,
  UpdateAllOptions,
  UpdateSessionOptions,
} from "./options.ts";
import { infoOf, Reading } from "./reading.ts";
import { RequestSession } from "./request_session.ts";
import { limitsOf } from "./resolve_options.ts";
import type { Session, SessionData, SessionInfo, SessionPatchOf } from "./session.ts";
import type { RequestMeans } from "./session_access.ts";
import { warn } from "./warn.ts";
import { counting, type SessionStats, statsOf } from "./stats.ts";
import type { SessionStore } from "./store.ts";
import { TokenFormat } from "./token.ts";
import {
  type OpenedSession,
  REQUEST,
  type RequestSessionOptions,
  rollOf,
  type SessionHandler,
  WITH_SESSION,
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
  readonly #maxBytes: number;
  readonly #on: EventListener;
  readonly #told: EventListener | undefined;
  readonly #format: TokenFormat;
  readonly #reading: Reading<Data>;
  readonly #operations: Operations<Data>;

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
    const limits = limitsOf(options);
    this.#maxBytes = limits.maxBytes;
    const format = new TokenFormat(store.buckets);
    this.#format = format;
    this.#reading = new Reading(typed.schema ?? options.schema, this.#on);
    const tolerant = options.onUnavailable === "none";
    this.#operations = new Operations({ store, format, limits, reading: this.#reading, on: this.#on, tolerant });
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
    assertOptions(options, CREATE, "create session");
    return await this.#operations.create(userId, data, options);
  }

  /**
   * Reads a session, and rolls its expiry if that was not done within `touchEvery`. When `touched` is set, send its cookie again.
   *
   * @param id The token; `undefined`, as `cookie.read()` may give, and whatever is no token, is no session.
   * @param options Whether to roll, a signal.
   * @returns The session, or `undefined` when there is none (any more).
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  async get(id: string | undefined, options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    assertOptions(options, GET, "get session");
    if (!this.#operations.isToken(id, "get session")) return undefined;
    return (await this.#operations.read(id, options, false)).session;
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
    assertOptions(options, UPDATE, "update session");
    return (await this.#operations.update(id, change, options, false)).session;
  }

  /**
   * Changes some fields of all sessions of a user: his name, his rights. Each changes in one step; it counts as no use of them. With a
   * schema each is looked at first, and none changes when one would not fit.
   *
   * @param userId The user.
   * @param patch The fields that change; `undefined` removes one.
   * @param options Their tags from now on, a signal.
   * @returns How many sessions there were.
   * @throws {RangeError} If one would have too much data: that one stays as it is, the others have changed.
   * @throws {TypeError} If the fields cannot be stored, or would not fit the schema.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example Rights that are taken away everywhere
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect<{ session: { admin?: boolean } }>({ url: "memory:" });
   * const { id } = await redis.sessions.create("ada", { admin: true });
   * assert.equal(await redis.sessions.updateAll("ada", { admin: undefined }), 1);
   * assert.deepEqual((await redis.sessions.get(id))?.data, {});
   * ```
   */
  async updateAll(userId: string, patch: SessionPatchOf<Data>, options: UpdateAllOptions = {}): Promise<number> {
    const action = "update sessions";
    assertOptions(options, UPDATE_ALL, action);
    assertUserId(userId, action);
    const { signal } = options;
    const tags = options.tags === undefined ? undefined : assertTags(options.tags, action);
    const change = { ...encodePatch(patch, action), tags, maxBytes: this.#maxBytes };
    if (this.#reading.checks) await this.#operations.checkAll(userId, patch, signal);
    return await this.#store.updateAll(userId, change, { signal });
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
    if (!this.#operations.isToken(id, "touch session")) return false;
    try {
      return await this.#store.touch(this.#format.handleOf(id), { signal: options.signal });
    } catch (error) {
      this.#operations.tolerate(error, options.signal);
      return false;
    }
  }

  /**
   * Ends a session. Nothing brings it back. By the id that it had before `regenerate()` it can be ended for the time of `renewalGrace`.
   *
   * @param session Its token, or an object with its `handle`, as `list()` gives; with a `userId` only if it is that user's, so that a handle
   * that came from a client need not be looked up first.
   * @param options A signal.
   * @returns Whether it was there.
   * @throws {UnavailableError} If the store does not answer.
   */
  async destroy(
    session: string | SessionToDestroy | undefined,
    options: SessionOperationOptions = {},
  ): Promise<boolean> {
    const action = "destroy session";
    assertOptions(options, OPERATION, action);
    const handle = this.#handleOf(session, action);
    const userId = ownerOf(session, action);
    if (handle === undefined) return false;
    return await this.#operations.end(handle, { signal: options.signal, userId }) === true;
  }

  /**
   * Gives a session a new id with the same data, in one step: the old id is dead when the new one lives. Do it whenever somebody gains
   * rights, so that an id that was planted before is worth nothing. Its absolute end stays. Only requests that were under way with the old
   * id still reach it, for the time of `renewalGrace`: see `withSession()`.
   *
   * @param id The token.
   * @param options Who has just logged in, fields to change, times and tags from now on, a signal.
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
    assertOptions(options, REGENERATE, "regenerate session");
    return (await this.#operations.regenerate(id, options, false)).session;
  }

  /**
   * The sessions of a user, the newest first: for a page on which they can be ended one by one.
   *
   * @param userId The user.
   * @param options How many, after which, a signal.
   * @returns What may be shown of them: no tokens, no data.
   * @throws {TypeError | RangeError} If an option cannot be used.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example Page by page
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * for (let i = 0; i < 3; i++) await redis.sessions.create("ada", {});
   * const page = await redis.sessions.list("ada", { limit: 2 });
   * const next = await redis.sessions.list("ada", { limit: 2, cursor: page.at(-1)?.handle });
   * assert.deepEqual([page.length, next.length], [2, 1]);
   * ```
   */
  async list(userId: string, options: ListSessionsOptions = {}): Promise<SessionInfo[]> {
    const action = "list sessions";
    assertOptions(options, LIST, action);
    assertUserId(userId, action);
    const { limit, cursor, signal } = options;
    if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
      throw new RangeError(`Cannot ${action}: wanted a whole number of at least 1 as "limit", got ${describe(limit)}`);
    }
    const after = this.#cursorOf(cursor, action);
    return (await this.#store.list(userId, { signal, limit, after })).map(infoOf);
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
    assertUserId(userId, action);
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
    return withSession(this, (request, info) => this.#open(request, info, options), handler, options);
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
    const action = "open the session of a request";
    if (!(request?.headers instanceof Headers)) {
      throw new TypeError(`Cannot ${action}: wanted a Request, got ${describe(request)}`);
    }
    assertOptions(options, REQUEST, action);
    return this.#open(request, info as Info, options).session;
  }

  #open<Info>(request: Request, info: Info, options: RequestSessionOptions<Info>): OpenedSession<Data> {
    const { address = remoteAddress, roll } = options;
    const means: RequestMeans<Data> = {
      access: this.#operations.access,
      warn: (message) => warn(this.#told, message),
      address: unawaited(address(request, info)),
      roll: rollOf(roll, request),
    };
    return { session: new RequestSession(this, request, means), means };
  }

  /** What was done in this process so far. */
  stats(): SessionStats {
    return { ...statsOf(this.#store) };
  }

  /**
   * Closes the store. What `connect()` made is closed with it.
   *
   * @param by What closes it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await this.#store[Symbol.asyncDispose](by);
  }

  #handleOf(session: unknown, action: string): string | undefined {
    if (typeof session === "object" && session !== null && "handle" in session) {
      const { handle } = session;
      if (typeof handle === "string") return this.#format.isHandle(handle) ? handle : undefined;
      throw new TypeError(`Cannot ${action}: wanted a string as the handle, got ${describeKind(handle)}`);
    }
    return this.#operations.isToken(session, action) ? this.#format.handleOf(session) : undefined;
  }

  #cursorOf(cursor: unknown, action: string): { handle: string; createdAt: number } | undefined {
    if (cursor === undefined) return undefined;
    const session = typeof cursor === "string" ? { handle: cursor, createdAt: 0 } : cursor;
    const { handle, createdAt } = (session ?? {}) as { handle?: unknown; createdAt?: unknown };
    if (this.#format.isHandle(handle) && Number.isSafeInteger(createdAt)) {
      return { handle, createdAt: createdAt as number };
    }
    throw new TypeError(
      `Cannot ${action}: wanted a session of the list before, or its handle, as "cursor", got ${describeKind(cursor)}`,
    );
  }
}

/** The user that a session must have to be ended, where one is named. */
function ownerOf(session: unknown, action: string): string | undefined {
  if (typeof session !== "object" || session === null || !("userId" in session)) return undefined;
  const { userId } = session;
  if (typeof userId === "string") return userId;
  if (userId === null) return "";
  throw new TypeError(`Cannot ${action}: wanted a string as the user id, got ${describe(userId)}`);
}
