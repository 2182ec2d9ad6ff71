import { stringifySetCookie } from "cookie";
import { describe } from "../describe.ts";
import { assertOptions } from "../option_names.ts";
import { COOKIE } from "./option_names.ts";
import type { Session } from "./session.ts";
import { Signer } from "./signature.ts";

/** What the cookie of a session is like. */
export interface SessionCookieOptions {
  /**
   * Its name. With `__Host-` or `__Secure-` in front, browsers see to it that it was set over HTTPS, and with the former by this very
   * host.
   *
   * @default {"__Host-session"}, or "session" with `insecure`, a `domain` or another `path`
   */
  name?: string | undefined;
  /** The path under which it is sent. @default {"/"} */
  path?: string | undefined;
  /** The domain whose hosts all get it. @default {the host that set it, alone} */
  domain?: string | undefined;
  /** Whether it is sent with requests that other sites cause. @default {"lax"} */
  sameSite?: "strict" | "lax" | "none" | undefined;
  /** Whether each site that embeds this one has a cookie of its own. @default {false} */
  partitioned?: boolean | undefined;
  /** Whether it outlives the browser: without `Max-Age` it ends when the browser is closed. @default {true} */
  persistent?: boolean | undefined;
  /** Sends it over plain HTTP: for development on localhost, and for nothing else. @default {false} */
  insecure?: boolean | undefined;
}

/** The most seconds that browsers keep a cookie: 400 days (RFC 6265bis). */
const MAX_AGE = 400 * 86_400;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/**
 * Puts sessions into cookies and finds them there. What it writes has `Secure`, `HttpOnly` and `SameSite=Lax`, and is sent with
 * `Cache-Control: no-store`, so that no cache hands it to somebody else.
 *
 * @example A cookie comes and goes
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const session = await redis.sessions.create("ada", {});
 * const headers = new Headers();
 * redis.sessions.cookie.write(headers, session);
 * assert.match(headers.get("set-cookie")!, /^__Host-session=.+; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
 *
 * const request = new Request("https://localhost/", { headers: { cookie: headers.get("set-cookie")!.split(";")[0]! } });
 * assert.equal(redis.sessions.cookie.read(request), session.id);
 * ```
 */
export class SessionCookie {
  /** Its name. */
  readonly name: string;
  readonly #attributes: Attributes;
  readonly #persistent: boolean;
  readonly #signer: Signer;
  readonly #isToken: (value: unknown) => value is string;

  /**
   * Creates it; the `cookie` of sessions is one already.
   *
   * @param options What it is like.
   * @param secrets What it is signed with; the first signs, all are accepted.
   * @param isToken Tells what may be a token.
   * @throws {TypeError | RangeError} If the options do not go together.
   */
  constructor(
    options: SessionCookieOptions,
    secrets: readonly string[],
    isToken: (value: unknown) => value is string,
  ) {
    assertOptions(options, COOKIE, "use the cookie of sessions");
    const { path = "/", domain, sameSite = "lax", partitioned = false, persistent = true, insecure = false } = options;
    const bound = !insecure && domain === undefined && path === "/";
    this.name = options.name ?? (bound ? "__Host-session" : "session");
    this.#attributes = {
      path,
      ...(domain !== undefined && { domain }),
      httpOnly: true,
      secure: !insecure,
      sameSite,
      ...(partitioned && { partitioned }),
    };
    this.#persistent = persistent;
    this.#signer = new Signer(secrets);
    this.#isToken = isToken;
    this.#check(bound, insecure, secrets);
  }

  /**
   * Finds the token in a request. Of several cookies of this name the first that may be one counts; all else is passed over.
   *
   * @param request The request, or its headers.
   * @returns The token, for `get()`; `undefined` if there is none.
   */
  read(request: { readonly headers: Headers } | Headers): string | undefined {
    const header = (request instanceof Headers ? request : request.headers).get("cookie");
    if (header === null) return undefined;
    for (const pair of header.split(";")) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== this.name) continue;
      const value = pair.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1");
      const token = value.length > 256 ? undefined : this.#signer.open(value, this.name);
      if (this.#isToken(token)) return token;
    }
    return undefined;
  }

  /** Whether a request has a cookie of this name, whatever is in it. */
  isSent(request: { readonly headers: Headers }): boolean {
    const pairs = request.headers.get("cookie")?.split(";") ?? [];
    return pairs.some((pair) => pair.split("=", 1)[0]!.trim() === this.name);
  }

  /**
   * Adds the cookie of a session to the headers of a response.
   *
   * @param headers The headers.
   * @param session The session.
   */
  write(headers: Headers, session: Pick<Session, "id" | "expiresAt" | "lastSeenAt">): void {
    const left = Math.ceil((session.expiresAt - session.lastSeenAt) / 1000);
    const maxAge = Math.max(0, Math.min(MAX_AGE, left));
    this.#set(headers, this.#signer.sign(session.id, this.name), this.#persistent ? { maxAge } : {});
  }

  /**
   * Adds a cookie to the headers of a response that removes the one of a session.
   *
   * @param headers The headers.
   */
  clear(headers: Headers): void {
    this.#set(headers, "", { maxAge: 0 });
  }

  #set(headers: Headers, value: string, age: { maxAge?: number }): void {
    // One of this name is enough: browsers take the last, and caches of proxies the first.
    const others = headers.getSetCookie().filter((cookie) => !cookie.startsWith(`${this.name}=`));
    headers.delete("set-cookie");
    for (const cookie of others) headers.append("set-cookie", cookie);
    headers.append("set-cookie", stringifySetCookie({ name: this.name, value, ...age, ...this.#attributes }));
    headers.set("cache-control", "no-store");
  }

  #check(bound: boolean, insecure: boolean, secrets: readonly string[]): void {
    const { name } = this;
    const { path, sameSite, partitioned } = this.#attributes;
    if (!TOKEN.test(name)) {
      throw new TypeError(`Cannot use "cookie.name": wanted up to 128 characters of a token, got ${describe(name)}`);
    }
    if (/^__(Host|Http|Host-Http)-/i.test(name) && !bound) {
      const rules = "no domain, the path / and no insecure";
      throw new TypeError(`Cannot use "cookie.name": wanted ${rules} for ${describe(name)}, got one of them`);
    }
    if (/^__Secure-/i.test(name) && insecure) {
      throw new TypeError(`Cannot use "cookie.name": wanted no insecure for ${describe(name)}, got it`);
    }
    if (!path.startsWith("/")) {
      throw new TypeError(`Cannot use "cookie.path": wanted a path that begins with "/", got ${describe(path)}`);
    }
    if (insecure && (sameSite === "none" || partitioned)) {
      throw new TypeError(
        `Cannot use "cookie.insecure": wanted no sameSite "none" and no partitioned, got one of them`,
      );
    }
    for (const [i, secret] of secrets.entries()) {
      if (typeof secret === "string" && secret.length >= 32) continue;
      const got = typeof secret === "string" ? `${secret.length}` : "something else";
      throw new RangeError(`Cannot use "secrets[${i}]": wanted a string of at least 32 characters, got ${got}`);
    }
    // What cannot be written is refused now, and not by the first who logs in.
    stringifySetCookie({ name, value: "", ...this.#attributes });
  }
}

interface Attributes {
  readonly path: string;
  readonly domain?: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax" | "none";
  readonly partitioned?: boolean;
}
