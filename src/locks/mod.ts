/**
 * Locks between processes: one at a time, in the order in which they asked, each with a fencing number that only
 * grows; and semaphores.
 *
 * @example Only one process sends the report
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const sent = await redis.locks.withLock("report", { ttl: "30s", wait: "5s" }, (lock) => {
 *   assert.equal(lock.held, true);
 *   return "sent";
 * });
 * assert.equal(sent, "sent");
 * ```
 *
 * @module
 */
export { Locks } from "./locks.ts";
export type { Lock } from "./lock.ts";
export type { Semaphore } from "./semaphore.ts";
export { type LockLoss, LockLostError, LockTimeoutError } from "./errors.ts";
export type { Done, IdempotentResult } from "./idempotent.ts";
export type { OnceResult } from "./once.ts";
export type {
  IdempotentOptions,
  LockDurability,
  LockOptions,
  OnceOptions,
  SemaphoreOptions,
  TryLockOptions,
} from "./options.ts";
export type { LockStats } from "./stats.ts";
export type { Durability } from "../redis/durability.ts";
export type { ReplicaWait } from "../redis/wait_for_replicas.ts";
export { MemoryLockStore, type MemoryLockStoreOptions } from "./memory_store.ts";
export type {
  ExtendRequest,
  Grant,
  KeptValue,
  LastRun,
  LockListener,
  LockStore,
  TakeAnswer,
  TakeRequest,
} from "./store.ts";
export type { ClosedBy } from "../errors.ts";
export type { Duration } from "../util/duration.ts";
