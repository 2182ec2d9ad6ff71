import { REAL_CLIENT } from "./db_redis.ts";

/** All others that read, by the names of `contenders/reads.ts`. */
export const OTHER_READERS: readonly string[] = [
  ...(REAL_CLIENT ? ["@db/redis get"] : []),
  "bentocache getOrSet",
  "cache-manager get",
  "cachified",
  "ioredis auto-pipelined get + parse",
  "node-redis get + parse",
];

/** All others that write, by the names of `contenders/writes.ts`. */
export const OTHER_WRITERS: readonly string[] = [
  ...(REAL_CLIENT ? ["@db/redis set"] : []),
  "bentocache set",
  "cache-manager set",
  "cachified, forced",
  "ioredis auto-pipelined stringify + set",
  "node-redis stringify + set",
];
