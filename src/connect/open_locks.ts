import { Locks } from "../locks/locks.ts";
import { MemoryLockStore } from "../locks/memory_store.ts";
import { RedisLockStore } from "../locks/redis/store.ts";
import type { EventListener } from "../observe/events.ts";
import type { Batch } from "../redis/batch.ts";
import type { Config } from "./config.ts";

/** The locks of `connect()`: on its Redis, or in this process. */
export function openLocks(
  batch: Batch | undefined,
  { namespace, buckets }: Pick<Config, "namespace" | "buckets">,
  on: EventListener | undefined,
): Locks {
  return new Locks(batch ? new RedisLockStore(batch, { namespace, buckets }) : new MemoryLockStore(), on);
}
