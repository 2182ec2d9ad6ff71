/**
 * What Larder throws, beside a `TypeError` or a `RangeError` for an argument that cannot be used. Each message says the
 * action, what was wanted and what came.
 *
 * @module
 */
export * from "./errors/config.ts";
export * from "./errors/image.ts";
export * from "./errors/loader.ts";
export * from "./errors/not_found.ts";
export * from "./errors/redis_error.ts";
export * from "./errors/session_conflict.ts";
export * from "./errors/unavailable.ts";
