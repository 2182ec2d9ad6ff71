import type { Change } from "./optimistic_updates.ts";
import type {
  CreateSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  UpdateSessionOptions,
} from "./options.ts";
import type { Session, SessionData } from "./session.ts";

/**
 * What was found for a request.
 *
 * @typeParam Data The fields of the data.
 */
export interface FoundSession<Data extends object = SessionData> {
  /** The session. */
  readonly session?: Session<Data> | undefined;
  /**
   * Why there is none: nothing is known of the id; it is remembered that what it stood for ended, or that somebody
   * logged in since; the record is there and this process cannot read it; or the store did not answer, which by option
   * is no error.
   */
  readonly missing?: "unknown" | "ended" | "unreadable" | "outage" | undefined;
  /**
   * Whether another request gave the session a new id a moment ago, so that the id of this one is nothing to send
   * again.
   */
  readonly renewed?: boolean | undefined;
}

/**
 * How a request reads and changes its session: by an id, or by one that another request has replaced a moment ago.
 *
 * @typeParam Data The fields of the data.
 */
export interface SessionAccess<Data extends object = SessionData> {
  /** Reads it. */
  read(id: string, options?: GetSessionOptions): Promise<FoundSession<Data>>;
  /**
   * Begins one in the place of another, if there is one, which is remembered. `since` is when that was asked for, by
   * `performance.now()`, if it was earlier than the call.
   */
  create(
    userId: string | null,
    data: Data,
    options: CreateSessionOptions,
    replaced: string | undefined,
    since?: number,
  ): Promise<Session<Data>>;
  /** Changes it. */
  update(id: string, change: Change<Data>, options: UpdateSessionOptions): Promise<FoundSession<Data>>;
  /** Takes a field out of its data, and tells what it was. */
  pop(id: string, field: string, options: SessionOperationOptions): Promise<FoundSession<Data> & { value?: unknown }>;
  /** Gives it a new id. Where another request has done so a moment ago, it gets that one. */
  regenerate(id: string, options: RegenerateSessionOptions<Data>): Promise<FoundSession<Data>>;
  /** Ends it, and remembers that. `"ended"` = that was remembered already. */
  destroy(id: string, options: SessionOperationOptions): Promise<boolean | "ended">;
}

/** What a session of a request needs of the sessions. */
export interface RequestMeans<Data extends object> {
  /** Reads and changes it. */
  readonly access: SessionAccess<Data>;
  /** Told what is probably not as meant. */
  readonly warn: (message: string) => void;
  /** The address of the client, for a session that is begun. */
  readonly address?: string | null | undefined;
  /** Whether reading counts as use. @default {true} */
  roll?: boolean | undefined;
  /** Whether a handler around makes the response, and tells when it has gone. */
  within?: boolean;
  /** Whether the response has gone, so that nothing that becomes of the session reaches the browser. */
  gone?: boolean;
}
