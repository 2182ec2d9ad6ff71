import { stringifySetCookie } from "cookie";
import { describe } from "../util/describe.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertWritable, COOKIE, type SessionCookieOptions } from "./cookie_options.ts";
import type { Session } from "./session.ts";
import { SECRET_LENGTH, Signer } from "./signature.ts";

/** The most seconds that browsers keep a cookie: 400 days (RFC 6265bis). */
const MAX_AGE = 400 * 86_400;

/** Most values of the form of a token that are looked at, each of which costs a signature for each secret. */
const MOST = 8;

/** What stands between the values of several services in one cookie, and how one of them looks. */
const BESIDE = "~";
const PART = /^[\w.-]{43,200}$/;
/**
 * The seconds for which the values of others are kept where this service has none. They know how long theirs are good.
 */
const DAY = 86_400;

/** The length of the shortest token. */
const SHORTEST = 43;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/**
 * Puts sessions into cookies and finds them there. What it writes has `Secure`, `HttpOnly` and `SameSite=Lax`, and is
 * sent with `Cache-Control: no-store`, so that no cache hands it to somebody else.
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
 * const cookie = headers.get("set-cookie")!;
 * assert.match(cookie, /^__Host-session=.+; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
 *
 * const request = new Request("https://localhost/", { headers: { cookie: cookie.split(";")[0]! } });
 * assert.equal(redis.sessions.cookie.read(request), session.id);
 * ```
 */
export class SessionCookie {
  /** Its name. */
  readonly name: string;
  /** Whether it is sent with requests that other sites cause. */
  readonly sameSite: "strict" | "lax" | "none";
  /**
   * Whether services on other ports of the host may have the same cookie: that of an `insecure` one, for development.
   */
  readonly isShared: boolean;
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
    this.sameSite = sameSite;
    this.isShared = insecure;
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
   * Finds the token in a request. Of several cookies of this name the first that may be one counts; all else is passed
   * over.
   *
   * @param request The request, or its headers.
   * @returns The token, for `get()`; `undefined` if there is none.
   * @throws {TypeError} If it has no `Headers`, as a request of `node:http` has none.
   */
  read(request: { readonly headers: Headers } | Headers): string | undefined {
    return this.#tokens(request).next().value;
  }

  /**
   * Finds all tokens in a request: browsers send several cookies of one name when they were set for several paths or
   * domains, and do not tell which is which.
   *
   * @param request The request, or its headers.
   * @returns Up to 8 of them, in the order in which they came.
   */
  readAll(request: { readonly headers: Headers } | Headers): string[] {
    const found = new Set<string>();
    for (const token of this.#tokens(request)) if (found.add(token).size === MOST) break;
    return [...found];
  }

  *#tokens(request: { readonly headers: Headers } | Headers): Generator<string, undefined> {
    for (const part of this.#candidates(request)) {
      const token = this.#signer.open(part, this.name);
      if (token !== undefined) yield token;
    }
  }

  /** The values that may be a token, whoever has signed it: the first few. A header has room for hundreds. */
  #candidates(request: { readonly headers: Headers } | Headers): Set<string> {
    const candidates = new Set<string>();
    for (const part of this.#parts(request)) {
      if (this.#isToken(this.#signer.textOf(part)) && candidates.add(part).size === MOST) break;
    }
    return candidates;
  }

  /**
   * What other services on this host have put into the cookie of an `insecure` one, as far as it may be that: hosts
   * such as localhost have one cookie of the name for all their ports. Nowhere else is there anything.
   *
   * @param request The request.
   * @param isOwn Tells whether a token is of this service.
   * @returns Up to 7 of them, for `write()` and `clear()`.
   */
  others(request: { readonly headers: Headers }, isOwn: (token: string) => boolean): string[] {
    if (!this.isShared) return [];
    const own = new Set<string>();
    for (const part of this.#candidates(request)) {
      const token = this.#signer.open(part, this.name);
      if (token !== undefined && isOwn(token)) own.add(part);
    }
    const others = this.#parts(request).filter((part) => PART.test(part) && !own.has(part));
    return [...new Set(others)].slice(0, MOST - 1);
  }

  /** The values of cookies of this name that are neither too long nor too short. */
  #parts(request: { readonly headers: Headers } | Headers): string[] {
    return pairsOf(request)
      .filter(([name]) => name === this.name)
      .flatMap(([, value]) => this.isShared ? value.split(BESIDE, 2 * MOST) : [value])
      .map((value) => value.length > 256 ? "" : value.replace(/^"(.*)"$/, "$1"))
      .filter(({ length }) => length >= SHORTEST); // the rest is not worth a look at its signature
  }

  /** Whether a request has a cookie of this name, whatever is in it. */
  isSent(request: { readonly headers: Headers }): boolean {
    return pairsOf(request).some(([name]) => name === this.name);
  }

  /** Whether the headers of a response set a cookie of this name, and do not remove it. */
  isSet(headers: Headers): boolean {
    return headers.getSetCookie().some((cookie) =>
      trim(cookie.split("=", 1)[0]!) === this.name && !/;\s*max-age=0(?:;|$)/i.test(cookie)
    );
  }

  /**
   * Adds the cookie of a session to the headers of a response.
   *
   * @param headers The headers.
   * @param session The session.
   * @param others What stays of other services on this host, as `others()` gives it.
   */
  write(
    headers: Headers,
    session: Pick<Session, "id" | "expiresAt" | "lastSeenAt" | "persistent">,
    others: readonly string[] = [],
  ): void {
    assertCanWrite(headers, session);
    const left = Math.ceil((session.expiresAt - session.lastSeenAt) / 1000);
    const maxAge = Math.max(0, Math.min(MAX_AGE, left));
    this.#set(
      headers,
      [this.#signer.sign(session.id, this.name), ...others].join(BESIDE),
      session.persistent ?? this.#persistent ? { maxAge } : {},
    );
  }

  /**
   * Adds a cookie to the headers of a response that removes the one of a session.
   *
   * @param headers The headers.
   * @param others What stays of other services on this host, as `others()` gives it.
   */
  clear(headers: Headers, others: readonly string[] = []): void {
    if (others.length === 0) this.#set(headers, "", { maxAge: 0 });
    else this.#set(headers, others.join(BESIDE), this.#persistent ? { maxAge: DAY } : {});
  }

  #set(headers: Headers, value: string, age: { maxAge?: number }): void {
    // One of this name is enough: browsers take the last, and caches of proxies the first.
    const others = headers.getSetCookie().filter((cookie) => trim(cookie.split("=", 1)[0]!) !== this.name);
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
    if (!path.startsWith("/") || trim(path) !== path) {
      const wanted = 'a path that begins with "/" and does not end with white space';
      throw new TypeError(`Cannot use "cookie.path": wanted ${wanted}, got ${describe(path)}`);
    }
    if (insecure && (sameSite === "none" || partitioned)) {
      throw new TypeError(
        `Cannot use "cookie.insecure": wanted no sameSite "none" and no partitioned, got one of them`,
      );
    }
    for (const [i, secret] of secrets.entries()) {
      if (typeof secret === "string" && secret.length >= SECRET_LENGTH) continue;
      const got = typeof secret === "string" ? `${secret.length}` : "something else";
      const wanted = `a string of at least ${SECRET_LENGTH} characters`;
      throw new RangeError(`Cannot use "secrets[${i}]": wanted ${wanted}, got ${got}`);
    }
    assertWritable(this.#attributes);
  }
}

/** The headers of a request, where it has such as `fetch` knows. */
function headersOf(request: { readonly headers: Headers } | Headers): Headers {
  if (request instanceof Headers) return request;
  const headers: unknown = request?.headers;
  if (typeof (headers as Headers | undefined)?.get === "function") return headers as Headers;
  const kind = typeof headers === "object" && headers !== null ? "a request of node:http" : describe(request);
  throw new TypeError(
    "Cannot read the cookie: wanted a Request or Headers, as in " +
      `read(new Headers({ cookie: req.headers.cookie ?? "" })), got ${kind}`,
  );
}

interface Attributes {
  readonly path: string;
  readonly domain?: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax" | "none";
  readonly partitioned?: boolean;
}

/** The cookies of a request, byte for byte: one whose name only looks like another's is another. */
function pairsOf(request: { readonly headers: Headers } | Headers): [name: string, value: string][] {
  const header = headersOf(request).get("cookie");
  const pairs: [string, string][] = [];
  for (const pair of header?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals >= 0) pairs.push([trim(pair.slice(0, equals)), trim(pair.slice(equals + 1))]);
  }
  return pairs;
}

/**
 * Without the white space of cookies, which is space and tab (RFC 6265bis, section 5.6). What `trim()` takes away
 * besides may be part of a name that a host nearby has set, and that browsers hold for another.
 */
function trim(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "");
}

/** Refuses what is no session, such as what `get()` found to be none. */
function assertCanWrite(headers: Partial<Headers> | undefined, session: Partial<Session> | undefined): void {
  const hasHeaders = typeof headers?.append === "function";
  if (hasHeaders && typeof session?.id === "string") return;
  const [wanted, got] = hasHeaders ? ["a session", session] : ["the headers of a response", headers];
  throw new TypeError(`Cannot write the cookie: wanted ${wanted}, got ${describe(got)}`);
}
