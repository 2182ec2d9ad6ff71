/**
 * Channels between processes: messages to all who are there, and a word where some may be missing.
 *
 * @example Subscribe and publish
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const news = redis.pubsub.channel<string>("news");
 * await using messages = news.subscribe({ buffer: 100 });
 * await messages.ready;
 * await news.publish("hello");
 * assert.deepEqual(await messages.next(), { done: false, value: { value: "hello" } });
 * ```
 *
 * @module
 */
export { type Channel, type ChannelPattern, PubSub } from "./pubsub.ts";
export type { ChannelItem, ChannelSubscription, PatternItem } from "./subscription.ts";
export { ChannelFullError } from "./errors.ts";
export type { ChannelOptions, OnFull, PatternOptions, PubSubOptions, SubscribeOptions } from "./options.ts";
export type { PubSubStats } from "./stats.ts";
export { MemoryChannelStore } from "./memory_store.ts";
export type { ChannelListener, ChannelStore, ChannelTopic } from "./store.ts";
export type { ClosedBy } from "../errors.ts";
export type { EventListener } from "../observe/events.ts";
export type { MessageHeaders } from "../util/message_headers.ts";
export type { Serializer } from "../values/serializer.ts";
export type { StandardSchema } from "../values/standard_schema.ts";
