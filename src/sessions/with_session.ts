import { badRequest, targetOf } from "../http/target.ts";
import { watchVisitor } from "../http/visitor.ts";
import { describe } from "../describe.ts";
import type { RequestSession } from "./request_session.ts";
import type { SessionData } from "./session.ts";

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
   * Tells the address of the client, for `list()`: behind a proxy, what a header says that the proxy writes, and that nobody else can.
   *
   * @default {the other end of the connection}
   */
  address?: ((request: Request, info: Info) => string | null | undefined) | undefined;
  /**
   * Whether reading counts as use, so that the expiry is rolled: not for a page that polls by itself, as nobody may sit in front of
   * it. A function tells it of each request.
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

/** Makes a handler of requests out of one that is given their session; see `Sessions.withSession()`. */
export function withSession<Data extends object, Info>(
  open: (request: Request, info: Info) => RequestSession<Data>,
  handler: SessionHandler<Data, Info>,
  { onError }: Pick<WithSessionOptions<Info>, "onError"> = {},
): WithSessionHandler<Info> {
  for (const [what, value] of [["the handler", handler], ["onError", onError ?? handler]] as const) {
    if (typeof value === "function") continue;
    throw new TypeError(`Cannot make a handler with sessions: wanted a function as ${what}, got ${describe(value)}`);
  }
  return (request, info) =>
    watchVisitor(request, async () => {
      if (!targetOf(request)) return badRequest();
      const session = open(request, info as Info);
      let response: Response;
      try {
        response = await handler(request, session, info as Info);
      } catch (error) {
        response = await answerError(error, request, session, onError);
      }
      await session.settle();
      return session.apply(response);
    });
}

async function answerError(
  error: unknown,
  request: Request,
  session: { readonly settle: () => Promise<void>; readonly setsCookie: boolean },
  onError: WithSessionOptions["onError"],
): Promise<Response> {
  if (error instanceof Response) return error;
  if (onError) return await onError(error, request);
  await session.settle();
  if (!session.setsCookie) throw error;
  // deno-lint-ignore no-console -- as servers do with what a handler throws; it cannot be passed on together with the cookie
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
}
