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

/** Makes a handler of requests out of one that is given their session; see {@linkcode Sessions.withSession}. */
export function withSession<Data extends object, Info>(
  sessions: Sessions<Data>,
  read: SessionReader<Data>,
  handler: SessionHandler<Data, Info>,
): WithSessionHandler<Info> {
  return async (request, info) => {
    const session = new RequestSession(sessions, request, read, addressOf(info));
    const response = await handler(request, session, info as Info);
    return session.apply(response);
  };
}

/** The address at the other end of the connection, if the server tells it as `Deno.serve()` does. */
function addressOf(info: unknown): string | undefined {
  const { remoteAddr } = (info ?? {}) as { remoteAddr?: { hostname?: unknown } };
  return typeof remoteAddr?.hostname === "string" ? remoteAddr.hostname : undefined;
}
