/** What sessions hold unless a type says more: any fields. */
export type SessionData = Record<string, unknown>;

/** Where a session was begun, as far as that was known. */
export interface SessionDevice {
  /** The `User-Agent` header, cut after 512 characters. */
  readonly userAgent?: string | undefined;
  /** The address of the client. */
  readonly address?: string | undefined;
}

/** What may be shown of a session: it holds no secret, neither its token nor its data. */
export interface SessionInfo {
  /**
   * The name of the session, safe to show, to log and to pass to `destroy({ handle })`. Nobody finds the token with it.
   */
  readonly handle: string;
  /** Whose it is; `""` for a visitor who has not logged in, also where it was begun with `null`. */
  readonly userId: string;
  /** When it was begun, in milliseconds since 1970 by the store's clock, as the times that follow. */
  readonly createdAt: number;
  /** When it was last used; written down at most every `touchEvery`. */
  readonly lastSeenAt: number;
  /** When it ends unless it is used; `Infinity` = never. */
  readonly expiresAt: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Where it was begun. */
  readonly device?: SessionDevice;
}

/**
 * A session.
 *
 * @typeParam Data The fields of its data.
 */
export interface Session<Data extends object = SessionData> extends SessionInfo {
  /**
   * The secret token, for the cookie and for nothing else: who has it is logged in. A session as a whole is therefore
   * nothing to log, or to send as JSON; its `handle` is.
   */
  readonly id: string;
  /** The data: a copy, so that changes of it are changes of nothing else. */
  readonly data: Data;
  /** How often the data were changed, from 1; see `ifVersion` of `update()`. */
  readonly version: number;
  /** Whether its cookie outlives the browser, where that was said of it alone. */
  readonly persistent?: boolean;
  /** Whether the expiry moved or the id is new: the cookie must be sent again. */
  readonly touched: boolean;
  /**
   * Whether as many replicas as `durability` wants had what this call wrote, in time, so that a failover to one of them
   * keeps it. Without that option there is none; on the embedded store it is `false`.
   */
  readonly replicated?: boolean;
}

/**
 * A change of some fields: what is `undefined` is removed, what is not named stays.
 *
 * @typeParam Data The fields of the data.
 */
export type SessionPatchOf<Data extends object> = { readonly [K in keyof Data]?: Data[K] | undefined };
