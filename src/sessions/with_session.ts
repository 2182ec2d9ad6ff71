import { AsyncLocalStorage } from "node:async_hooks";
import { badRequest, targetOf } from "../web/target.ts";
import { watchVisitor } from "../web/visitor.ts";
import { describe } from "../util/describe.ts";
import { type OptionNames, optionNames } from "../util/option_names.ts";
import type { RequestSession } from "./request_session.ts";
import type { SessionData } from "./session.ts";
import type { RequestMeans } from "./session_access.ts";

/**
 * A handler of requests that is given their session.
 *
 * @typeParam Data The fields of the data.
 * @typeParam Info What the server says of a connection.
 */
export type SessionHandler<Data extends object = SessionData, Info = unknown> = (
  request: Request,
  session: RequestSession<Data>,
  info: Info,
) => Response | Promise<Response>;

/**
 * A handler of requests.
 *
 * @typeParam Info What the server says of a connection.
 */
export type WithSessionHandler<Info = unknown> = (request: Request, info?: Info) => Promise<Response>;

/**
 * How the session of a request is found and used.
 *
 * @typeParam Info What the server says of a connection.
 */
export interface RequestSessionOptions<Info = unknown> {
  /**
   * Tells the address of the client, for `list()`: behind a proxy, what a header says that the proxy writes, and that
   * nobody else can.
   *
   * @default {the other end of the connection}
   */
  address?: ((request: Request, info: Info) => string | null | undefined) | undefined;
  /**
   * Whether reading counts as use, so that the expiry is rolled: not for a page that polls by itself, as nobody may sit
   * in front of it. A function tells it of each request.
   *
   * @default {true}
   */
  roll?: boolean | ((request: Request) => boolean) | undefined;
}

/**
 * How a handler of requests that is given their session works.
 *
 * @typeParam Info What the server says of a connection.
 */
export interface WithSessionOptions<Info = unknown> extends RequestSessionOptions<Info> {
  /**
   * Answers what the handler threw. Its response carries the cookie.
   *
   * @default {a 500 where there is a cookie to send, else the error is passed on}
   */
  onError?: ((error: unknown, request: Request) => Response | Promise<Response>) | undefined;
}

export const REQUEST: OptionNames = optionNames<RequestSessionOptions>({ address: true, roll: true });
export const WITH_SESSION: OptionNames = optionNames<WithSessionOptions>({ address: true, roll: true, onError: true });

/** The session of a request, and what it was opened with. */
export interface OpenedSession<Data extends object> {
  readonly session: RequestSession<Data>;
  readonly means: RequestMeans<Data>;
}

/** A request that is being answered. */
interface Running {
  readonly request: Request;
  readonly sessions: object;
  readonly opened: OpenedSession<object>;
  readonly outer: Running | undefined;
}

/**
 * Where requests are answered: a handler within a handler of the same sessions has no session of its own beside the
 * other's.
 */
const running = new AsyncLocalStorage<Running>();

/** Makes a handler of requests out of one that is given their session; see `Sessions.withSession()`. */
export function withSession<Data extends object, Info>(
  sessions: object,
  open: (request: Request, info: Info) => OpenedSession<Data>,
  handler: SessionHandler<Data, Info>,
  { onError, roll }: WithSessionOptions<Info> = {},
): WithSessionHandler<Info> {
  for (const [what, value] of [["the handler", handler], ["onError", onError ?? handler]] as const) {
    if (typeof value === "function") continue;
    throw new TypeError(`Cannot make a handler with sessions: wanted a function as ${what}, got ${describe(value)}`);
  }
  const answerWith = (request: Request, info: Info | undefined, session: RequestSession<Data>) =>
    answer(session, () => handler(request, session, info as Info), onError && ((error) => onError(error, request)));
  return (request, info) =>
    watchVisitor(request, async () => {
      if (!targetOf(request)) return badRequest();
      const outer = running.getStore();
      const around = openedAround<Data>(outer, request, sessions);
      if (around) {
        if (roll !== undefined) around.means.roll = rollOf(roll, request);
        return await answerWith(request, info, around.session);
      }
      const opened = open(request, info as Info);
      opened.means.within = true;
      const here = { request, sessions, opened: opened as unknown as OpenedSession<object>, outer };
      const response = await running.run(here, () => answerWith(request, info, opened.session));
      opened.means.gone = true;
      return response;
    }, info);
}

/** Whether reading counts as use for a request. */
export function rollOf(roll: RequestSessionOptions["roll"], request: Request): boolean | undefined {
  return typeof roll === "function" ? roll(request) : roll;
}

function openedAround<Data extends object>(
  here: Running | undefined,
  request: Request,
  sessions: object,
): OpenedSession<Data> | undefined {
  for (let one = here; one; one = one.outer) {
    if (one.request === request && one.sessions === sessions) return one.opened as unknown as OpenedSession<Data>;
  }
  return undefined;
}

/**
 * Answers with what the handler gives or, where that fails or cannot be sent, with what `onError` makes of it: no
 * cookie is lost.
 */
async function answer<Data extends object>(
  session: RequestSession<Data>,
  make: () => Response | Promise<Response>,
  onError: ((error: unknown) => Response | Promise<Response>) | undefined,
): Promise<Response> {
  let failure: unknown;
  for (const attempt of [make, ...(onError ? [() => onError(failure)] : [])]) {
    try {
      const response = await orThrown(attempt);
      await session.settle();
      return session.apply(response);
    } catch (error) {
      failure = error;
    }
  }
  await session.settle();
  if (!session.setsCookie) throw failure;
  // As servers do with what a handler throws; it cannot be passed on together with the cookie.
  // deno-lint-ignore no-console
  console.error(failure);
  return session.apply(new Response("Internal Server Error", { status: 500 }));
}

/** What is given, or a `Response` that is thrown. */
async function orThrown(make: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof Response) return error;
    throw error;
  }
}
