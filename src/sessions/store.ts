import type { ClosedBy } from "../errors.ts";
import type { Deadline } from "../redis/deadline.ts";
import type { Replication } from "../redis/replication.ts";

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
  /** Whether its cookie outlives the browser, where that was said of it alone. */
  readonly persistent?: boolean | undefined;
  /** Milliseconds without use after which it ends; 0 = never. */
  readonly idle: number;
  /** How often it was changed, from 1. */
  readonly version: number;
  /** Its data, encoded, by name. */
  readonly fields: ReadonlyMap<string, Uint8Array>;
  /** Further data, all in one: a JSON object. */
  readonly json?: Uint8Array | undefined;
  /** Hands out what {@linkcode StoredSession.json} says, once, if it was read together with others. */
  readonly takeJson?: (() => unknown) | undefined;
  /** Whether this operation moved the expiry, so that the cookie has to be sent again. */
  readonly touched: boolean;
}

/** The record of a session is damaged: it is not as any version writes it. */
export class UnreadableSessionError extends RangeError {
  /** The error name. */
  override readonly name: string = "UnreadableSessionError";
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
  /** Which of them go when there are too many; at most 100 at a time. @default {"oldest"} */
  readonly whenFull?: WhenFull | undefined;
  /** Whether its cookie outlives the browser, where that is said of it alone. */
  readonly persistent?: boolean | undefined;
  /** The session in whose place it comes, which ends in the same step. */
  readonly replaces?: Replaced | undefined;
  /** When it was begun, by `performance.now()`, where that was earlier than the call. */
  readonly since?: number | undefined;
}

/**
 * Which sessions of a user go when there are too many: those begun first, or those that were not used for the longest
 * time.
 */
export type WhenFull = "oldest" | "least-recent";

/** How a handle that is gone is remembered. */
export interface Trace {
  /** Milliseconds for which it is remembered; 0 = not at all. */
  readonly grace: number;
  /** 32 bytes from which who has the old token finds the new one. */
  readonly sealed: Uint8Array;
}

/**
 * A session that is replaced by a new one in the same bucket, or what is in its place. A handle that is not known is
 * remembered too where a user comes.
 */
export interface Replaced extends Trace {
  /** Its handle. */
  readonly handle: string;
}

/** A change of some fields of a session. */
export interface SessionPatch {
  /** What is stored anew, encoded. */
  readonly set: ReadonlyMap<string, Uint8Array>;
  /** What is removed. */
  readonly remove: readonly string[];
  /** Its tags from now on, where they change. */
  readonly tags?: readonly string[] | undefined;
  /** Most bytes of its data; 0 = any number. What has more already may keep or shrink it. @default {0} */
  readonly maxBytes?: number | undefined;
}

/** How a session gets another handle. */
export interface SessionRenewal extends SessionPatch, Trace {
  /** Its new user, if there is one; then it begins anew. */
  readonly userId?: string | undefined;
  /** Milliseconds without use after which it ends, where that changes; 0 = never. */
  readonly idle?: number | undefined;
  /** Milliseconds from now after which it ends in any case, where that changes; 0 = never. */
  readonly absolute?: number | undefined;
  /** Where it is used from now on, as JSON, where that changes. */
  readonly device?: string | undefined;
  /** Whether its cookie outlives the browser, where that changes. */
  readonly persistent?: boolean | undefined;
  /** Most sessions of the new user; 0 = any number. */
  readonly maxPerUser: number;
  /** Which of them go when there are too many; at most 100 at a time. @default {"oldest"} */
  readonly whenFull?: WhenFull | undefined;
}

/** What becomes of a session that is created or gets another handle. */
export interface PlacedSession {
  /** The session. */
  readonly session: StoredSession;
  /** The handles of the others of the user that had to go for it. */
  readonly evicted: readonly string[];
  /** Where it was in the place of the handle already: the steps from the old token to its own, for `unseal()`. */
  readonly steps?: readonly SealedStep[] | undefined;
}

/** From one token to the next. */
export interface SealedStep {
  /** As {@linkcode Trace.sealed}. */
  readonly sealed: Uint8Array;
  /** The handle of the next. */
  readonly handle: string;
}

/** Options that every operation has. */
export interface SessionStoreOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of the call that this is a part of. */
  readonly within?: Deadline | undefined;
  /** Is told of all that is written, where replicas are to have it; a store without replicas tells it nothing. */
  readonly replication?: Replication | undefined;
}

/** Options of what requests ask for. */
export interface SessionFollowOptions extends SessionStoreOptions {
  /**
   * Whether a handle that was replaced a moment ago stands for the session in its place: if that is of the same user,
   * and was not revoked since.
   */
  readonly follow?: boolean | undefined;
}

/** Options of a change. */
export interface SessionUpdateOptions extends SessionFollowOptions {
  /**
   * Whether the answer tells the data as they were before. Without the first field to remove nothing is changed then.
   */
  readonly before?: boolean | undefined;
}

/** Options of an end. */
export interface SessionEndOptions extends SessionStoreOptions {
  /** The user that it must have; `""` for a visitor. */
  readonly userId?: string | undefined;
  /** Milliseconds for which its end is remembered. @default {0} */
  readonly grace?: number | undefined;
}

/** Options of a list. */
export interface SessionListOptions extends SessionStoreOptions {
  /** Most sessions. @default {0}, all */
  readonly limit?: number | undefined;
  /** The session after which it goes on, and when it was begun, for when it is gone; 0 = not known. */
  readonly after?: { readonly handle: string; readonly createdAt: number } | undefined;
}

/**
 * Where sessions are kept. Each operation is one atomic step by the store's own clock. What was destroyed or revoked is
 * never there again, whatever arrives late.
 *
 * Every method ends within the store's deadline and rejects with `UnavailableError` when the store does not answer.
 */
export interface SessionStore extends AsyncDisposable {
  /** Ends it; what comes later rejects, and says what ended it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
  /** Where sessions live, for reports. */
  readonly kind: "memory" | "redis";
  /** Over how many hash slots sessions are spread. The sessions of one user share one. */
  readonly buckets: number;
  /** Says that it cannot wait for replicas, where it has some but cannot. */
  assertReplicates?(): void;
  /** A deadline for a call that takes several steps, where the store may not answer. */
  deadline?(): Deadline;
  /**
   * Stores a new session. One that was begun before a revocation of its user or of one of its tags, and arrives after
   * it, is dead. Resolves to `undefined` if the handle is taken.
   */
  create(handle: string, session: NewSession, options?: SessionStoreOptions): Promise<PlacedSession | undefined>;
  /**
   * Reads a session, and rolls its expiry at most every `touchEvery`. With `follow`, `"ended"` stands for a handle that
   * is remembered and has nothing in its place, and `"unreadable"` for what this version cannot read. What else cannot
   * be read rejects with an `UnreadableSessionError`, here and where it is changed.
   */
  read(
    handle: string,
    mode: "roll" | "peek",
    options?: SessionFollowOptions,
  ): Promise<StoredSession | "ended" | "unreadable" | undefined>;
  /** Rolls the expiry of a session at most every `touchEvery`. Resolves to whether it is there. */
  touch(handle: string, options?: SessionStoreOptions): Promise<boolean>;
  /**
   * Changes fields of a session. Resolves to how it is then; with `version` only where it has that one, else to how it
   * is and `conflict`. Rejects with a `RangeError` if it would have too much data.
   */
  update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options?: SessionUpdateOptions,
  ): Promise<{ readonly session: StoredSession; readonly conflict: boolean } | undefined>;
  /** Changes fields of all sessions of a user, which is no use of them. Resolves to how many there were. */
  updateAll(userId: string, patch: SessionPatch, options?: SessionStoreOptions): Promise<number>;
  /**
   * Removes a session, or what is in the place of a handle that was replaced a moment ago. Resolves to whether it was
   * there, and to `"ended"` where it is remembered that it is gone.
   */
  destroy(handle: string, options?: SessionEndOptions): Promise<boolean | "ended">;
  /** Removes a session and resolves to what it was, with all its data in `fields`. */
  take(handle: string, options?: SessionEndOptions & SessionFollowOptions): Promise<StoredSession | undefined>;
  /**
   * Gives a session another handle in the same bucket. Resolves to `undefined` when it is not there, `"taken"` if the
   * handle is. With `follow`, what was renewed for the same user a moment ago is changed only; for a login, what its
   * user has in the place of the handle. The login of another user goes on from what was renewed.
   */
  regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options?: SessionFollowOptions,
  ): Promise<PlacedSession | "taken" | undefined>;
  /** The sessions of a user, the newest first, without their data. */
  list(userId: string, options?: SessionListOptions): Promise<StoredSession[]>;
  /** Revokes all sessions of a user that were begun before, but one. Resolves to how many there were. */
  revokeUser(userId: string, except: string | undefined, options?: SessionStoreOptions): Promise<number>;
  /** Revokes all sessions with a tag that were begun before. Resolves to how many there were. */
  revokeTag(tag: string, options?: SessionStoreOptions): Promise<number>;
}
