import { abortable, delay } from "../abort.ts";
import { SessionConflictError } from "../errors.ts";
import type { Deadline } from "../redis/deadline.ts";
import { encodePatch } from "./fields.ts";
import type { UpdateSessionOptions } from "./options.ts";
import type { Reading } from "./reading.ts";
import type { SessionPatchOf } from "./session.ts";
import type { SessionStore, StoredSession } from "./store.ts";
import { Turns } from "./turns.ts";

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

/** Changes sessions in view of what is in them: again when somebody else was faster. */
export class Changes<Data extends object> {
  readonly #store: SessionStore;
  readonly #reading: Reading<Data>;
  readonly #turns = new Turns();

  constructor(store: SessionStore, reading: Reading<Data>) {
    this.#store = store;
    this.#reading = reading;
  }

  /** Makes a change when those of the same session that this process makes already have ended. */
  async make(
    id: string,
    handle: string,
    change: Change<Data>,
    options: UpdateSessionOptions,
  ): Promise<StoredSession | undefined> {
    return await this.#turns.take(handle, () => this.#make(id, handle, change, options), options.signal);
  }

  /** How a session stands, or nothing if it cannot be read. */
  async look(
    handle: string,
    signal: AbortSignal | undefined,
    within?: Deadline,
  ): Promise<StoredSession | undefined> {
    try {
      return await this.#store.read(handle, "peek", { signal, within });
    } catch (error) {
      if (signal?.aborted || !(error instanceof RangeError)) throw error;
      this.#reading.tell(handle, error);
      return undefined;
    }
  }

  async #make(
    id: string,
    handle: string,
    change: Change<Data>,
    { ifVersion, signal }: UpdateSessionOptions,
  ): Promise<StoredSession | undefined> {
    const within = this.#store.deadline?.();
    let current = await this.look(handle, signal, within);
    for (let tries = 0; current && tries < TRIES; tries++) {
      signal?.throwIfAborted();
      if (ifVersion !== undefined && current.version !== ifVersion) break;
      const begun = performance.now();
      const fields = await abortable(this.#fieldsOf(id, current, change), signal);
      const patch = encodePatch(fields, ACTION);
      await this.#reading.checkChange(current, fields, ACTION);
      // How long the change takes is not the fault of Redis.
      if (within) within.extend(within.end + performance.now() - begun);
      const answer = await this.#store.update(handle, patch, current.version, { signal, within });
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
    return await change((await this.#reading.demand(id, current, ACTION)).data);
  }
}
