import type { Change } from "./changes.ts";
import { withHeaders } from "../http/own_response.ts";
import { assertOptions, type OptionNames } from "../option_names.ts";
import { encodeFields } from "./fields.ts";
import { CREATE, OPERATION, REGENERATE, UPDATE } from "./option_names.ts";
import type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  UpdateSessionOptions,
} from "./options.ts";
import type { Session, SessionData, SessionPatchOf } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { Turns } from "./turns.ts";

/**
 * Reads the session with a token, and tells when it could not be known whether there is one.
 *
 * @typeParam Data The fields of the data.
 */
export type SessionReader<Data extends object = SessionData> = (
  id: string | undefined,
  onOutage: () => void,
) => Promise<Session<Data> | undefined>;

/**
 * The session of one request, as `withSession()` gives it to a handler. It is read when it is first asked for, and its cookie is taken
 * care of. What changes it is done in the order in which it was called.
 *
 * @typeParam Data The fields of the data.
 */
export class RequestSession<Data extends object = SessionData> {
  readonly #sessions: Sessions<Data>;
  readonly #request: Request;
  readonly #read: SessionReader<Data>;
  readonly #address: string | undefined;
  readonly #id: string | undefined;
  readonly #turns = new Turns();
  #reading: Promise<Session<Data> | undefined> | undefined;
  #current: Session<Data> | undefined;
  /** Whether it was begun, changed or ended here. */
  #changed = false;
  /** Whether it is not known if there is a session. */
  #outage = false;
  /** What the response has to say about the cookie. */
  #cookie: "write" | "clear" | undefined;

  /**
   * Looks for the cookie of a request; nothing is read yet.
   *
   * @param sessions The sessions.
   * @param request The request.
   * @param read Reads one of them.
   * @param address The address of the client, for a session that is begun.
   */
  constructor(sessions: Sessions<Data>, request: Request, read: SessionReader<Data>, address?: string) {
    this.#sessions = sessions;
    this.#read = read;
    this.#request = request;
    this.#address = address;
    this.#id = sessions.cookie.read(request);
  }

  /**
   * The session, or `undefined` when there is none. Asked again, it is what it was or what was made of it here.
   *
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  get(): Promise<Session<Data> | undefined> {
    return this.#reading ??= this.#load();
  }

  /**
   * Begins a session: a login. The one that there was ends, so that nobody can plant one. To keep its data, see
   * {@linkcode RequestSession.regenerate}.
   *
   * @param userId Whose it is; `null` for a visitor.
   * @param data Its data.
   * @param options As of `sessions.create()`; the request and the address at the other end of the connection are known.
   * @returns The session.
   */
  create(userId: string | null, data: Data, options: CreateSessionOptions = {}): Promise<Session<Data>> {
    return this.#inTurn(() => this.#create(userId, data, options), options, CREATE, "create session");
  }

  async #create(userId: string | null, data: Data, options: CreateSessionOptions): Promise<Session<Data>> {
    const { signal } = options;
    const id = this.#current?.id ?? this.#id;
    const session = await this.#sessions.create(userId, data, {
      request: this.#request,
      ...(this.#address !== undefined && { address: this.#address }),
      ...options,
    });
    this.#become(session);
    await this.#sessions.destroy(id, { signal });
    return session;
  }

  /**
   * Changes fields of the session; where there is none, one of a visitor is begun with them.
   *
   * @param change As of `sessions.update()`.
   * @param options As of `sessions.update()`.
   * @returns The session as it is then, or `undefined` if it was ended since it was read: then it is not begun again. A visitor of whom
   * there is nothing to keep has none.
   */
  update(
    change: SessionPatchOf<Data> | ((data: Data) => SessionPatchOf<Data> | Promise<SessionPatchOf<Data>>),
    options: UpdateSessionOptions = {},
  ): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#update(change, options), options, UPDATE, "update session");
  }

  async #update(
    change: Change<Data>,
    options: UpdateSessionOptions,
  ): Promise<Session<Data> | undefined> {
    const id = await this.#idOfCurrent();
    if (id !== undefined) {
      const updated = await this.#sessions.update(id, change, options);
      this.#become(updated, updated?.touched === true);
      return updated;
    }
    const patch = typeof change === "function" ? await change({} as Data) : change;
    if (encodeFields(patch, "update session").size === 0) return undefined;
    return await this.#create(null, patch as Data, { signal: options.signal });
  }

  /**
   * Gives the session a new id, and the user who has just logged in if one is named. Where there is
   * none, one is begun for that user.
   *
   * @param options As of `sessions.regenerate()`.
   * @returns The session, or `undefined` when there is none and no user is named.
   */
  regenerate(options: RegenerateSessionOptions<Data> = {}): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#regenerate(options), options, REGENERATE, "regenerate session");
  }

  async #regenerate(options: RegenerateSessionOptions<Data>): Promise<Session<Data> | undefined> {
    const id = await this.#idOfCurrent();
    if (id !== undefined) {
      const renewed = await this.#sessions.regenerate(id, options);
      this.#become(renewed);
      return renewed;
    }
    const { userId, data = {}, signal } = options;
    return userId === undefined ? undefined : await this.#create(userId, data as Data, { signal });
  }

  /**
   * Ends the session: a logout.
   *
   * @param options A signal.
   * @returns Whether there was one.
   */
  destroy(options: SessionOperationOptions = {}): Promise<boolean> {
    return this.#inTurn(() => this.#destroy(options), options, OPERATION, "destroy session");
  }

  async #destroy(options: SessionOperationOptions): Promise<boolean> {
    const id = this.#current?.id ?? this.#id;
    const destroyed = await this.#sessions.destroy(id, options);
    this.#become(undefined);
    return destroyed;
  }

  /**
   * The response with the cookie that the session needs, if it needs one; `withSession()` does it.
   *
   * @param response The response.
   * @returns A response of its own with it; the one that was given stays as it is. A 101 is handed on.
   */
  apply(response: Response): Response {
    if (this.#cookie === undefined) return response;
    if (this.#cookie === "clear" && !this.#sessions.cookie.isSent(this.#request)) return response;
    return withHeaders(response, (headers) => this.#write(headers));
  }

  async #inTurn<T>(
    run: () => Promise<T>,
    options: SessionOperationOptions,
    names: OptionNames,
    action: string,
  ): Promise<T> {
    assertOptions(options, names, action);
    return await this.#turns.take("", run, options.signal);
  }

  #write(headers: Headers): void {
    if (this.#cookie === "write" && this.#current) this.#sessions.cookie.write(headers, this.#current);
    else this.#sessions.cookie.clear(headers);
  }

  async #load(): Promise<Session<Data> | undefined> {
    const sent = this.#sessions.cookie.isSent(this.#request);
    if (!sent) return undefined;
    let outage = false;
    const session = await this.#read(this.#id, () => outage = true);
    if (this.#changed) return session; // meanwhile: what is known since then is what counts
    this.#outage = outage;
    this.#current = session;
    if (session?.touched) this.#cookie = "write";
    // What is dead or garbage need not come again. An outage says nothing about the session.
    else if (!session && !this.#outage) this.#cookie = "clear";
    return session;
  }

  /** The id of the session that a change is of. Where an outage hid it, there may be one: none is begun in its place. */
  async #idOfCurrent(): Promise<string | undefined> {
    return (await this.get())?.id ?? (this.#outage ? this.#id : undefined);
  }

  #become(session: Session<Data> | undefined, moved: boolean = true): void {
    this.#changed = true;
    this.#current = session;
    this.#reading = Promise.resolve(session);
    this.#outage = false;
    if (!session) this.#cookie = "clear";
    else if (moved) this.#cookie = "write";
  }
}
