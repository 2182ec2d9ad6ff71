import { describe } from "../util/describe.ts";
import { assertTag, assertTags, assertUserId } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { infoOf } from "./decoder.ts";
import { encodePatch } from "./fields.ts";
import { DESTROY_ALL, END, LIST, UPDATE_ALL } from "./option_names.ts";
import type { Durability } from "../redis/durability.ts";
import type {
  DestroyAllOptions,
  EndSessionOptions,
  ListSessionsOptions,
  SessionOperationOptions,
  SessionsEnded,
  SessionsUpdated,
  UpdateAllOptions,
} from "./options.ts";
import type { SessionInfo, SessionPatchOf } from "./session.ts";
import { cursorIn, handleIn } from "./session_arguments.ts";
import type { SessionsCore } from "./sessions_core.ts";

/**
 * What `Sessions` can do with all sessions of a user, or with a tag.
 *
 * @typeParam Data The fields of the data.
 */
export class UserSessions<Data extends object> {
  readonly #core: SessionsCore<Data>;

  /** @internal */
  constructor(core: SessionsCore<Data>) {
    this.#core = core;
  }

  /**
   * Changes some fields of all sessions of a user: his name, his rights. Each changes in one step; it counts as no use
   * of them. With a schema each is looked at first, and none changes when one would not fit.
   *
   * @param userId The user.
   * @param patch The fields that change; `undefined` removes one.
   * @param options Their tags from now on, a signal.
   * @returns How many sessions there were.
   * @throws {RangeError} If one would have too much data: that one stays as it is, the others have changed.
   * @throws {TypeError} If the fields cannot be stored, or would not fit the schema.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example Rights that are taken away everywhere
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect<{ session: { admin?: boolean } }>({ url: "memory:" });
   * const { id } = await redis.sessions.create("ada", { admin: true });
   * assert.equal(await redis.sessions.updateAll("ada", { admin: undefined }), 1);
   * assert.deepEqual((await redis.sessions.get(id))?.data, {});
   * ```
   */
  updateAll(
    userId: string,
    patch: SessionPatchOf<Data>,
    options?: UpdateAllOptions & { readonly durability?: undefined },
  ): Promise<number>;
  /**
   * Changes some fields of all sessions of a user, and waits for replicas.
   *
   * @param userId The user.
   * @param patch The fields that change.
   * @param options On how many replicas it has to be, and as above.
   * @returns How many sessions there were, and whether replicas have the change.
   * @throws {TypeError | RangeError | UnavailableError} As above.
   */
  updateAll(
    userId: string,
    patch: SessionPatchOf<Data>,
    options: UpdateAllOptions & { readonly durability: Durability },
  ): Promise<SessionsUpdated>;
  async updateAll(
    userId: string,
    patch: SessionPatchOf<Data>,
    options: UpdateAllOptions = {},
  ): Promise<number | SessionsUpdated> {
    const action = "update sessions";
    assertOptions(options, UPDATE_ALL, action);
    assertUserId(userId, action);
    const { signal, durability } = options;
    const replication = this.#core.replicas.begin(durability, action);
    const tags = options.tags === undefined ? undefined : assertTags(options.tags, action);
    const change = { ...encodePatch(patch, action), tags, maxBytes: this.#core.limits.maxBytes };
    if (this.#core.decoder.checks) await this.#core.operations.checkAll(userId, patch, signal);
    const updated = await this.#core.store.updateAll(userId, change, { signal, replication });
    const replicated = await this.#core.replicas.end(replication, action, signal);
    return durability === undefined ? updated : { updated, replicated };
  }

  /**
   * The sessions of a user, the newest first: for a page on which they can be ended one by one.
   *
   * @param userId The user.
   * @param options How many, after which, a signal.
   * @returns What may be shown of them: no tokens, no data.
   * @throws {TypeError | RangeError} If an option cannot be used.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example Page by page
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * for (let i = 0; i < 3; i++) await redis.sessions.create("ada", {});
   * const page = await redis.sessions.list("ada", { limit: 2 });
   * const next = await redis.sessions.list("ada", { limit: 2, cursor: page.at(-1)?.handle });
   * assert.deepEqual([page.length, next.length], [2, 1]);
   * ```
   */
  async list(userId: string, options: ListSessionsOptions = {}): Promise<SessionInfo[]> {
    const action = "list sessions";
    assertOptions(options, LIST, action);
    assertUserId(userId, action);
    const { limit, cursor, signal } = options;
    if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
      throw new RangeError(`Cannot ${action}: wanted a whole number of at least 1 as "limit", got ${describe(limit)}`);
    }
    const after = cursorIn(cursor, this.#core.format, action);
    return (await this.#core.store.list(userId, { signal, limit, after })).map(infoOf);
  }

  /**
   * Ends all sessions of a user, or all but one: after a change of the password, or to log out everywhere. Once it
   * resolves none that was begun before the call lives, a login that was under way among them.
   *
   * @param userId The user.
   * @param options The session that stays, a signal.
   * @returns How many ended.
   * @throws {UnavailableError} If the store does not answer.
   *
   * @example All others
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * const phone = await redis.sessions.create("ada", {});
   * const laptop = await redis.sessions.create("ada", {});
   * assert.equal(await redis.sessions.destroyAll("ada", { except: laptop }), 1);
   * assert.equal(await redis.sessions.get(phone.id), undefined);
   * assert.equal((await redis.sessions.get(laptop.id))?.userId, "ada");
   * ```
   */
  destroyAll(userId: string, options?: DestroyAllOptions & { readonly durability?: undefined }): Promise<number>;
  /**
   * Ends all sessions of a user, or all but one, and waits for replicas.
   *
   * @param userId The user.
   * @param options On how many replicas it has to be, the session that stays, a signal.
   * @returns How many ended, and whether replicas know it.
   * @throws {UnavailableError} If the store does not answer.
   */
  destroyAll(
    userId: string,
    options: DestroyAllOptions & { readonly durability: Durability },
  ): Promise<SessionsEnded>;
  async destroyAll(userId: string, options: DestroyAllOptions = {}): Promise<number | SessionsEnded> {
    const action = "destroy sessions";
    assertOptions(options, DESTROY_ALL, action);
    assertUserId(userId, action);
    const { except, signal, durability } = options;
    const kept = handleIn(except, this.#core.format, action);
    const replication = this.#core.replicas.begin(durability, action);
    const count = await this.#core.store.revokeUser(userId, kept, { signal, replication });
    this.#core.on({ type: "session.revoke", by: "user", what: userId, count });
    const replicated = await this.#core.replicas.end(replication, action, signal);
    return durability === undefined ? count : { destroyed: count, replicated };
  }

  /**
   * Ends all sessions with a tag. What holds for {@linkcode UserSessions.destroyAll} holds for it; on a cluster it
   * reaches each slot in turn, and can be repeated when one did not answer.
   *
   * @param tag The tag.
   * @param options A signal.
   * @returns How many ended.
   * @throws {UnavailableError} If the store does not answer.
   */
  destroyByTag(tag: string, options?: SessionOperationOptions): Promise<number>;
  /**
   * Ends all sessions with a tag, and waits for replicas.
   *
   * @param tag The tag.
   * @param options On how many replicas it has to be, a signal.
   * @returns How many ended, and whether replicas know it.
   * @throws {UnavailableError} If the store does not answer.
   */
  destroyByTag(tag: string, options: EndSessionOptions & { readonly durability: Durability }): Promise<SessionsEnded>;
  async destroyByTag(tag: string, options: EndSessionOptions = {}): Promise<number | SessionsEnded> {
    const action = "destroy sessions by tag";
    assertOptions(options, END, action);
    assertTag(tag, action);
    const { signal, durability } = options;
    const replication = this.#core.replicas.begin(durability, action);
    const count = await this.#core.store.revokeTag(tag, { signal, replication });
    this.#core.on({ type: "session.revoke", by: "tag", what: tag, count });
    const replicated = await this.#core.replicas.end(replication, action, signal);
    return durability === undefined ? count : { destroyed: count, replicated };
  }
}
