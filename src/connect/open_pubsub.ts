import type { EventListener } from "../observe/events.ts";
import { MemoryChannelStore } from "../pubsub/memory_store.ts";
import { PubSub } from "../pubsub/pubsub.ts";
import { RedisChannelStore } from "../pubsub/redis/store.ts";
import type { Batch } from "../redis/batch.ts";
import type { Config } from "./config.ts";

/** The channels of `connect()`: on its Redis, or in this process; their values are written as those of the cache. */
export function openPubSub(
  batch: Batch | undefined,
  { namespace, cache: { serializer }, pubsub }: Pick<Config, "namespace" | "cache" | "pubsub">,
  on: EventListener | undefined,
): PubSub {
  const store = batch ? new RedisChannelStore(batch, { namespace }) : new MemoryChannelStore();
  return new PubSub(store, { ...pubsub, serializer: pubsub.serializer ?? serializer }, on);
}
