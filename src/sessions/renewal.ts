import type { Limits } from "./resolve_options.ts";
import type { PlacedSession, SessionPatch, SessionStore, SessionStoreOptions } from "./store.ts";
import type { TokenFormat } from "./token.ts";

/** Gives sessions new tokens. */
export class Renewal {
  readonly #store: SessionStore;
  readonly #format: TokenFormat;
  readonly #limits: Limits;

  constructor(store: SessionStore, format: TokenFormat, limits: Limits) {
    this.#store = store;
    this.#format = format;
    this.#limits = limits;
  }

  /** Gives a session a new token, and a new user if one is named. Resolves to nothing when it is not there. */
  async renew(
    handle: string,
    userId: string | undefined,
    patch: SessionPatch,
    options: SessionStoreOptions,
  ): Promise<{ id: string; placed: PlacedSession } | undefined> {
    const { signal } = options;
    if (userId !== undefined && !this.#format.isAt(handle, userId)) {
      return await this.#move(handle, userId, patch, signal);
    }
    const { absolute, maxPerUser } = this.#limits;
    while (true) {
      // Without a new user it stays where it is.
      const id = userId === undefined ? this.#format.createBeside(handle) : this.#format.create(userId);
      const renewal = { ...patch, userId, absolute, maxPerUser };
      const placed = await this.#store.regenerate(handle, this.#format.handleOf(id), renewal, options);
      if (placed === undefined) return undefined;
      if (placed !== "taken") return { id, placed };
    }
  }

  /** Where the sessions of the user are in another hash slot, it is taken from here and put there. */
  async #move(
    handle: string,
    userId: string,
    patch: SessionPatch,
    signal: AbortSignal | undefined,
  ): Promise<{ id: string; placed: PlacedSession } | undefined> {
    const since = performance.now();
    const before = await this.#store.take(handle, { signal });
    if (!before) return undefined;
    const fields = new Map([...before.fields].filter(([name]) => !patch.remove.includes(name)).concat([...patch.set]));
    const { tags, device, idle } = before;
    while (true) {
      const id = this.#format.create(userId);
      const record = { userId, tags, device, fields, ...this.#limits, idle, since };
      const placed = await this.#store.create(this.#format.handleOf(id), record, { signal });
      if (placed) return { id, placed };
    }
  }
}
