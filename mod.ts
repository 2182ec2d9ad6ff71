/**
 * Larder gives a Deno service what it needs from Redis. The cache never serves what was invalidated, sends one command
 * per tick for everybody, and stays calm when Redis is away.
 *
 * @example Cache a slow call
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" }); // or REDIS_URL, or { url: "redis://localhost:6379" }
 *
 * const user = (id: number) =>
 *   redis.cache.getOrSet(`user:${id}`, () => ({ id, name: "Ada" }), {
 *     ttl: "5m",
 *     staleWhileRevalidate: "1m",
 *     tags: ["users", `user:${id}`],
 *   });
 *
 * assert.deepEqual(await user(1), { id: 1, name: "Ada" });
 * await redis.cache.invalidateByTag("users");
 * ```
 *
 * @module
 */
// What an app needs. What is for stores, clients and sources of one's own is at the entry points of their rooms.
export { connect, type Larder } from "./src/connect/larder.ts";
export type { LarderTypes, LimitNamesOf, SessionDataOf, TypesWith } from "./src/connect/larder_types.ts";
export type { ConnectOptions, TlsOptions } from "./src/connect/config.ts";
export * from "./src/errors.ts";
export type { DeadlineHealth, Health, HealthStatus, ProcessHealth, RedisHealth } from "./src/connect/health.ts";
export type { NodeHealth } from "./src/connect/node_health.ts";
export { type Latency, LATENCY_BOUNDS, type RedisMetrics } from "./src/observe/redis_meter.ts";
export type { RedisFigures, RedisMemory } from "./src/redis/info.ts";
export type { EventListener } from "./src/observe/events.ts";
export { logEvents, type Logger, type LogLevel } from "./src/observe/log_events.ts";
export type { RawCommands, RawReply } from "./src/redis/raw_commands.ts";
export {
  Cache,
  type CacheOptions,
  type CacheStats,
  type Definition,
  type DefinitionOptions,
  type Duration,
  escapeGlob,
  type GetOptions,
  type GetOrSetOptions,
  type Inspected,
  type InspectOptions,
  type InvalidateByPatternOptions,
  type InvalidateByTagOptions,
  type InvalidationMode,
  type InvalidationResult,
  jsonSerializer,
  type LarderEvent,
  type LifetimeOptions,
  type LoadCallOptions,
  type LoadEnd,
  type Loader,
  type LoaderContext,
  type LoadOptions,
  type LocalOptions,
  type Lookup,
  type ManyLoader,
  MemoryStore,
  type MemoryStoreOptions,
  type OperationOptions,
  richSerializer,
  type SchemaIssue,
  type SchemaOutput,
  type SchemaResult,
  type Serializer,
  type ServerEvent,
  type ServerRole,
  type SetOptions,
  type StandardSchema,
  type TimesToLive,
  TTL,
  type VersionOptions,
  type WarmEntry,
  type WarmOptions,
  type WarmResult,
} from "./src/cache/mod.ts";
export {
  displaySize,
  fileSource,
  httpSource,
  type HttpSourceOptions,
  ImageCache,
  type ImageInfo,
  type ImageInfoManyOptions,
  imageNameOf,
  type ImageOptions,
  Images,
  type ImageSource,
  type ServeImageOptions,
  type WarmImagesOptions,
  type WarmImagesProgress,
  type WarmImagesResult,
} from "./src/images/mod.ts";
export {
  type Done,
  type IdempotentOptions,
  type IdempotentResult,
  type Lock,
  type LockDurability,
  type LockLoss,
  LockLostError,
  type LockOptions,
  Locks,
  type LockStats,
  LockTimeoutError,
  type OnceOptions,
  type OnceResult,
  type Semaphore,
  type SemaphoreOptions,
  type TryLockOptions,
} from "./src/locks/mod.ts";
export {
  type Channel,
  ChannelFullError,
  type ChannelItem,
  type ChannelOptions,
  type ChannelPattern,
  type ChannelSubscription,
  type MessageHeaders,
  type OnFull,
  type PatternItem,
  type PatternOptions,
  PubSub,
  type PubSubOptions,
  type PubSubStats,
  type SubscribeOptions,
} from "./src/pubsub/mod.ts";
export {
  addressKey,
  type AddressTeller,
  type Algorithm,
  type CheckOptions,
  type ConnectionInfo,
  type DecideOptions,
  type DecisionSource,
  type FromRequest,
  type Gate,
  type GateDecision,
  type GateOptions,
  type LimitBy,
  type LimitEntry,
  MemoryLimitStore,
  type MemoryLimitStoreOptions,
  type OutagePolicy,
  type PresetName,
  type PresetOptions,
  type RateLimitCounts,
  RateLimiter,
  type RateLimitOptions,
  type RateLimitResult,
  type RateLimitState,
  type RateLimitStats,
  type Refusal,
  type Reservation,
  type Route,
  type RouteLimits,
  type Rules,
  type SocketLike,
  type TrustProxy,
  type TrustProxyOptions,
} from "./src/rate_limit/mod.ts";
export {
  type CreateSessionOptions,
  type DestroyAllOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
  type MaxPerUser,
  MemorySessionStore,
  type MemorySessionStoreOptions,
  type NodeHeadersLike,
  type RegenerateSessionOptions,
  RequestSession,
  type RequestSessionOptions,
  type Session,
  type SessionChange,
  SessionCookie,
  type SessionCookieOptions,
  type SessionData,
  type SessionDevice,
  type SessionHandler,
  type SessionInfo,
  type SessionOperationOptions,
  type SessionPatchOf,
  Sessions,
  type SessionsOptions,
  type SessionStats,
  type SessionToDestroy,
  type TypedSessionsOptions,
  type UpdateAllOptions,
  type UpdateSessionOptions,
  type WhenFull,
  type WithSessionHandler,
  type WithSessionOptions,
} from "./src/sessions/mod.ts";
export type { RedisClient } from "./src/redis/client.ts";
export {
  type AddOptions,
  type ConsumeOptions,
  type DeadLetter,
  type DeadLetters,
  type HandledMessage,
  MessageLostError,
  type ReadItem,
  type ReadOptions,
  type Stream,
  type StreamConsumer,
  type StreamHandler,
  type StreamItem,
  type StreamMessage,
  type StreamOptions,
  Streams,
  type StreamsOptions,
  type StreamStats,
  type StreamWorker,
  type TrimOptions,
} from "./src/streams/mod.ts";
