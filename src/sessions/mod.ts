/**
 * Sessions that roll, can be revoked at once, and never come back: on Redis, or embedded for development.
 *
 * @example On the embedded store
 * ```ts
 * import { MemorySessionStore, Sessions } from "@larder/larder/sessions";
 * import assert from "node:assert/strict";
 *
 * await using sessions = new Sessions(new MemorySessionStore(), { ttl: "30m", absoluteTtl: "12h" });
 * const { id } = await sessions.create("ada", { theme: "dark" });
 * assert.equal((await sessions.get(id))?.data.theme, "dark");
 * assert.equal(await sessions.destroyAll("ada"), 1);
 * assert.equal(await sessions.get(id), undefined);
 * ```
 *
 * @module
 */
export { Sessions } from "./sessions.ts";
export { RequestSessions } from "./request_sessions.ts";
export { UserSessions } from "./user_sessions.ts";
export * from "./session.ts";
export type { SessionStats } from "./stats.ts";
export * from "./options.ts";
export { SessionCookie } from "./cookie.ts";
export type { SessionCookieOptions } from "./cookie_options.ts";
export { RequestSession } from "./request_session.ts";
export type { Change as SessionChange } from "./optimistic_updates.ts";
export type { NodeHeadersLike } from "../web/given_headers.ts";
export type { FoundSession, RequestMeans, SessionAccess } from "./session_access.ts";
export type { RequestSessionOptions, SessionHandler, WithSessionHandler, WithSessionOptions } from "./with_session.ts";
export * from "./memory_store.ts";
export type { MemorySessionStoreOptions } from "./memory_store_options.ts";
export * from "./store.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "../values/standard_schema.ts";
export type { Durability } from "../redis/durability.ts";
export type { Replication } from "../redis/replication.ts";
export type { ReplicaWait } from "../redis/wait_for_replicas.ts";
export type { Duration } from "../util/duration.ts";
export type { Deadline } from "../redis/deadline.ts";
export type { EventListener, LarderEvent, LoadEnd, ServerEvent, ServerRole } from "../observe/events.ts";
export { type ClosedBy, SessionConflictError } from "../errors.ts";
