import type { Larder } from "@larder/larder";
import { UnavailableError } from "@larder/larder";
import { problem } from "./problem.ts";

/** What is kept of somebody who is logged in. */
interface Visit {
  /** When the login was. */
  since: string;
}

/** What anybody can log in with here: a service of yours asks its own users. */
const PASSWORD = "open sesame";

/** Login and logout. */
export class Account {
  readonly #redis: Larder;

  constructor(redis: Larder) {
    this.#redis = redis;
  }

  /** `POST /login` with `{ "user": "ada", "password": "open sesame" }`. */
  async logIn(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Promise<Response> {
    const { sessions, rateLimit } = this.#redis;
    const limit = await rateLimit.check("AUTH", rateLimit.address(request, info)); // 5 in 5 minutes
    if (!limit.allowed) return limit.response();
    const { user, password } = await request.json().catch(() => ({}));
    if (typeof user !== "string" || user === "" || password !== PASSWORD) {
      return problem(401, "There is no such user, or the password is another");
    }
    const visit: Visit = { since: new Date().toISOString() };
    const session = await sessions.create(user, { ...visit }, { request, tags: ["web"] });
    const response = Response.json({ user, ...visit });
    sessions.cookie.write(response.headers, session);
    return response;
  }

  /** `GET /whoami`. */
  async whoAmI(request: Request): Promise<Response> {
    const { sessions } = this.#redis;
    const session = await sessions.get(sessions.cookie.read(request));
    if (!session) return problem(401, "Nobody is logged in");
    const response = Response.json({ user: session.userId, ...session.data });
    if (session.touched) sessions.cookie.write(response.headers, session);
    return response;
  }

  /** `POST /logout`. */
  async logOut(request: Request): Promise<Response> {
    const { sessions } = this.#redis;
    const id = sessions.cookie.read(request);
    if (id !== undefined) await sessions.destroy(id);
    const response = new Response(null, { status: 204 });
    sessions.cookie.clear(response.headers);
    return response;
  }
}

/** What to answer when something fails: without Redis nobody knows who is logged in, but that passes. */
export function failed(error: unknown): Response {
  if (error instanceof UnavailableError) {
    return problem(503, "Sessions are not available at the moment", { "retry-after": "5" });
  }
  // deno-lint-ignore no-console -- the log of the container
  console.error(error);
  return problem(500, "Something failed");
}
