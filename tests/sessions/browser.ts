import { assertEquals } from "@std/assert";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";

/** What a handler does with the session of its request. */
export type Page = (session: RequestSession) => unknown;

/** A browser: each request is sent with the cookie that it has at that moment. */
export class Browser {
  readonly #sessions: Sessions;
  /** The cookie. */
  jar: string | undefined;

  constructor(sessions: Sessions, jar?: string) {
    this.#sessions = sessions;
    this.jar = jar;
  }

  /** Sends a request. The answer is what it does to the cookie, which is not kept until `keep()`. */
  async request(page: Page, jar: string | undefined = this.jar, signal?: AbortSignal): Promise<Answer> {
    const headers = new Headers(jar === undefined ? {} : { cookie: jar });
    const app = this.#sessions.withSession(async (_, session) => {
      await page(session);
      return new Response("ok");
    });
    const init = { headers, ...(signal && { signal }) };
    const response = await app(new Request("https://localhost/", init));
    const set = response.headers.get("set-cookie");
    return new Answer(set, () => {
      if (set !== null) this.jar = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
    });
  }

  /** Sends a request and keeps the cookie of the answer. */
  async visit(page: Page): Promise<string | undefined> {
    (await this.request(page)).keep();
    return this.jar;
  }

  /** Whose session a request with this cookie has. */
  async userOf(jar: string | undefined = this.jar): Promise<string | undefined> {
    let user: string | undefined;
    const answer = await this.request(async (session) => user = (await session.get({ roll: false }))?.userId, jar);
    assertEquals(answer.cookie, "left");
    return user;
  }
}

/** The answer to a request. */
export class Answer {
  /** The header. */
  readonly set: string | null;
  /** Has the browser keep the cookie: the answer arrived. */
  readonly keep: () => void;

  constructor(set: string | null, keep: () => void) {
    this.set = set;
    this.keep = keep;
  }

  /** What it does to the cookie. */
  get cookie(): "left" | "sent" | "removed" {
    return this.set === null ? "left" : this.set.includes("Max-Age=0") ? "removed" : "sent";
  }
}

/** The token in a cookie. */
export function tokenOf(jar: string | undefined): string {
  return jar!.slice(jar!.indexOf("=") + 1);
}
