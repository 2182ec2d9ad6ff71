/**
 * Streams between processes: messages that are kept until each group has handled them, at least once, and those of one
 * key one after the other.
 *
 * @example Jobs for whoever is free
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const jobs = redis.streams.stream<{ id: number }>("jobs", { maxLength: 100_000 });
 * await jobs.add({ id: 7 });
 *
 * const seen = Promise.withResolvers<number>();
 * const worker = jobs.consume("workers", { concurrency: 4 }, ({ value }) => seen.resolve(value.id));
 * assert.equal(await seen.promise, 7);
 * await worker.shutdown();
 * ```
 *
 * @module
 */
export { Streams } from "./streams.ts";
export type { Stream, StreamConsumer } from "./stream.ts";
export type { HandledMessage, ReadItem, StreamItem, StreamMessage } from "./item.ts";
export type { StreamHandler, StreamWorker } from "./worker.ts";
export type { DeadLetter, DeadLetters } from "./dead_letters.ts";
export { MessageLostError } from "./errors.ts";
export type { AddOptions, ConsumeOptions, ReadOptions, StreamOptions, StreamsOptions, TrimOptions } from "./options.ts";
export type { StreamStats } from "./stats.ts";
export { MemoryStreamStore, type MemoryStreamStoreOptions } from "./memory_store.ts";
export type {
  AddRequest,
  BeatAnswer,
  BeatRequest,
  DeadEntry,
  DeadRequest,
  GroupInfo,
  PendingEntry,
  Place,
  ReadRequest,
  Settled,
  StreamEntry,
  StreamInfo,
  StreamListener,
  StreamStore,
  TakeAnswer,
  TakenEntry,
  TakeRequest,
} from "./store.ts";
export type { ClosedBy } from "../errors.ts";
export type { EventListener } from "../observe/events.ts";
export type { Duration } from "../util/duration.ts";
export type { MessageHeaders } from "../util/message_headers.ts";
export type { Serializer } from "../values/serializer.ts";
export type { StandardSchema } from "../values/standard_schema.ts";
