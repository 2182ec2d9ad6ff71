import { type StandardSchema, validate } from "../values/standard_schema.ts";
import type { EventListener } from "../observe/events.ts";
import { decodeFields } from "./fields.ts";
import type { Session, SessionDevice, SessionInfo } from "./session.ts";
import type { StoredSession } from "./store.ts";

/** Decodes stored sessions, and checks their data where there is a schema. */
export class SessionDecoder<Data extends object> {
  readonly #schema: StandardSchema<unknown, Data> | undefined;
  readonly #on: EventListener;

  constructor(schema: StandardSchema<unknown, Data> | undefined, on: EventListener) {
    this.#schema = schema;
    this.#on = on;
  }

  /** Whether data are checked. */
  get checks(): boolean {
    return this.#schema !== undefined;
  }

  /**
   * The session with its data, or nothing and an event if they cannot be read or do not fit. Waits for a schema only.
   */
  decode(id: string, stored: StoredSession): Session<Data> | undefined | Promise<Session<Data> | undefined> {
    return this.#schema ? this.#checked(id, stored, this.#schema) : this.#plain(id, stored);
  }

  /**
   * The session with its data. Throws if they cannot be read or do not fit: they have just been written, or are about
   * to be.
   */
  async decodeOrThrow(id: string, stored: StoredSession, action: string): Promise<Session<Data>> {
    const session = await this.decode(id, stored);
    if (session) return session;
    throw new TypeError(`Cannot ${action}: wanted data that can be read and fit the schema, got others`);
  }

  /** Refuses data that do not fit the schema. */
  async check(data: unknown, action: string): Promise<void> {
    if (!this.#schema) return;
    const { issues } = await validate(this.#schema, data);
    if (!issues) return;
    throw new TypeError(`Cannot ${action}: wanted data that fit the schema, got ${issues[0]?.message ?? "others"}`);
  }

  /** Refuses a change after which the data would not fit the schema. */
  async checkChange(stored: StoredSession, change: object, action: string): Promise<void> {
    if (!this.#schema) return;
    const after = Object.entries({ ...this.#decoded(stored), ...change }).filter(([, value]) => value !== undefined);
    await this.check(Object.fromEntries(after), action);
  }

  /** Emits that a session cannot be read. */
  reportUnreadable(handle: string, error: unknown): void {
    this.#on({ type: "session.unreadable", handle, error });
  }

  #plain(id: string, stored: StoredSession): Session<Data> | undefined {
    const data = this.#decoded(stored);
    return data && sessionOf(id, stored, data as Data);
  }

  async #checked(
    id: string,
    stored: StoredSession,
    schema: StandardSchema<unknown, Data>,
  ): Promise<Session<Data> | undefined> {
    const session = this.#plain(id, stored);
    if (!session) return undefined;
    const result = await validate(schema, session.data);
    if (!result.issues) return { ...session, data: result.value };
    const issues = result.issues.map(({ message }) => message);
    this.#on({ type: "session.schema_mismatch", handle: stored.handle, issues });
    return undefined;
  }

  #decoded(stored: StoredSession): Record<string, unknown> | undefined {
    try {
      return decodeFields(stored);
    } catch (error) {
      this.reportUnreadable(stored.handle, error);
      return undefined;
    }
  }
}

/** What may be shown of a session. */
export function infoOf(stored: StoredSession): SessionInfo {
  const { handle, userId, createdAt, lastSeenAt, expiresAt, tags, device } = stored;
  return {
    handle,
    userId,
    createdAt,
    lastSeenAt,
    expiresAt,
    tags,
    ...(device !== "" && deviceOf(device)),
  };
}

function sessionOf<Data extends object>(id: string, stored: StoredSession, data: Data): Session<Data> {
  // Spelled out: every read comes through here, and spreading is slow.
  const { handle, userId, createdAt, lastSeenAt, expiresAt, tags, device, version, touched } = stored;
  const session = { id, handle, userId, createdAt, lastSeenAt, expiresAt, tags, data, version, touched };
  const { persistent } = stored;
  if (device === "" && persistent === undefined) return session;
  return {
    ...session,
    ...(device !== "" && deviceOf(device)),
    ...(persistent !== undefined && { persistent }),
  };
}

/** Where a session was begun. A record that is damaged there is worth no less for it. */
function deviceOf(text: string): { device?: SessionDevice } {
  try {
    return { device: JSON.parse(text) as SessionDevice };
  } catch {
    return {};
  }
}
