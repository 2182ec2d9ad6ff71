import { assert } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** What a site keeps of its visitors. */
export interface Data {
  n?: number;
  basket?: string[];
}

/** A store that counts and that can be down. */
export class CountingStore extends MemorySessionStore {
  reads = 0;
  /** Whether nothing can be read. */
  down = false;
  /** Whether nothing can be changed. */
  failing = false;
  /** Awaited by each answer to a read. */
  gate: Promise<void> | undefined;

  override async read(...args: Parameters<MemorySessionStore["read"]>): ReturnType<MemorySessionStore["read"]> {
    this.reads++;
    if (this.down) throw new UnavailableError("read session", "timeout");
    const answer = await super.read(...args);
    await this.gate;
    return answer;
  }

  override update(...args: Parameters<MemorySessionStore["update"]>): ReturnType<MemorySessionStore["update"]> {
    if (this.failing) return Promise.reject(new UnavailableError("update session", "timeout"));
    return super.update(...args);
  }

  override regenerate(
    ...args: Parameters<MemorySessionStore["regenerate"]>
  ): ReturnType<MemorySessionStore["regenerate"]> {
    if (this.failing) return Promise.reject(new UnavailableError("regenerate session", "timeout"));
    return super.regenerate(...args);
  }
}

/** A browser with one cookie, and the app that it uses. */
export class Visit {
  readonly clock: ManualClock = new ManualClock();
  readonly store: CountingStore = new CountingStore({ now: this.clock.now, touchEvery: 60_000 });
  readonly sessions: Sessions<Data>;
  jar: string | undefined;

  constructor(onUnavailable: "throw" | "none" = "throw") {
    this.sessions = new Sessions<Data>(this.store, { ttl: "1h", onUnavailable });
  }

  async send(
    handler: (session: RequestSession<Data>, request: Request) => unknown,
    info?: unknown,
    response: () => Response = () => new Response("ok"),
  ): Promise<Response> {
    const app = this.sessions.withSession(async (request, session) => {
      const answer = await handler(session, request);
      return answer instanceof Response ? answer : response();
    });
    const headers = new Headers({ "user-agent": "Test" });
    if (this.jar) headers.set("cookie", this.jar);
    const answer = await app(new Request("https://localhost/", { headers }), info);
    const set = answer.headers.get("set-cookie");
    if (set) this.jar = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
    const asked = answer.headers.get("vary") === "Cookie";
    const said = answer.headers.get("cache-control");
    assert(set ? asked && said === "no-store" : said === null || asked && said === "private", `${said}`);
    return answer;
  }
}

/** What a response does to the cookie. */
export function sets(response: Response): "nothing" | "cookie" | "removal" {
  const set = response.headers.get("set-cookie");
  return set === null ? "nothing" : set.includes("Max-Age=0") ? "removal" : "cookie";
}
