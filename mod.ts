/**
 * Larder gives a Deno service what it needs from Redis. The cache never serves what was invalidated, sends one command per tick for
 * everybody, and stays calm when Redis is away.
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
export {
  connect,
  type Larder,
  type LarderTypes,
  type LimitNamesOf,
  type SessionDataOf,
  type TypesWith,
} from "./src/connect/larder.ts";
export type { ConnectOptions, TlsOptions } from "./src/connect/config.ts";
export * from "./src/errors.ts";
export * from "./src/cache/mod.ts";
export type { DeadlineHealth, Health, HealthStatus, ProcessHealth, RedisHealth } from "./src/connect/health.ts";
export { type Latency, LATENCY_BOUNDS, type RedisMetrics } from "./src/observe/redis_meter.ts";
export type { RedisFigures, RedisMemory } from "./src/redis/info.ts";
export * from "./src/images/mod.ts";
export * from "./src/rate_limit/mod.ts";
export * from "./src/sessions/mod.ts";
export type { EventListener } from "./src/observe/events.ts";
export { logEvents, type Logger, type LogLevel } from "./src/observe/log_events.ts";
export * from "./src/redis/client.ts";
export type { RawCommands, RawReply } from "./src/redis/raw_commands.ts";
