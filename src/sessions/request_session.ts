import { describe } from "../util/describe.ts";
import { assertOptions, type OptionNames } from "../util/option_names.ts";
import { headersFrom, type NodeHeadersLike } from "../web/given_headers.ts";
import { withHeaders } from "../web/own_response.ts";
import type { SessionCookie } from "./cookie.ts";
import { Line } from "./line.ts";
import { CREATE, OPERATION, REGENERATE, UPDATE } from "./option_names.ts";
import type {
  CreateSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  UpdateSessionOptions,
} from "./options.ts";
import { RequestState, tolerated } from "./request_state.ts";
import type { Session, SessionData, SessionPatchOf } from "./session.ts";
import type { RequestMeans } from "./session_access.ts";
import { SessionAnswer } from "./session_answer.ts";

/** How long a response waits for what was not awaited, in milliseconds. */
const PATIENCE = 2000;

/**
 * The session of one request, as `withSession()` gives it to a handler. It is read when it is first asked for, and its
 * cookie is taken care of. What changes it is done in the order in which it was called, however long each takes.
 *
 * @typeParam Data The fields of the data.
 */
export class RequestSession<Data extends object = SessionData> {
  readonly #state: RequestState<Data>;
  readonly #answer: SessionAnswer;
  readonly #line: Line;
  readonly #means: RequestMeans<Data>;
  #settled = false;

  /**
   * Looks for the cookies of a request; nothing is read yet. `forRequest()` and `withSession()` create it.
   *
   * @param sessions The sessions, for their cookie.
   * @param request The request.
   * @param means What it needs of them.
   */
  constructor(sessions: { readonly cookie: SessionCookie }, request: Request, means: RequestMeans<Data>) {
    this.#answer = new SessionAnswer(request, sessions.cookie, means);
    this.#state = new RequestState(sessions.cookie, request, means, this.#answer);
    this.#line = new Line(request);
    this.#means = means;
  }

  /**
   * The session, or `undefined` when there is none. Asked again, it is what it was or what was made of it here.
   *
   * @param options Whether it counts as use: for what a page asks by itself, `roll: false` lets a session end that
   * nobody uses. A signal.
   * @throws {UnavailableError} If the store does not answer, unless `onUnavailable` says otherwise.
   */
  get(options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    return tolerated(this.#state.get(options));
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
    return this.#inTurn(() => this.#state.create(userId, data, options), options, CREATE, "create session");
  }

  /**
   * Changes fields of the session; where there is none, one of a visitor is begun with them. A request that another
   * site caused, and to which browsers add no cookie because of that, begins none: it would come in the place of a
   * login.
   *
   * @param change As of `sessions.update()`.
   * @param options As of `sessions.update()`.
   * @returns The session as it is then, or `undefined` if it was ended since it was read, or cannot be read: then it is
   * not begun again. A visitor of whom there is nothing to keep has none.
   */
  update(
    change: SessionPatchOf<Data> | ((data: Data) => SessionPatchOf<Data> | Promise<SessionPatchOf<Data>>),
    options: UpdateSessionOptions = {},
  ): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#state.update(change, options), options, UPDATE, "update session");
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
    return this.#inTurn(() => this.#state.pop(field, options), options, OPERATION, "update session");
  }

  /**
   * Gives the session a new id and a user, who has just logged in: there always is one afterwards.
   *
   * @param options As of `sessions.regenerate()`.
   * @returns The session.
   */
  regenerate(options: RegenerateSessionOptions<Data> & { readonly userId: string }): Promise<Session<Data>>;
  /**
   * Gives the session a new id, and the user who has just logged in if one is named: then there always is one
   * afterwards.
   *
   * @param options As of `sessions.regenerate()`.
   * @returns The session, or `undefined` when there is none and no user is named.
   */
  regenerate(options?: RegenerateSessionOptions<Data>): Promise<Session<Data> | undefined>;
  regenerate(options: RegenerateSessionOptions<Data> = {}): Promise<Session<Data> | undefined> {
    return this.#inTurn(() => this.#state.regenerate(options), options, REGENERATE, "regenerate session");
  }

  /**
   * Ends the session: a logout. Its cookie is removed if there was one.
   *
   * @param options A signal.
   * @returns Whether there was one.
   */
  destroy(options: SessionOperationOptions = {}): Promise<boolean> {
    return this.#inTurn(() => this.#state.destroy(options), options, OPERATION, "destroy session");
  }

  /**
   * Waits for what was called and not awaited, for 2 seconds at most, before the response goes: `withSession()` does
   * it.
   *
   * @returns Nothing; what has not ended by then is told as a `warning`.
   */
  async settle(): Promise<void> {
    this.#settled = true;
    const settled = await this.#line.endsWithin(PATIENCE) && await this.#state.hasReadWithin(PATIENCE);
    if (!settled) {
      this.#means.warn("A response goes without a change of the session that was not awaited: it has not ended yet");
    }
    await this.#state.confirmCookie();
  }

  /**
   * The response with what the session has to say: the cookie if it needs one, and that the response is for this
   * visitor. Await {@linkcode RequestSession.settle} before; `withSession()` does both.
   *
   * @param response The response.
   * @returns A response of its own with it; the one that was given stays as it is. A 101 is handed on.
   */
  apply(response: Response): Response {
    this.#leave();
    if (!this.#answer.asked) return response;
    if (typeof response?.headers !== "object") {
      throw new TypeError(`Cannot answer the request: wanted a Response, got ${describe(response)}`);
    }
    return withHeaders(response, (headers) => this.#answer.write(headers, this.#state.current));
  }

  /**
   * The headers of a response with what the session has to say, for frameworks without `Response`: `Vary: Cookie` when
   * it was asked for, `Cache-Control` with `private` when there was one, `no-store` and `Set-Cookie` when there is
   * something to set. Await {@linkcode RequestSession.settle} before.
   *
   * @param given The headers that the response has already, which are left as they are: those of `res.getHeaders()` of
   * `node:http` too.
   * @returns The headers.
   */
  headers(given?: ConstructorParameters<typeof Headers>[0] | NodeHeadersLike): Headers {
    this.#leave();
    const headers = headersFrom(given);
    this.#answer.write(headers, this.#state.current);
    return headers;
  }

  /** Whether the response sets a cookie. */
  get setsCookie(): boolean {
    return this.#answer.change !== undefined;
  }

  /** What the response says of the session is said. */
  #leave(): void {
    if (this.#settled && !this.#means.within) this.#means.gone = true;
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
}
