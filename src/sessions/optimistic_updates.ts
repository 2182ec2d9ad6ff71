import { abortable, delay } from "../util/abort.ts";
import { SessionConflictError } from "../errors.ts";
import { encodePatch } from "./fields.ts";
import type { SessionDecoder } from "./decoder.ts";
import type { SessionPatchOf } from "./session.ts";
import type { SessionFollowOptions, SessionPatch, SessionStore, StoredSession } from "./store.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";

/** How often a change by a function is tried again when others change the session all the time. */
const TRIES = 100;
const ACTION = "update session";

/**
 * A change of some fields, or a function that makes one of the data.
 *
 * @typeParam Data The fields of the data.
 */
export type Change<Data extends object> =
  | SessionPatchOf<Data>
  | ((data: Data) => SessionPatchOf<Data> | Promise<SessionPatchOf<Data>>);

/** What else is asked of a change. */
export interface ChangeOptions extends SessionFollowOptions, Pick<SessionPatch, "tags" | "maxBytes"> {
  /** The version that the session must have. */
  readonly ifVersion?: number | undefined;
}

/**
 * Optimistic updates: each reads a session, and writes its change unless the session has changed meanwhile; then it is
 * tried again.
 */
export class OptimisticUpdates<Data extends object> {
  readonly #store: SessionStore;
  readonly #decoder: SessionDecoder<Data>;
  readonly #mutex = new KeyedMutex();

  constructor(store: SessionStore, decoder: SessionDecoder<Data>) {
    this.#store = store;
    this.#decoder = decoder;
  }

  /** Applies a change, after those of this process to the same session that were made before. */
  async apply(
    id: string,
    handle: string,
    change: Change<Data>,
    options: ChangeOptions,
  ): Promise<StoredSession | undefined> {
    return await this.#mutex.runExclusive(handle, () => this.#apply(id, handle, change, options), options.signal);
  }

  /** How a session stands, which is no use of it; nothing if it cannot be read. */
  async peek(
    handle: string,
    { signal, follow, within }: SessionFollowOptions,
  ): Promise<StoredSession | undefined> {
    try {
      const found = await this.#store.read(handle, "peek", { signal, follow, within });
      return typeof found === "object" ? found : undefined;
    } catch (error) {
      if (signal?.aborted || !(error instanceof RangeError)) throw error;
      this.#decoder.reportUnreadable(handle, error);
      return undefined;
    }
  }

  async #apply(
    id: string,
    handle: string,
    change: Change<Data>,
    options: ChangeOptions,
  ): Promise<StoredSession | undefined> {
    const { ifVersion, signal, follow, tags, maxBytes, replication } = options;
    const within = this.#store.deadline?.();
    let current = await this.peek(handle, { signal, follow, within });
    for (let tries = 0; current && tries < TRIES; tries++) {
      signal?.throwIfAborted();
      if (ifVersion !== undefined && current.version !== ifVersion) break;
      const begun = performance.now();
      const fields = await abortable(this.#fieldsOf(id, current, change), signal);
      const patch = { ...encodePatch(fields, ACTION), tags, maxBytes };
      await this.#decoder.checkChange(current, fields, ACTION);
      // How long the change takes is not the fault of Redis.
      if (within) within.extend(within.end + performance.now() - begun);
      const answer = await this.#store.update(handle, patch, current.version, { signal, follow, within, replication });
      if (!answer?.conflict) return answer?.session;
      current = answer.session;
      // Many others want the same: those who wait a little do not all come at once again.
      if (tries > 2) await delay(Math.random() * Math.min(50, 2 ** tries), signal);
    }
    if (current) throw new SessionConflictError(current.version);
    return undefined;
  }

  async #fieldsOf(id: string, current: StoredSession, change: Change<Data>): Promise<SessionPatchOf<Data>> {
    if (typeof change !== "function") return change;
    return await change((await this.#decoder.decodeOrThrow(id, current, ACTION)).data);
  }
}
