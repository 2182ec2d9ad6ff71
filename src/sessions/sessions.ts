import type { ClosedBy } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { assertOptions } from "../util/option_names.ts";
import { SessionCookie } from "./cookie.ts";
import type { Operations } from "./operations.ts";
import { CREATE, END, GET, OPERATION, REGENERATE, TYPED, UPDATE } from "./option_names.ts";
import type { Durability } from "../redis/durability.ts";
import type {
  CreateSessionOptions,
  EndSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  SessionsEnded,
  SessionsOptions,
  SessionToDestroy,
  TypedSessionsOptions,
  UpdateSessionOptions,
} from "./options.ts";
import { RequestSessions } from "./request_sessions.ts";
import type { Session, SessionData, SessionPatchOf } from "./session.ts";
import { handleIn, isToken, ownerIn } from "./session_arguments.ts";
import { openSessionsCore, type SessionsCore } from "./sessions_core.ts";
import { type SessionStats, statsOf } from "./stats.ts";
import type { SessionStore } from "./store.ts";
import { assertStore } from "../util/assert_store.ts";

/**
 * Sessions: rolling, revocable, and never back once they are gone.
 *
 * The token of a session is 256 random bits. Only its SHA-256 is stored, so that nobody can log in with what is in
 * Redis. Each operation is one atomic step and one round trip.
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
export class Sessions<Data extends object = SessionData> extends RequestSessions<Data> implements AsyncDisposable {
  readonly #core: SessionsCore<Data>;
  readonly #operations: Operations<Data>;
  readonly #options: Omit<SessionsOptions<object>, "touchEvery">;

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
    assertStore(store, "create", "open sessions", "new MemorySessionStore()");
    const core = openSessionsCore(store, options, on, typed);
    const cookie = new SessionCookie(
      options.cookie ?? {},
      options.secrets ?? [],
      (value): value is string => core.format.isToken(value),
    );
    super(core, cookie);
    this.#core = core;
    this.#operations = core.operations;
    this.#options = options;
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
   * Reads a session, and rolls its expiry if that was not done within `touchEvery`. When `touched` is set, send its
   * cookie again.
   *
   * @param id The token; `undefined`, as `cookie.read()` may give, and whatever is no token, is no session.
   * @param options Whether to roll, a signal.
   * @returns The session, or `undefined` when there is none (any more).
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  async get(id: string | undefined, options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    assertOptions(options, GET, "get session");
    if (!isToken(id, this.#core.format, "get session")) return undefined;
    return (await this.#operations.read(id, options, false)).session;
  }

  /**
   * Changes some fields of the data and leaves the others alone, so that changes of different fields at a time all
   * survive. It counts as use.
   *
   * @param id The token.
   * @param change The fields that change, where `undefined` removes one; or a function that is given the data and
   * returns them. It is called again when somebody else changed the session meanwhile, so it should do nothing else.
   * The signal ends the wait for it too.
   * @param options The version that the session must have, a signal.
   * @returns The session as it is then, or `undefined` when there is none (any more).
   * @throws {SessionConflictError} If the session has another version than `ifVersion`, or was changed each of 100
   * times.
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
   * Rolls the expiry of a session without reading it, as `get()` does: at most every `touchEvery`.
   *
   * @param id The token.
   * @param options A signal.
   * @returns Whether the session is there.
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  async touch(id: string | undefined, options: SessionOperationOptions = {}): Promise<boolean> {
    assertOptions(options, OPERATION, "touch session");
    if (!isToken(id, this.#core.format, "touch session")) return false;
    try {
      return await this.#core.store.touch(this.#core.format.handleOf(id), { signal: options.signal });
    } catch (error) {
      this.#operations.tolerate(error, options.signal);
      return false;
    }
  }

  /**
   * Ends a session. Nothing brings it back. By the id that it had before `regenerate()` it can be ended for the time of
   * `renewalGrace`.
   *
   * @param session Its token, or an object with its `handle`, as `list()` gives; with a `userId` only if it is that
   * user's, so that a handle that came from a client need not be looked up first.
   * @param options A signal.
   * @returns Whether it was there.
   * @throws {UnavailableError} If the store does not answer.
   */
  destroy(session: string | SessionToDestroy | undefined, options?: SessionOperationOptions): Promise<boolean>;
  /**
   * Ends a session, and waits for replicas.
   *
   * @param session As above.
   * @param options On how many replicas it has to be, a signal.
   * @returns Whether it was there, and whether replicas know that it ended.
   * @throws {UnavailableError} If the store does not answer.
   */
  destroy(
    session: string | SessionToDestroy | undefined,
    options: EndSessionOptions & { readonly durability: Durability },
  ): Promise<SessionsEnded<boolean>>;
  async destroy(
    session: string | SessionToDestroy | undefined,
    options: EndSessionOptions = {},
  ): Promise<boolean | SessionsEnded<boolean>> {
    const action = "destroy session";
    assertOptions(options, END, action);
    const { durability, signal } = options;
    const handle = handleIn(session, this.#core.format, action);
    const userId = ownerIn(session, action);
    if (handle === undefined) {
      this.#core.replicas.begin(durability, action); // refuses what makes no sense
      return durability === undefined ? false : { destroyed: false, replicated: false };
    }
    const { destroyed, replicated } = await this.#operations.destroy(handle, { signal, userId }, durability);
    return durability === undefined ? destroyed === true : { destroyed: destroyed === true, replicated };
  }

  /**
   * Gives a session a new id with the same data, in one step: the old id is dead when the new one lives. Do it whenever
   * somebody gains rights, so that an id that was planted before is worth nothing. Its absolute end stays. Only
   * requests that were under way with the old id still reach it, for the time of `renewalGrace`: see `withSession()`.
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
   * These sessions with typed data. With a schema the data are checked: `create()`, `update()` and `regenerate()` throw
   * for data that do not fit before they change anything (which takes the latter two a look at the session first), and
   * what is read and does not fit is no session. What the schema makes of the data is what you get; what is stored is
   * what you gave, so a schema that transforms must take what it makes.
   *
   * @typeParam Typed The fields of the data.
   * @param options The schema.
   * @returns Sessions on the same store.
   */
  typed<Typed extends object>(options: TypedSessionsOptions<Typed> = {}): Sessions<Typed> {
    assertOptions(options, TYPED, "type sessions");
    if (!options.schema) return this as unknown as Sessions<Typed>;
    return new Sessions<Typed>(this.#core.store, { ...this.#options, schema: undefined }, this.#core.listener, options);
  }

  /** What was done in this process so far. */
  stats(): SessionStats {
    return { ...statsOf(this.#core.store) };
  }

  /**
   * Closes the store. What `connect()` made is closed with it.
   *
   * @param by What closes it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await this.#core.store[Symbol.asyncDispose](by);
  }
}
