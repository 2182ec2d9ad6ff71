import type { Deadline } from "../redis/deadline.ts";

/** How a session is used by a read: `roll` = read it and roll its expiry, `touch` = roll it only, `peek` = read it only. */
export type ReadMode = "roll" | "touch" | "peek";

/** A session as a store keeps it. Its handle is all that a store knows of its token. */
export interface StoredSession {
  /** The SHA-256 of the token, in hexadecimal, after the bucket if there are several. */
  readonly handle: string;
  /** Whose it is; `""` for a visitor. */
  readonly userId: string;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Where it was begun, as {@linkcode NewSession.device}. */
  readonly device: string;
  /** Milliseconds since 1970 on the store's clock. */
  readonly createdAt: number;
  /** When it was last used, as far as that was written down. */
  readonly lastSeenAt: number;
  /** When it ends unless it is used; `Infinity` = never. */
  readonly expiresAt: number;
  /** Milliseconds without use after which it ends; 0 = never. */
  readonly idle: number;
  /** How often it was changed, from 1. */
  readonly version: number;
  /** Its data, encoded, by name. */
  readonly fields: ReadonlyMap<string, Uint8Array>;
  /** Further data, all in one: a JSON object. */
  readonly json?: Uint8Array | undefined;
  /** Whether this operation moved the expiry, so that the cookie has to be sent again. */
  readonly touched: boolean;
}

/** A session to be stored. */
export interface NewSession {
  /** Whose it is; `""` for a visitor. */
  readonly userId: string;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Where it is begun, as JSON; `""` if that is not known. */
  readonly device: string;
  /** Its data, encoded, by name. */
  readonly fields: ReadonlyMap<string, Uint8Array>;
  /** Milliseconds without use after which it ends; 0 = never. */
  readonly idle: number;
  /** Milliseconds after which it ends in any case; 0 = never. */
  readonly absolute: number;
  /** Most sessions of the user, this one among them; 0 = any number. */
  readonly maxPerUser: number;
  /** When it was begun, by `performance.now()`, where that was earlier than the call. */
  readonly since?: number | undefined;
}

/** A change of some fields of a session. */
export interface SessionPatch {
  /** What is stored anew, encoded. */
  readonly set: ReadonlyMap<string, Uint8Array>;
  /** What is removed. */
  readonly remove: readonly string[];
}

/** How a session gets another handle. */
export interface SessionRenewal extends SessionPatch {
  /** Its new user, if there is one; then it begins anew. */
  readonly userId?: string | undefined;
  /** Milliseconds after which a session of the new user ends in any case; 0 = never. */
  readonly absolute: number;
  /** Most sessions of the new user; 0 = any number. */
  readonly maxPerUser: number;
}

/** What becomes of a session that is created or gets another handle. */
export interface PlacedSession {
  /** The session. */
  readonly session: StoredSession;
  /** How many others of the user had to go for it. */
  readonly evicted: number;
}

/** Options that every operation has. */
export interface SessionStoreOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of the call that this is a part of. */
  readonly within?: Deadline | undefined;
}

/**
 * Where sessions are kept. Each operation is one atomic step by the store's own clock. What was destroyed or revoked is never
 * there again, whatever arrives late.
 *
 * Every method ends within the store's deadline and rejects with `UnavailableError` when the store does not answer.
 */
export interface SessionStore extends AsyncDisposable {
  /** Where sessions live, for reports. */
  readonly kind: "memory" | "redis";
  /** Over how many hash slots sessions are spread. The sessions of one user share one. */
  readonly buckets: number;
  /** A deadline for a call that takes several steps, where the store may not answer. */
  deadline?(): Deadline;
  /**
   * Stores a new session. One that was begun before a revocation of its user or of one of its tags, and arrives after it, is dead.
   * Resolves to `undefined` if the handle is taken.
   */
  create(handle: string, session: NewSession, options?: SessionStoreOptions): Promise<PlacedSession | undefined>;
  /** Reads a session, and rolls its expiry at most every `touchEvery`. */
  read(handle: string, mode: "roll" | "peek", options?: SessionStoreOptions): Promise<StoredSession | undefined>;
  /** Rolls the expiry of a session at most every `touchEvery`. Resolves to whether it is there. */
  touch(handle: string, options?: SessionStoreOptions): Promise<boolean>;
  /**
   * Changes fields of a session. Resolves to how it is then; with `version` only where it has that one, else to how it is and
   * `conflict`.
   */
  update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options?: SessionStoreOptions,
  ): Promise<{ readonly session: StoredSession; readonly conflict: boolean } | undefined>;
  /** Removes a session. Resolves to whether it was there. */
  destroy(handle: string, options?: SessionStoreOptions): Promise<boolean>;
  /** Removes a session and resolves to what it was, with all its data in `fields`. */
  take(handle: string, options?: SessionStoreOptions): Promise<StoredSession | undefined>;
  /** Gives a session another handle in the same bucket. Resolves to `undefined` when it is not there, `"taken"` if the handle is. */
  regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options?: SessionStoreOptions,
  ): Promise<PlacedSession | "taken" | undefined>;
  /** The sessions of a user, without their data. */
  list(userId: string, options?: SessionStoreOptions): Promise<StoredSession[]>;
  /** Revokes all sessions of a user that were begun before, but one. Resolves to how many there were. */
  revokeUser(userId: string, except: string | undefined, options?: SessionStoreOptions): Promise<number>;
  /** Revokes all sessions with a tag that were begun before. Resolves to how many there were. */
  revokeTag(tag: string, options?: SessionStoreOptions): Promise<number>;
}
