import type { RequestSession, Session, SessionInfo, Sessions } from "@larder/larder/sessions";
import { loginPage, userPage } from "./pages.ts";
import type { Users } from "./users.ts";

/** What the site keeps in a session. */
export interface Login {
  /** How often the visitor came, before the login too. */
  visits?: number;
}

/** What a page of somebody who is logged in shows. */
export interface View {
  session: Session<Login>;
  devices: SessionInfo[];
}

/** The site, as a handler of requests. */
export function site(
  sessions: Sessions<Login>,
  users: Users,
): (request: Request, info?: Deno.ServeHandlerInfo) => Promise<Response> {
  async function home(session: RequestSession<Login>): Promise<Response> {
    const current = await session.update(({ visits = 0 }) => ({ visits: visits + 1 }));
    if (!current?.userId) return html(loginPage(current?.data.visits ?? 0));
    return html(userPage({ session: current, devices: await sessions.list(current.userId) }));
  }

  async function login(request: Request, session: RequestSession<Login>): Promise<Response> {
    const form = await request.formData();
    const [name, password] = [String(form.get("name")), String(form.get("password"))];
    if (!await users.check(name, password)) return html(loginPage(0, "Wrong name or password"), 401);
    // A new id, so that one that somebody planted before the login is worth nothing.
    await session.regenerate({ userId: name });
    return toHome();
  }

  /** What only somebody who is logged in may do. */
  async function asUser(session: RequestSession<Login>, act: (userId: string) => Promise<unknown>): Promise<Response> {
    const current = await session.get();
    if (current?.userId) await act(current.userId);
    return toHome();
  }

  async function endOne(request: Request, userId: string): Promise<void> {
    const handle = String((await request.formData()).get("handle"));
    const own = (await sessions.list(userId)).some((device) => device.handle === handle);
    if (own) await sessions.destroy({ handle });
  }

  return sessions.withSession<Deno.ServeHandlerInfo>((request, session) => {
    switch (`${request.method} ${new URL(request.url).pathname}`) {
      case "GET /":
        return home(session);
      case "POST /login":
        return login(request, session);
      case "POST /logout":
        return session.destroy().then(toHome);
      case "POST /logout-everywhere":
        return asUser(session, (userId) => sessions.destroyAll(userId));
      case "POST /logout-others":
        return asUser(session, async (userId) => sessions.destroyAll(userId, { except: await session.get() }));
      case "POST /end":
        return asUser(session, (userId) => endOne(request, userId));
      default:
        return new Response("There is no such page", { status: 404 });
    }
  });
}

function html(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}

function toHome(): Response {
  return new Response(null, { status: 303, headers: { location: "/" } });
}
