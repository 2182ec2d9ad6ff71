/**
 * How bytes reach Redis: the {@linkcode RedisClient} port and the adapters that fill it.
 *
 * @example Give Larder a client of your own
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromDbRedis } from "@larder/larder/redis";
 * import { connect as connectRedis } from "jsr:@db/redis";
 *
 * const client = await connectRedis({ hostname: "127.0.0.1", port: 6379, maxRetryCount: 0 });
 * await using redis = await connect({ client: fromDbRedis(client) });
 * ```
 *
 * @module
 */
export * from "./client.ts";
export { RedisError, UnavailableError, type UnavailableReason } from "../errors.ts";
export * from "./adapters/from_db_redis.ts";
export * from "./adapters/from_ioredis.ts";
export * from "./adapters/ioredis_like.ts";
export * from "./adapters/from_node_redis.ts";
export { type BullConnection, bullConnection, type BullTlsOptions } from "../connect/bull_connection.ts";
export type { RawCommands, RawReply } from "./raw_commands.ts";
