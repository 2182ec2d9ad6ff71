import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import { headersFrom, type NodeHeadersLike } from "../web/given_headers.ts";
import { withHeaders } from "../web/own_response.ts";
import { assertOptions, type OptionNames } from "../util/option_names.ts";
import type { Change } from "./changes.ts";
import type { SessionCookie } from "./cookie.ts";
import { mayLackCookie } from "./cross_site.ts";
import { encodeFields, withoutUndefined } from "./fields.ts";
import { endsWithin, Line } from "./line.ts";
import { CREATE, GET, OPERATION, REGENERATE, UPDATE } from "./option_names.ts";
import type {
  CreateSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  UpdateSessionOptions,
} from "./options.ts";
import type { Session, SessionData, SessionPatchOf } from "./session.ts";
import type { FoundSession, RequestMeans } from "./session_access.ts";
import { type CookieChange, SessionAnswer } from "./session_answer.ts";

/** How long a response waits for what was not awaited, in milliseconds. */
const PATIENCE = 2000;

/**
 * The session of one request, as `withSession()` gives it to a handler. It is read when it is first asked for, and its cookie is taken
 * care of. What changes it is done in the order in which it was called, however long each takes.
 *
 * @typeParam Data The fields of the data.
 */
export class RequestSession<Data extends object = SessionData> {
  readonly #cookie: SessionCookie;
  readonly #request: Request;
  readonly #means: RequestMeans<Data>;
  /** The tokens that came and were not ended here: of several, the first that is of a session counts. */
  #ids: readonly string[];
  readonly #answer: SessionAnswer;
  readonly #line: Line;
  #reading: Promise<Session<Data> | undefined> | undefined;
  /** Whether it was read without rolling its expiry. */
  #peeked = false;
  #current: Session<Data> | undefined;
  /** The tokens that came and are of the session that was read. */
  #same: ReadonlySet<string> = new Set();
  /** Why there is none, as far as that is known. */
  #missing: FoundSession<Data>["missing"];
  /** Whether it was begun, changed or ended here. */
  #changed = false;

  /**
   * Looks for the cookies of a request; nothing is read yet. `forRequest()` and `withSession()` create it.
   *
   * @param sessions The sessions, for their cookie.
   * @param request The request.
   * @param means What it needs of them.
   */
  constructor(sessions: { readonly cookie: SessionCookie }, request: Request, means: RequestMeans<Data>) {
    this.#cookie = sessions.cookie;
    this.#request = request;
    this.#means = means;
    this.#ids = sessions.cookie.readAll(request);
    this.#answer = new SessionAnswer(request, sessions.cookie);
    this.#line = new Line(request);
  }

  /**
   * The session, or `undefined` when there is none. Asked again, it is what it was or what was made of it here.
   *
   * @param options Whether it counts as use: for what a page asks by itself, `roll: false` lets a session end that nobody uses. A signal.
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  get(options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    return tolerated(this.#get(options));
  }

  async #get(options: GetSessionOptions): Promise<Session<Data> | undefined> {
    assertOptions(options, GET, "get session");
    this.#answer.note("asked");
    const { roll = this.#means.roll ?? true } = options;
    if (!this.#reading || roll && this.#peeked && !this.#changed) {
      this.#peeked = !roll;
      this.#reading = tolerated(this.#load(roll));
    }
    return await abortable(this.#reading, options.signal);
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

  async #create(
    userId: string | null,
    data: Data,
    options: CreateSessionOptions,
    since: number = performance.now(),
  ): Promise<Session<Data>> {
    if (this.#cookie.isShared || this.#ids.length > 1) await this.get({ roll: false });
    const replaced = this.#current?.id ?? this.#answer.mine(this.#ids)[0];
    // What cannot be read here may be of use to another version of the service.
    const left = this.#missing === "unreadable";
    const session = await this.#means.access.create(
      userId,
      data,
      this.#withPlace(options),
      left ? undefined : replaced,
      since,
    );
    const ids = left ? [] : this.#ids;
    this.#ids = [];
    this.#become(session, mayLackCookie(this.#request, this.#cookie) && userId === null ? undefined : "write");
    await this.#endOthers(ids, replaced, options);
    return session;
  }

  /**
   * Changes fields of the session; where there is none, one of a visitor is begun with them. A request that another site caused, and to which
   * browsers add no cookie because of that, begins none: it would come in the place of a login.
   *
   * @param change As of `sessions.update()`.
   * @param options As of `sessions.update()`.
   * @returns The session as it is then, or `undefined` if it was ended since it was read, or cannot be read: then it is not begun again. A
   * visitor of whom there is nothing to keep has none.
   */
  update(
    change: SessionPatchOf<Data> | ((data: Data) => SessionPatchOf<Data> | Promise<SessionPatchOf<Data>>),
    options: UpdateSessionOptions = {},
  ): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#update(change, options), options, UPDATE, "update session");
  }

  async #update(change: Change<Data>, options: UpdateSessionOptions): Promise<Session<Data> | undefined> {
    const ids = await this.#idsOfCurrent();
    for (const id of ids) {
      const found = await this.#means.access.update(id, change, options);
      if (!found.session && id !== ids.at(-1)) continue;
      this.#changedTo(found);
      return found.session;
    }
    if (this.#missing === "ended" || this.#missing === "unreadable") return undefined;
    if (mayLackCookie(this.#request, this.#cookie)) return undefined;
    const patch = typeof change === "function" ? await change({} as Data) : change;
    if (encodeFields(patch, "update session").size === 0) return undefined;
    if (this.#current) return await this.#update(patch, options); // the function began one
    const { signal, tags } = options;
    return await this.#create(null, withoutUndefined(patch) as Data, { signal, tags });
  }

  /**
   * Takes a field out of the data, such as a message that is shown once. Of several requests at a time one gets it.
   *
   * @param field The name of the field.
   * @param options A signal.
   * @returns What it was; `undefined` where there is none, or no session.
   * @throws {UnavailableError} If the store does not answer.
   */
  pop<Field extends keyof Data & string>(
    field: Field,
    options: SessionOperationOptions = {},
  ): Promise<Data[Field] | undefined> {
    return this.#inTurn(() => this.#pop(field, options), options, OPERATION, "update session");
  }

  async #pop<Field extends keyof Data & string>(
    field: Field,
    options: SessionOperationOptions,
  ): Promise<Data[Field] | undefined> {
    const ids = await this.#idsOfCurrent();
    for (const id of ids) {
      const found = await this.#means.access.pop(id, field, options);
      if (!found.session && id !== ids.at(-1)) continue;
      this.#changedTo(found);
      return found.value as Data[Field] | undefined;
    }
    return undefined;
  }

  /**
   * Gives the session a new id and a user, who has just logged in: there always is one afterwards.
   *
   * @param options As of `sessions.regenerate()`.
   * @returns The session.
   */
  regenerate(options: RegenerateSessionOptions<Data> & { readonly userId: string }): Promise<Session<Data>>;
  /**
   * Gives the session a new id, and the user who has just logged in if one is named: then there always is one afterwards.
   *
   * @param options As of `sessions.regenerate()`.
   * @returns The session, or `undefined` when there is none and no user is named.
   */
  regenerate(options?: RegenerateSessionOptions<Data>): Promise<Session<Data> | undefined>;
  regenerate(options: RegenerateSessionOptions<Data> = {}): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#regenerate(options), options, REGENERATE, "regenerate session");
  }

  async #regenerate(options: RegenerateSessionOptions<Data>): Promise<Session<Data> | undefined> {
    const since = performance.now();
    const { userId, data = {}, ...begun } = options;
    const renewal = userId === undefined ? options : this.#withPlace(options);
    let ids = await this.#idsOfCurrent();
    // A login that was sent twice finds what came of the first.
    if (userId !== undefined && this.#missing === "ended") ids = this.#ids;
    for (const id of ids) {
      const { session } = await this.#means.access.regenerate(id, renewal);
      if (!session && (userId !== undefined || id !== ids.at(-1))) continue;
      this.#become(session, session && (userId === undefined ? "renew" : "write"), session ? undefined : "ended");
      if (userId !== undefined) await this.#endOthers(this.#ids, id, options);
      return session;
    }
    if (userId === undefined) return undefined;
    return await this.#create(userId, withoutUndefined(data) as Data, begun, since);
  }

  /**
   * Ends the session: a logout. Its cookie is removed if there was one.
   *
   * @param options A signal.
   * @returns Whether there was one.
   */
  destroy(options: SessionOperationOptions = {}): Promise<boolean> {
    return this.#inTurn(() => this.#destroy(options), options, OPERATION, "destroy session");
  }

  async #destroy(options: SessionOperationOptions): Promise<boolean> {
    const ids = new Set([...this.#current ? [this.#current.id] : [], ...this.#ids]);
    const ended = await Promise.all([...ids].map(async (id) => {
      const was = await this.#means.access.destroy(id, options);
      if (was) this.#answer.own.add(id);
      return was;
    }));
    this.#ids = [];
    const destroyed = ended.includes(true);
    // Another request may have ended or replaced it, and given the browser another cookie.
    this.#become(undefined, destroyed ? "clear" : undefined);
    return destroyed;
  }

  /**
   * Waits for what was called and not awaited, for 2 seconds at most, before the response goes: `withSession()` does it.
   *
   * @returns Nothing; what has not ended by then is told as a `warning`.
   */
  async settle(): Promise<void> {
    const { access, warn } = this.#means;
    const settled = await this.#line.endsWithin(PATIENCE) &&
      (!this.#reading || await endsWithin(this.#reading, PATIENCE));
    if (!settled) warn("A response goes without a change of the session that was not awaited: it has not ended yet");
    const { change } = this.#answer;
    if (change !== "roll" && change !== "renew" || !this.#current) return;
    // Meanwhile another request may have renewed or ended it: then the cookie of that one must stay.
    const { session, renewed, missing } = await access.read(this.#current.id, { roll: false }).catch(
      (): FoundSession<Data> => ({ missing: "outage" }),
    );
    const unsure = change === "renew" && (missing === "outage" || missing === "unreadable"); // nobody else has that id
    if (!unsure && (!session || renewed)) this.#answer.change = undefined;
  }

  /**
   * The response with what the session has to say: the cookie if it needs one, and that the response is for this visitor. Await
   * {@linkcode RequestSession.settle} before; `withSession()` does both.
   *
   * @param response The response.
   * @returns A response of its own with it; the one that was given stays as it is. A 101 is handed on.
   */
  apply(response: Response): Response {
    if (!this.#answer.asked) return response;
    if (typeof response?.headers !== "object") {
      throw new TypeError(`Cannot answer the request: wanted a Response, got ${describe(response)}`);
    }
    return withHeaders(response, (headers) => this.#answer.write(headers, this.#current));
  }

  /**
   * The headers of a response with what the session has to say, for frameworks without `Response`: `Vary: Cookie` when it was asked for,
   * `Cache-Control` with `private` when there was one, `no-store` and `Set-Cookie` when there is something to set. Await
   * {@linkcode RequestSession.settle} before.
   *
   * @param given The headers that the response has already, which are left as they are: those of `res.getHeaders()` of `node:http` too.
   * @returns The headers.
   */
  headers(given?: HeadersInit | NodeHeadersLike): Headers {
    const headers = headersFrom(given);
    this.#answer.write(headers, this.#current);
    return headers;
  }

  /** Whether the response sets a cookie. */
  get setsCookie(): boolean {
    return this.#answer.change !== undefined;
  }

  #inTurn<T>(
    run: () => Promise<T>,
    options: SessionOperationOptions,
    names: OptionNames,
    action: string,
  ): Promise<T> {
    this.#answer.note("asked");
    return tolerated(this.#checkedTurn(run, options, names, action));
  }

  async #checkedTurn<T>(
    run: () => Promise<T>,
    options: SessionOperationOptions,
    names: OptionNames,
    action: string,
  ): Promise<T> {
    assertOptions(options, names, action);
    return await this.#line.take(run, options.signal);
  }

  async #load(roll: boolean): Promise<Session<Data> | undefined> {
    const found = await Promise.all(this.#ids.map(async (id) => {
      const one = await this.#means.access.read(id, { roll });
      if (one.session || one.missing === "ended") this.#answer.own.add(id);
      return one;
    }));
    const { session, renewed } = found.find(({ session }) => session) ?? {};
    // An earlier id of the same session is no other.
    this.#same = new Set(this.#ids.filter((_, i) => session && found[i]!.session?.handle === session.handle));
    if (session) this.#answer.note("known");
    if (this.#changed) return session; // meanwhile: what is known since then is what counts
    this.#current = session;
    const [missing] = (["outage", "unreadable", "ended", "unknown"] as const)
      .filter((missing) => found.some((one) => one.missing === missing));
    this.#missing = session ? undefined : missing;
    if (missing === "outage" || missing === "unreadable") this.#answer.note("known");
    // What is dead need not come again, but its cookie stays: the browser may have another by now.
    if (session?.touched && !renewed) this.#answer.change = "roll";
    return session;
  }

  /** The id of the session that a change is of. Where an outage hid it, there may be one: none is begun in its place. */
  async #idsOfCurrent(): Promise<readonly string[]> {
    const session = await this.get();
    if (session) return [session.id];
    return this.#missing === "outage" ? this.#ids : [];
  }

  /** Ends what came along beside the session of a login, so that none of it is what is left afterwards. */
  async #endOthers(
    ids: readonly string[],
    id: string | undefined,
    { signal }: SessionOperationOptions,
  ): Promise<void> {
    const others = this.#answer.mine(ids).filter((one) => one !== id && !this.#same.has(one));
    await Promise.all(others.map((one) => this.#means.access.destroy(one, { signal })));
  }

  /** What is known of where a session is begun. */
  #withPlace<Options extends CreateSessionOptions>(options: Options): Options {
    const { address } = this.#means;
    return { request: this.#request, ...(address !== undefined && { address }), ...options };
  }

  /** One that was there and is not found any more was ended by somebody else: none is begun in its place. */
  #changedTo({ session, renewed }: FoundSession<Data>): void {
    this.#become(session, session?.touched && !renewed ? "roll" : undefined, session ? undefined : "ended");
  }

  #become(
    session: Session<Data> | undefined,
    cookie: CookieChange | undefined,
    missing?: FoundSession["missing"],
  ): void {
    this.#changed = true;
    this.#current = session;
    this.#missing = missing;
    this.#reading = Promise.resolve(session);
    this.#answer.become(session, cookie);
  }
}

/** The same; who does not await it does not end the process when it fails. */
function tolerated<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
