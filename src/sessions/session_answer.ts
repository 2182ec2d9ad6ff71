import { addVary, forbidStorage, makePrivate } from "../web/personal.ts";
import { noteVisitor, type VisitorTrait } from "../web/visitor.ts";
import type { SessionCookie } from "./cookie.ts";
import type { Session } from "./session.ts";

/**
 * What becomes of the cookie: it gets the id of a new session or another one of the same, lasts longer, or is removed.
 */
export type CookieChange = "write" | "renew" | "roll" | "clear";

/** What is told when something becomes of the session after the response has gone. */
interface LateMeans {
  readonly warn: (message: string) => void;
  readonly gone?: boolean;
}

/** What the response to a request has to say about the session. */
export class SessionAnswer {
  readonly #request: Request;
  readonly #cookie: SessionCookie;
  readonly #means: LateMeans;
  #asked = false;
  #known = false;
  #change: CookieChange | undefined;
  /** The tokens of the request that this service knows. */
  readonly own: Set<string> = new Set<string>();

  constructor(request: Request, cookie: SessionCookie, means: LateMeans) {
    this.#request = request;
    this.#cookie = cookie;
    this.#means = means;
  }

  /** The tokens that may be of this service: what is of another one on this host is nothing to be replaced or ended. */
  mine(tokens: readonly string[]): readonly string[] {
    return this.#cookie.isShared ? tokens.filter((token) => this.own.has(token)) : tokens;
  }

  /** Whether it was asked for the session. */
  get asked(): boolean {
    return this.#asked;
  }

  /** What becomes of the cookie, if anything does. */
  get change(): CookieChange | undefined {
    return this.#change;
  }

  set change(change: CookieChange | undefined) {
    this.#change = change;
    if (change !== undefined) this.note("cookie");
  }

  /** Notes what was looked at. */
  note(trait: VisitorTrait): void {
    if (trait === "asked" && !this.#asked && this.#means.gone) {
      this.#means.warn("A session is looked at after its response went, which does not say that it is for one visitor");
    }
    if (trait === "asked") this.#asked = true;
    else if (trait === "known") this.#known = true;
    noteVisitor(this.#request, trait);
    // Who is known already is known wherever it is asked again, such as within a load of a page for all.
    if (trait === "asked" && this.#known) noteVisitor(this.#request, "known");
  }

  /**
   * The session was changed to this. What the browser has not been told yet it must be: of a new id, of an end, of a
   * longer life.
   */
  become(session: Session<object> | undefined, change: CookieChange | undefined): void {
    if (session) this.note("known");
    if (this.#means.gone && change !== undefined && change !== "roll") {
      this.#means.warn("A session was begun, renewed or ended after its response went: the browser keeps its cookie");
    }
    const before = this.#change;
    const isNew = before === "write" || before === "renew" && change !== "write";
    const owed = session ? isNew || !change && before === "roll" : !change && before === "clear";
    if (!owed) this.change = change === "clear" && !this.#cookie.isSent(this.#request) ? undefined : change;
  }

  /** Adds it to the headers of the response. */
  write(headers: Headers, session: Session<object> | undefined): void {
    if (!this.#asked) return;
    addVary(headers, "Cookie");
    if (this.#known) makePrivate(headers);
    if (this.#change === undefined) return;
    forbidStorage(headers);
    // A visitor's session is no reason to give up what was set within: a login.
    if (this.#change === "write" && session?.userId === "" && this.#cookie.isSet(headers)) return;
    const others = this.#cookie.others(this.#request, (token) => this.own.has(token));
    if (this.#change === "clear") this.#cookie.clear(headers, others);
    else if (session) this.#cookie.write(headers, session, others);
  }
}
