import { remoteAddress } from "../http/connection.ts";
import { assertOptions } from "../option_names.ts";
import { WITH_SESSION } from "./option_names.ts";
import { unawaited } from "../callbacks.ts";
import { RequestSession, type SessionReader } from "./request_session.ts";
import type { SessionData } from "./session.ts";
import type { Sessions } from "./sessions.ts";

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
 * How a handler of requests finds out about them.
 *
 * @typeParam Info What the server says of a connection.
 */
export interface WithSessionOptions<Info = unknown> {
  /**
   * Tells the address of the client, for `list()`: behind a proxy, what a header says that the proxy writes, and that nobody else can.
   *
   * @default {the other end of the connection}
   */
  address?: ((request: Request, info: Info) => string | undefined) | undefined;
}

/** Makes a handler of requests out of one that is given their session; see {@linkcode Sessions.withSession}. */
export function withSession<Data extends object, Info>(
  sessions: Sessions<Data>,
  read: SessionReader<Data>,
  handler: SessionHandler<Data, Info>,
  options: WithSessionOptions<Info> = {},
): WithSessionHandler<Info> {
  assertOptions(options, WITH_SESSION, "make a handler with sessions");
  const { address = remoteAddress } = options;
  return async (request, info) => {
    const session = new RequestSession(sessions, request, read, unawaited(address(request, info as Info)));
    const response = await handler(request, session, info as Info);
    return session.apply(response);
  };
}
