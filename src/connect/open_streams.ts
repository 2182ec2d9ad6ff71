import type { EventListener } from "../observe/events.ts";
import type { Batch } from "../redis/batch.ts";
import { MemoryStreamStore } from "../streams/memory_store.ts";
import { RedisStreamStore } from "../streams/redis/store.ts";
import { Streams } from "../streams/streams.ts";
import type { Config } from "./config.ts";

/** The streams of `connect()`: on its Redis, or in this process; their values are written as those of the cache. */
export function openStreams(
  batch: Batch | undefined,
  { namespace, buckets, cache: { serializer }, streams }: Pick<Config, "namespace" | "buckets" | "cache" | "streams">,
  on: EventListener | undefined,
): Streams {
  const store = batch ? new RedisStreamStore(batch, { namespace, buckets }) : new MemoryStreamStore();
  return new Streams(store, { ...streams, serializer: streams.serializer ?? serializer }, on);
}
