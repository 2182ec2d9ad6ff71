import { type Larder, UnavailableError } from "@larder/larder";
import type { RequestSession, SessionHandler, Sessions } from "@larder/larder/sessions";
import { problem } from "../catalogue/problem.ts";
import type { Handler, Routes } from "../service/router.ts";

/** What is kept of somebody who is logged in. */
export interface Login {
  /** How often this device has called, the login included. */
  visits?: number;
}

type Info = Deno.ServeHandlerInfo<Deno.NetAddr>;

const NAME = /^[\p{L}\p{N} ._-]{1,32}$/u;

/**
 * Logins without passwords, so that anybody can try them out: `GET /live/session` tells who is logged in, on which
 * devices; `POST /live/login` with `{ "name": "ada" }`, `/live/logout`, `/live/logout-everywhere`, and `/live/end` with
 * `{ "handle": "…" }` change that. A login counts for the limit AUTH.
 *
 * @param redis What `connect()` gave.
 * @param changed Told that a limit does not stand any more as it did.
 */
export function accountRoutes(
  { sessions, rateLimit }: Pick<Larder<{ session: Login }>, "sessions" | "rateLimit">,
  changed: () => void,
): Routes {
  const inSession = (handler: SessionHandler<Login, Info>): Handler => {
    const withCookie = sessions.withSession(handler);
    return (_, request, info) => withCookie(request, info);
  };
  return {
    "GET /live/session": async (params, request, info) => {
      try {
        return await inSession(async (_, session) => Response.json(await viewOf(sessions, session)))(
          params,
          request,
          info,
        );
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        return Response.json({ available: false, user: null, devices: [] });
      }
    },
    "POST /live/login": inSession(async (request, session, info) => {
      const { name } = await request.json().catch(() => ({}));
      if (typeof name !== "string" || !NAME.test(name.trim())) {
        return problem(400, "Wanted a name of 1 to 32 letters, digits, spaces, dots, hyphens or underscores");
      }
      const limit = await rateLimit.check("AUTH", rateLimit.address(request, info));
      changed();
      if (!limit.allowed) return limit.response();
      // A new id, so that one that somebody planted before the login is worth nothing.
      await session.regenerate({ userId: name.trim(), data: { visits: 1 } });
      return Response.json(await viewOf(sessions, session));
    }),
    "POST /live/logout": inSession(async (_, session) => {
      await session.destroy();
      return Response.json(await viewOf(sessions, session));
    }),
    "POST /live/logout-everywhere": inSession(async (_, session) => {
      const current = await session.get();
      const ended = current?.userId ? await sessions.destroyAll(current.userId) : 0;
      return Response.json({ ended });
    }),
    "POST /live/end": inSession(async (request, session) => {
      const { handle } = await request.json().catch(() => ({}));
      const current = await session.get();
      const own = current?.userId ? await sessions.list(current.userId) : [];
      const device = own.find((device) => device.handle === handle);
      if (!device) return problem(404, "You have no such session");
      return Response.json({ ended: await sessions.destroy({ handle: device.handle }) });
    }),
  };
}

async function viewOf(sessions: Sessions<Login>, session: RequestSession<Login>): Promise<unknown> {
  const current = await session.get();
  if (!current?.userId) return { available: true, user: null, devices: [] };
  const devices = (await sessions.list(current.userId)).map((
    { handle, createdAt, lastSeenAt, expiresAt, device },
  ) => ({
    handle,
    createdAt,
    lastSeenAt,
    expiresAt,
    userAgent: device?.userAgent ?? "",
    address: device?.address ?? "",
    here: handle === current.handle,
  }));
  return { available: true, user: current.userId, devices };
}
