import { assertSize, decodeFields, encodeFields, sizeOfFields } from "./fields.ts";
import type { Limits, RenewedOptions } from "./resolve_options.ts";
import type { PlacedSession, SessionFollowOptions, SessionPatch, SessionStore } from "./store.ts";
import type { TokenFormat } from "./token.ts";

const ACTION = "regenerate session";

/** What is asked for. */
export interface Wanted extends RenewedOptions {
  /** Whose it is from now on. */
  readonly userId: string | undefined;
  /** Fields to change. */
  readonly patch: SessionPatch;
}

/** A session with its token. */
export interface Renewed {
  readonly id: string;
  readonly placed: PlacedSession;
}

/** Regeneration of sessions: a new token for the same data, as after a login. */
export class Regeneration {
  readonly #store: SessionStore;
  readonly #format: TokenFormat;
  readonly #limits: Limits;

  constructor(store: SessionStore, format: TokenFormat, limits: Limits) {
    this.#store = store;
    this.#format = format;
    this.#limits = limits;
  }

  /**
   * Gives the session of a token a new one, and a new user if one is named. Resolves to nothing when it is not there.
   * For a request that came when it was renewed already, its present token is told.
   */
  async run(token: string, wanted: Wanted, options: SessionFollowOptions): Promise<Renewed | undefined> {
    const handle = this.#format.handleOf(token);
    const { userId, patch, ...rest } = wanted;
    if (userId !== undefined && !this.#format.isAt(handle, userId)) return await this.#move(handle, wanted, options);
    const { maxPerUser, whenFull, grace, maxBytes } = this.#limits;
    while (true) {
      // Without a new user it stays where it is.
      const id = userId === undefined ? this.#format.createBeside(handle) : this.#format.create(userId);
      const sealed = this.#format.seal(token, id);
      const renewal = { ...patch, ...rest, userId, maxPerUser, whenFull, grace, maxBytes, sealed };
      const placed = await this.#store.regenerate(handle, this.#format.handleOf(id), renewal, options);
      if (placed === undefined) return undefined;
      if (placed === "taken") continue; // 256 random bits came up twice
      if (!placed.steps) return { id, placed };
      const present = this.#format.unseal(token, placed.steps);
      return present === undefined ? undefined : { id: present, placed };
    }
  }

  /** Where the sessions of the user are in another hash slot, it is taken from here and put there. */
  async #move(handle: string, wanted: Wanted, options: SessionFollowOptions): Promise<Renewed | undefined> {
    const { signal, within, replication } = options;
    const { userId = "", patch } = wanted;
    const { grace, maxBytes } = this.#limits;
    const since = performance.now();
    if (patch.set.size > 0) {
      const present = await this.#store.read(handle, "peek", options);
      if (typeof present !== "object") return undefined;
      const fields = encodeFields(decodeFields(present), ACTION);
      assertSize(sizeOfFields(merged(fields, patch)), sizeOfFields(fields), maxBytes, ACTION);
    }
    const before = await this.#store.take(handle, { ...options, grace });
    if (!before) return undefined;
    const { idle = before.idle, tags = before.tags, device = before.device, absolute = 0 } = wanted;
    const { persistent = before.persistent } = wanted;
    const { maxPerUser, whenFull } = this.#limits;
    const fields = merged(before.fields, patch);
    while (true) {
      const id = this.#format.create(userId);
      const record = { userId, tags, device, fields, idle, absolute, maxPerUser, whenFull, persistent, since };
      const placed = await this.#store.create(this.#format.handleOf(id), record, { signal, within, replication });
      if (placed) return { id, placed };
    }
  }
}

function merged(
  fields: ReadonlyMap<string, Uint8Array>,
  { set, remove }: SessionPatch,
): ReadonlyMap<string, Uint8Array> {
  return new Map([...fields].filter(([name]) => !remove.includes(name)).concat([...set]));
}
