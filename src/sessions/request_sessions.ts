import { unawaited } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import { assertOptions } from "../util/option_names.ts";
import { remoteAddress } from "../web/connection.ts";
import type { SessionCookie } from "./cookie.ts";
import { RequestSession } from "./request_session.ts";
import type { RequestMeans } from "./session_access.ts";
import type { SessionsCore } from "./sessions_core.ts";
import { UserSessions } from "./user_sessions.ts";
import { warn } from "./warn.ts";
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
 * What `Sessions` can do with requests.
 *
 * @typeParam Data The fields of the data.
 */
export class RequestSessions<Data extends object> extends UserSessions<Data> {
  /** Puts sessions into cookies and finds them there. */
  readonly cookie: SessionCookie;
  readonly #core: SessionsCore<Data>;

  /** @internal */
  constructor(core: SessionsCore<Data>, cookie: SessionCookie) {
    super(core);
    this.#core = core;
    this.cookie = cookie;
  }

  /**
   * Makes a handler of requests that is given the session of each. It is read when it is first asked for; a visitor
   * without data has none. The cookie is sent when the session is new, when its expiry moved or its id changed, and is
   * removed by the request that ends it. A response to which the session was looked at says so: `Vary: Cookie`,
   * `Cache-Control` with `private` when there was one.
   *
   * A `Response` that the handler throws is the response. After anything else that it throws, a new id is not lost: the
   * response, of `onError` or else a 500, carries the cookie. Where there is no cookie to send and no `onError`, the
   * error is passed on.
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
   * The session of one request, for frameworks that there is no middleware for. Before the response goes, await its
   * `settle()`, and use its `apply()` or, where there is no `Response`, its `headers()`.
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
      access: this.#core.operations.access,
      warn: (message) => warn(this.#core.listener, message),
      address: unawaited(address(request, info)),
      roll: rollOf(roll, request),
    };
    return { session: new RequestSession(this, request, means), means };
  }
}
