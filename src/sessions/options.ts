import type { StandardSchema } from "../values/standard_schema.ts";
import type { Durability } from "../redis/durability.ts";
import type { Duration } from "../util/duration.ts";
import type { SessionCookieOptions } from "./cookie_options.ts";
import type { SessionData, SessionPatchOf } from "./session.ts";

/**
 * How sessions work.
 *
 * @typeParam Data The fields of the data, which the schema says.
 */
export interface SessionsOptions<Data extends object = SessionData> {
  /**
   * How long a session lasts without being used: seconds, or a string such as `"30m"`; 0 = for ever. Since the last use
   * is written down at most every `touchEvery`, it may end so much earlier.
   *
   * @default {"24h"}
   */
  ttl?: Duration | undefined;
  /** How long a session lasts in any case, from its beginning; 0 = for ever. @default {"30d"} */
  absoluteTtl?: Duration | undefined;
  /** How often the use of a session is written down, at most; 0 = each time. @default {ttl / 24, at most "5m"} */
  touchEvery?: Duration | undefined;
  /**
   * How many sessions one user may have; with one more the oldest ends, or the one that was not used for the longest
   * time. 0 = any number. Where there are far more already, each login ends up to 100.
   *
   * @default {0}
   */
  maxPerUser?: number | MaxPerUser | undefined;
  /**
   * For how long an id that was given up, by `regenerate()`, or in a request by `create()` or `destroy()`, is
   * remembered: up to an hour, 0 = not at all. In this time a request that still comes with it reads the session that
   * it was renewed to, if the user is the same; it begins no other, and its cookie is left alone.
   *
   * @default {"10s"}
   */
  renewalGrace?: Duration | undefined;
  /**
   * How many bytes the data of a session may have, names and values as they are stored, in up to 1,000 fields. A
   * session that has more already can be read, and may shrink. 0 = any number.
   *
   * @default {65_536}
   */
  maxBytes?: number | undefined;
  /** The cookie. */
  cookie?: SessionCookieOptions | undefined;
  /**
   * Secrets to sign the cookie with, of at least 32 characters each: the first signs, all are accepted, so that a new
   * one can be put in front. A token cannot be guessed without it too; a signature keeps what was made up from reaching
   * Redis.
   *
   * @default {[]}, no signature
   */
  secrets?: readonly string[] | undefined;
  /**
   * What `get()` and `touch()` do when Redis does not answer: `"throw"` an `UnavailableError`, or resolve as if there
   * were no session (`"none"`), so that pages for everybody are served during an outage. All that changes something
   * throws in any case.
   *
   * @default {"throw"}
   */
  onUnavailable?: "throw" | "none" | undefined;
  /**
   * Waits until so many replicas have what a call writes, after each login, change and end of sessions: `replicated` of
   * the session says whether they had it in time, and `replicas.missed` is the event where they had not. Reads wait for
   * none, nor does what writes down the use of a session. Each call may say it for itself. Needs a client that can open
   * another connection.
   *
   * @default {none}
   */
  durability?: Durability | undefined;
  /**
   * What the data are: any validator of the Standard Schema family. It gives them their type, and checks them as
   * {@linkcode Sessions.typed} does.
   *
   * @default {none: any fields}
   */
  schema?: StandardSchema<unknown, Data> | undefined;
}

/** How many sessions one user may have. */
export interface MaxPerUser {
  /** How many; 0 = any number. */
  limit: number;
  /**
   * Which one ends for one more: the one begun first, or the one that was not used for the longest time. @default
   * {"oldest"}
   */
  whenFull?: "oldest" | "least-recent" | undefined;
}

/** What every operation takes. */
export interface SessionOperationOptions {
  /** Ends the wait with the signal's reason. What was already sent to the store takes effect all the same. */
  signal?: AbortSignal | undefined;
}

/** How a session, or several, are ended. */
export interface EndSessionOptions extends SessionOperationOptions {
  /**
   * Waits until so many replicas have it: `replicated` says whether they had it in time.
   *
   * @default {the `durability` of the sessions}
   */
  durability?: Durability | undefined;
}

/** What became of sessions that were ended, and whether replicas know it. */
export interface SessionsEnded<Count extends boolean | number | "ended" = number> {
  /** Whether there was one, or how many. */
  readonly destroyed: Count;
  /** Whether as many replicas as `durability` wants knew it in time; `false` on the embedded store. */
  readonly replicated: boolean;
}

/** What became of a change of the sessions of a user, and whether replicas have it. */
export interface SessionsUpdated {
  /** How many sessions there were. */
  readonly updated: number;
  /** Whether as many replicas as `durability` wants had it in time; `false` on the embedded store. */
  readonly replicated: boolean;
}

/** How a session is begun. */
export interface CreateSessionOptions {
  /** Up to 64 names by which `destroyByTag()` finds it. @default {[]} */
  tags?: readonly string[] | undefined;
  /** How long it lasts without being used; 0 = for ever. @default {the `ttl` of the sessions} */
  ttl?: Duration | undefined;
  /** How long it lasts in any case; 0 = for ever. @default {the `absoluteTtl` of the sessions} */
  absoluteTtl?: Duration | undefined;
  /** The request that began it: its `User-Agent` is kept for `list()`. */
  request?: { readonly headers: Headers } | undefined;
  /**
   * The address of the client, as far as you trust it, for `list()`: what it has after 64 characters is left out, and
   * `null` is not known. What the request says of it is not looked at.
   */
  address?: string | null | undefined;
  /** Whether its cookie outlives the browser: "remember me". @default {`persistent` of the cookie} */
  persistent?: boolean | undefined;
  /**
   * Waits until so many replicas have it: `replicated` says whether they had it in time.
   *
   * @default {the `durability` of the sessions}
   */
  durability?: Durability | undefined;
  /** Ends the wait with the signal's reason. What was already sent to the store takes effect all the same. */
  signal?: AbortSignal | undefined;
}

/** How a session is read. */
export interface GetSessionOptions extends SessionOperationOptions {
  /** Whether reading counts as use, so that the expiry is rolled. @default {true} */
  roll?: boolean | undefined;
}

/** How a session is changed. */
export interface UpdateSessionOptions extends SessionOperationOptions {
  /**
   * Waits until so many replicas have it: `replicated` says whether they had it in time.
   *
   * @default {the `durability` of the sessions}
   */
  durability?: Durability | undefined;
  /** The `version` that the session must have, else a `SessionConflictError` is thrown. */
  ifVersion?: number | undefined;
  /** Its tags from now on. @default {those that it has} */
  tags?: readonly string[] | undefined;
}

/** How the sessions of a user are changed. */
export interface UpdateAllOptions extends SessionOperationOptions {
  /**
   * Waits until so many replicas have it: `replicated` says whether they had it in time.
   *
   * @default {the `durability` of the sessions}
   */
  durability?: Durability | undefined;
  /** Their tags from now on. @default {those that they have} */
  tags?: readonly string[] | undefined;
}

/** How the sessions of a user are listed. */
export interface ListSessionsOptions extends SessionOperationOptions {
  /** Most sessions. @default {all} */
  limit?: number | undefined;
  /**
   * The last session of the list before, after which this one goes on: it, or its handle. If that has ended meanwhile,
   * the handle alone does not tell where it was, and the list begins anew.
   */
  cursor?: string | { readonly handle: string; readonly createdAt: number } | undefined;
}

/** Which session is ended. */
export interface SessionToDestroy {
  /** Its handle, as `list()` tells it. */
  readonly handle: string;
  /** Whose it must be, else nothing ends: for handles that came from a client. `""` or `null` is a visitor's. */
  readonly userId?: string | null;
}

/**
 * How a session gets a new id.
 *
 * @typeParam Data The fields of the data.
 */
export interface RegenerateSessionOptions<Data extends object = SessionData> extends CreateSessionOptions {
  /** Whose it is from now on: who has just logged in. The session then begins anew, with its data. */
  userId?: string | undefined;
  /** Fields to change in the same step; `undefined` removes one. */
  data?: SessionPatchOf<Data> | undefined;
  /** Its tags from now on. @default {those that it has} */
  tags?: readonly string[] | undefined;
  /** How long it lasts without being used from now on; 0 = for ever. @default {as before} */
  ttl?: Duration | undefined;
  /**
   * How long it lasts in any case, from now on; 0 = for ever.
   *
   * @default {as before; the `absoluteTtl` of the sessions for who has just logged in}
   */
  absoluteTtl?: Duration | undefined;
}

/** How the sessions of a user are ended. */
export interface DestroyAllOptions extends EndSessionOptions {
  /** The session that stays: its id, or an object with its handle, such as the session itself. */
  except?: string | { readonly handle: string } | undefined;
}

/** How the data are typed and checked. */
export interface TypedSessionsOptions<Data extends object> {
  /** Any validator of the Standard Schema family; see {@linkcode Sessions.typed}. */
  schema?: StandardSchema<unknown, Data> | undefined;
}
